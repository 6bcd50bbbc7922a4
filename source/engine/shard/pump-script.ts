// What a pump does with the bytes of its source, step by step: which parser is at work, what follows it.
import type { ByteSource, ByteWindow } from '../../readers/byte-window.ts';
import type { Barrier } from './barrier.ts';
import type { ShardTarget } from './shard-target.ts';

/** What a script works with; all of it belongs to the pipeline. */
export interface ScriptParts {
  readonly bytes: ByteSource & { readonly size: number };
  readonly window: ByteWindow;
  readonly target: ShardTarget;
  readonly barrier: Barrier;
  /** Largest value or command held, bytes. */
  readonly valueBytes: number;
  /** Bytes of the stream that are kept to be played again, beside those that are needed. */
  readonly historyBytes: number;
  /** Everything before the window's start was handed to the target or needs nothing. */
  readonly handedOver: () => void;
  /** Everything before this position has taken effect. */
  settledPosition(): number;
  /** A key of redferry itself, or a command that writes to one, was left out. */
  readonly leftOut: () => void;
}

export interface PumpScript {
  /** Reads on; false when nothing more can be done now. @throws for bytes that can not be read. */
  step(): boolean;
  /** Everything read must have taken effect before the next step; `settled` is called then. */
  readonly settling: boolean;
  settled(): void;
  /** The snapshot has taken effect; what is read now are commands. */
  readonly inStream: boolean;
  /** Nothing more comes, whatever the source still holds. */
  readonly finished: boolean;
  /** Position at which the commands begin; 0 before it is known. */
  readonly streamPosition: number;
  /** Bytes that were received and not yet read. */
  readonly unread: number;
  /** What went on to the target so far, where it does not come through the window. */
  readonly moved?: { readonly bytes: number; readonly operations: number };
  /** The earliest position of the stream that can be gone back to. */
  readonly historyStart: number;
  /** What is read next is the command that begins at this position of the stream. */
  rewind(position: number): void;
}
