// Where one shard's data goes, as the pump and the pipeline see it: a server's nodes or a file.
import type { SourceHistory } from '../../checkpoint/marker.ts';
import type { SnapshotSink, WriteManner } from '../../readers/snapshot-sink.ts';
import type { StreamParser } from '../../readers/stream-parser.ts';
import type { BatchKind } from '../../writers/batch.ts';
import type { ConflictDesk, DeskHost } from '../conflicts/conflict-desk.ts';
import type { FerryError } from '../errors.ts';
import type { Leftovers, ShardCheckpoint } from '../run/shard-job.ts';

/** Takes the commands of a stream, one after the other. */
export interface CommandTaker {
  /** Between MULTI and EXEC: what was read so far has no effect of its own yet. */
  readonly insideBlock: boolean;
  /** The database that the stream has selected. */
  database: number;
  /** The command that the parser read last. */
  handle(command: StreamParser): void;
  /** A command that is not of the stream, behind the one that was handled last. */
  inject(command: StreamParser): void;
  /** A command above the memory limit was passed over. */
  oversized(command: StreamParser): void;
  /** The block under way never gets its EXEC: none of it takes effect. */
  discardBlock(): void;
}

export interface ShardTarget {
  /** The stream is played again up to where it was, or a part of it waits. */
  readonly replaying: boolean;
  /** Later writes have taken effect before earlier ones: no marker tells how far the shard is. */
  readonly outOfOrder: boolean;
  readonly sink: SnapshotSink;
  readonly commands: CommandTaker;
  /** It understands SET with PXAT (6.2 and newer). */
  readonly setTakesExpiry: boolean;
  /** Keys that the source announced; a hint, or null. */
  readonly announcedKeys: number | null;
  /** Nothing more is taken for now. */
  readonly saturated: boolean;
  /** Everything taken has taken effect. */
  readonly idle: boolean;
  /** Everything before this position of the source has taken effect; Infinity when nothing is outstanding. */
  readonly settledPosition: number;
  readonly inFlightBytes: number;
  /** Expiries that were written held, later than they are (protocol/held-expiry.ts). */
  readonly held: number;
  /** Keys that `ignore` has kept on it, and the stream leaves alone. */
  readonly kept: number;
  /** Where snapshot keys are judged that are there already; null for a file, which begins empty. */
  readonly conflicts: ConflictDesk | null;
  /** Why nothing is taken, as part of a sentence, or null. */
  readonly waiting: string | null;
  /** @throws FerryError when the target can not be written to. */
  open(): Promise<void>;
  /** What comes from now on belongs to this part of the source. */
  setKind(kind: BatchKind): void;
  /** How the keys that the sink takes from now on are written. */
  setManner(manner: WriteManner): void;
  /** A key that the source does not have: it goes from the target too. */
  remove(database: number, bytes: Buffer, start: number, length: number): void;
  /** Sends what was taken, unless it is better to gather a little more; `now` allows no such thought. */
  flush(now: boolean): void;
  /** Up to where the stream has taken effect, for a later process; null where nothing is kept for one. */
  readonly checkpoint: ShardCheckpoint | null;
  /** Everything was taken and is settled: completes what needs it. @throws FerryError */
  finish(): Promise<void>;
  /** Lets go at once. */
  destroy(): void;
}

/** Where in the source's stream the shard is, and how to go back. Positions count bytes of this attempt, offsets the source's. */
export interface TargetPlaces {
  /** Everything before this position of the source has been taken. */
  readonly position: number;
  /** Offset at which the command that was read last ends. */
  readonly offset: number;
  /** Everything before this position has taken effect on all nodes. */
  readonly settledPosition: number;
  /** The earliest position that can be gone back to. */
  readonly historyStart: number;
  /** The history that the offsets belong to; null when the source has none (a file). */
  readonly history: SourceHistory | null;
  offsetAt(position: number): number;
  positionAt(offset: number): number;
  /** The stream is read again from this position on; false when that is not kept any more. */
  rewind(position: number): boolean;
  /** It takes again what it did not take for a while. */
  resumed(): void;
}

/** Who counts conflicts, and ends the run where one can not be decided. */
export interface ConflictListener extends Pick<DeskHost, 'settled' | 'panic'> {
  /** A key of the snapshot was on the target with the same value. */
  alreadyThere(): void;
  /** A command of the stream that goes to a key that was kept. */
  dropped(): void;
}

/** Whom a target reports to: the pipeline. */
export interface TargetHost extends TargetPlaces {
  /** Progress, and perhaps room. */
  answered(keys: number, streamCommands: number): void;
  /** A record of the snapshot was taken. */
  taken(): void;
  /** A write that will never take effect, with the reason. */
  refused(database: number, args: readonly Buffer[], reason: string): void;
  /** The reply to this command proves that the target's value was another: its keys are copied again. false: they can not be. */
  diverged(database: number, args: readonly Buffer[]): boolean;
  /** What becomes of snapshot keys that the target has already. */
  readonly conflicts: ConflictListener;
  /** Whether this process may still write: asked before anything is played again. */
  mayWrite(): Promise<boolean>;
  /** `ShardTarget.outOfOrder` holds from now on: to be kept for a later process at once. */
  outOfOrder(): void;
  notice(level: 'info' | 'warn', message: string): void;
  /** What waits for a person behind a second full sync. */
  leftOver(leftovers: Leftovers): void;
  /** Something that is said once for a shard. */
  once(level: 'info' | 'warn', message: string): void;
  /** It can not go on. */
  lost(error: FerryError): void;
}
