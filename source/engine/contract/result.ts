// How the run has ended.
import type { ConflictCounts } from './conflict.ts';
import type { ShardState } from './shard-snapshot.ts';

export type Outcome = 'completed' | 'failed' | 'conflict' | 'interrupted' | 'refused';

export interface EngineResult {
  readonly outcome: Outcome;
  readonly exitCode: number;
  readonly seconds: number;
  readonly keys: number;
  readonly commands: number;
  readonly bytes: number;
  readonly conflicts: ConflictCounts;
  readonly refused: number;
  /** The first REFUSALS_KEPT of them; all are in the log file. */
  readonly refusals: readonly Refusal[];
  readonly shards: readonly ShardResult[];
  /** Why the run did not complete, and what to do; null when it did. */
  readonly message: string | null;
}

export interface ShardResult {
  readonly name: string;
  readonly address: string;
  readonly state: ShardState;
  readonly keys: number;
  readonly commands: number;
  readonly refused: number;
  readonly offset: { readonly received: number | null; readonly applied: number | null };
  readonly error: string | null;
}

/** One write the target refused for good, or that could not be sent to it. */
export interface Refusal {
  readonly shard: string;
  readonly database: number;
  /** Printable form of the key; binary bytes as \xNN. Null for a command without keys. */
  readonly key: string | null;
  readonly command: string;
  /** The target's reply, or redferry's own reason. */
  readonly reason: string;
}

/** How many refusals the result carries in memory. */
export const REFUSALS_KEPT = 100;
