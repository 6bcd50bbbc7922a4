// Whom the writer of one target node reports to, and what it reports.
import type { FerryError } from '../engine/errors.ts';

/** Why a command did not take effect, and never will. */
export interface RefusedCommand {
  readonly database: number;
  readonly args: readonly Buffer[];
  readonly reason: string;
}

export interface WriterOwner {
  /** Everything before this position of the source has been appended to some writer. */
  readonly position: number;
  /** Replies came in: progress, and perhaps room. */
  answered(keys: number, streamCommands: number): void;
  refused(command: RefusedCommand): void;
  /**
   * A command whose reply proves that the target's value was another than the source's; its keys are to be copied again.
   * false: that can not be, and the command counts as refused.
   */
  diverged(command: RefusedCommand): boolean;
  /** A snapshot key that the target has already; gives the command to send in its place, or null. */
  conflict(database: number, args: readonly Buffer[]): readonly (string | Buffer)[] | null;
  /** Something of the stream is to be sent again: nothing more is to be appended until all writers are idle. */
  troubled(): void;
  /** The connection can not go on. */
  lost(error: FerryError): void;
}
