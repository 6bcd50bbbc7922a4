// What may be asked of the engine, and what it answers.
import type { Rate } from '../rate/rate-gate.ts';
import type { ConflictDecision, ConflictPolicy } from './conflict.ts';
import type { ConfirmationLevel } from './order.ts';

export type EngineCommand =
  | ValidationCommand
  | { readonly type: 'pause'; readonly shards: ShardSelection }
  | { readonly type: 'resume'; readonly shards: ShardSelection }
  /** For all: the whole run's rate, shared by its shards, null as configured. For some: a rate of their own, null for none. */
  | { readonly type: 'setRate'; readonly shards: ShardSelection; readonly rate: Rate | null }
  /** Copies these keys again from the source, in the order of the stream; answers when the target has them. */
  | { readonly type: 'repair'; readonly keys: readonly KeyName[] }
  /** For keys that are judged from now on; answers open questions. */
  | {
      readonly type: 'setConflictPolicy';
      readonly shards: ShardSelection;
      readonly policy: ConflictPolicy;
    }
  /** Answers the question with that number of one shard. */
  | {
      readonly type: 'decideConflict';
      readonly shard: number;
      readonly question: number;
      readonly decision: ConflictDecision;
    }
  /** Adds to notify-keyspace-events of these shards' sources what the scan reader needs, or puts back what it was. */
  | { readonly type: 'setKeyspaceEvents'; readonly shards: ShardSelection; readonly on: boolean }
  /** Scans these shards once more and takes from the target what their sources no longer have. */
  | { readonly type: 'rescan'; readonly shards: ShardSelection }
  /** Removes what the source has deleted and the target had before the run, where the source still does not have it. */
  | { readonly type: 'removeLeftovers'; readonly shards: ShardSelection }
  /** Tries again at once; a shard that has failed begins once more. */
  | { readonly type: 'retryShard'; readonly shard: number }
  /** Copies the shard anew from its beginning, whatever it does at present. */
  | { readonly type: 'restartShard'; readonly shard: number }
  /** Goes on without a shard that has failed or tries in vain. */
  | { readonly type: 'skipShard'; readonly shard: number }
  /** Ends the run as the last act of a migration, when every shard follows closely; else only with the target's name. */
  | { readonly type: 'finish' }
  /** Applies what was received, then ends the run. */
  | { readonly type: 'stop' };

export type ValidationCommand =
  /** Compares both sides; `size` is null for the configured sample. */
  | { readonly type: 'validate'; readonly size: ValidationSize | null }
  | { readonly type: 'steer-validation'; readonly act: 'pause' | 'resume' | 'cancel' }
  /** Keys a second; null for as fast as it goes. */
  | { readonly type: 'set-validation-rate'; readonly keysPerSecond: number | null }
  /** Writes what was found to files: JSON lines and a page. */
  | { readonly type: 'export-validation' }
  /**
   * Copies keys that were found to differ again and compares them once more; of kind `extra` deletes them. `keys` is null for
   * all of that kind.
   */
  | {
      readonly type: 'repair-differences';
      readonly kind: RepairKind;
      readonly keys: readonly KeyName[] | null;
    };

/** Sample of a comparison as `--sample` takes it (`30000`, `5%`, `0.01%@95`); `full` compares every key. */
export type ValidationSize = string;

/** Keys that both sides should have, or keys that only the target has. */
export type RepairKind = 'differing' | 'extra';

/** Which shards a command means: all, or these ids. */
export type ShardSelection = 'all' | readonly number[];

/** A key as it crosses processes: its bytes in base64. */
export interface KeyName {
  readonly database: number;
  readonly key: string;
}

/** What came of a command: one sentence for the person either way. */
export interface CommandOutcome {
  readonly accepted: boolean;
  readonly message: string;
  /** Refused because this confirmation was missing. */
  readonly needs?: ConfirmationLevel;
  readonly change?: Change;
  /** Of a repair. */
  readonly recopied?: RecopyCounts;
}

/** What a command changed, in words: the old and the new. */
export interface Change {
  readonly from: string;
  readonly to: string;
}

/** What became of keys that were copied again. */
export interface RecopyCounts {
  /** Written anew. */
  readonly rewritten: number;
  /** Not on the source: removed from the target. */
  readonly removed: number;
  /** Neither: too big, of no form that the target takes, or not this shard's. */
  readonly failed: number;
}
