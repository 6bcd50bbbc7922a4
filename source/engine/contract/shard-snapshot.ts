// The picture of one shard at one moment: its state, how far it has come, what holds it back, what is wrong with it.
import type { Rate } from '../rate/rate-gate.ts';
import type { ConflictCounts, ConflictPolicy, ConflictStanding } from './conflict.ts';

/** The life of a shard; `paused` and `throttled` are flags beside it (design, section 3). */
export const SHARD_STATES = [
  'connecting',
  'handshake',
  'waiting-snapshot',
  'full-sync',
  'catching-up',
  'streaming',
  'draining',
  'done',
  'retrying',
  'failed',
] as const;
export type ShardState = (typeof SHARD_STATES)[number];

export interface ShardSnapshot {
  /** Stable number of the shard within the run, ordered by lowest slot. */
  readonly id: number;
  /** `shard-0` and so on. */
  readonly name: string;
  /** The source node, host:port, or the source file. */
  readonly address: string;
  readonly state: ShardState;
  /** Unix ms at which the state was entered. */
  readonly stateSinceMs: number;
  /** Why nothing moves, as one sentence, or null. */
  readonly waitingFor: string | null;
  readonly paused: boolean;
  /** What slows the shard down at this moment, each reason that does; null when nothing does. */
  readonly throttled: string | null;
  /** While it is held back, or its queue stands on disk: how long that can last; null otherwise. */
  readonly budget: PauseBudget | null;
  /** The rate that was given to this shard alone. */
  readonly rate: Rate;
  readonly conflictPolicy: ConflictPolicy;
  /** Snapshot keys written, of those the source announced. */
  readonly keys: Progress;
  /** Snapshot bytes applied, of those announced. */
  readonly bytes: Progress;
  /** Seconds until the snapshot is applied, in the stream until nothing waits; null below 1 % or without a stable rate. */
  readonly etaSeconds: number | null;
  readonly replid: string | null;
  /** Replication offsets: last byte received, last byte whose effect the target confirmed. */
  readonly offset: { readonly received: number | null; readonly applied: number | null };
  /** The source's own offset minus the applied one; null before the stream begins. */
  readonly lagBytes: number | null;
  /** How old the oldest unapplied write is, seconds; null before the stream begins. */
  readonly lagSeconds: number | null;
  /** Snapshot keys and stream commands written to the target in the last second. */
  readonly opsPerSecond: number;
  /** Bytes received from the source in the last second. */
  readonly bytesPerSecond: number;
  /** Bytes of the source that went on to the target in the last second. */
  readonly movedPerSecond: number;
  /** Stream commands applied since the start. */
  readonly commands: number;
  readonly conflicts: ConflictCounts;
  /** What the shard asks the person about its conflicts, and what it has put aside. */
  readonly conflictStanding: ConflictStanding;
  /** Writes the target refused for good. */
  readonly errors: number;
  /** Keys that the target's replies have shown to differ from the source's; they were copied again. */
  readonly diverged: number;
  /**
   * Keys that the target held before the run with the source's value, and that the source has deleted before the last full
   * sync: they are removed when a person says so.
   */
  readonly leftovers: number;
  /** Bytes waiting between source and target: in memory and on disk together. */
  readonly queued: number;
  /** The part of `queued` that stands on disk. */
  readonly spoolBytes: number;
  /** Bytes sent to the target and not yet answered. */
  readonly inFlightBytes: number;
  /** Expiries that were written held, later than they are, so that the target expires nothing by itself; settled at the end. */
  readonly held: number;
  /** notify-keyspace-events of the source as it is ('' = off); null while unknown or not readable. */
  readonly keyspaceEvents: string | null;
  /** Of a scanned source; null of one that is followed by replication. */
  readonly changes: ShardChanges | null;
  /** Target nodes this shard writes to, host:port, or its file. */
  readonly targets: readonly string[];
  /** Lowest and highest slot the source shard owns, `0-5460,9000`; null for a standalone. */
  readonly slots: string | null;
  /** Slots on their way to this shard from another of the source: their commands wait until they are copied. */
  readonly slotsArriving: number;
  /** `disk` or `diskless` once the source has said so. */
  readonly snapshotKind: 'disk' | 'diskless' | null;
  /** The last thing that went wrong, and what to do; null when nothing did. */
  readonly lastError: string | null;
  readonly history: ShardHistory;
  /** What the last comparison of both sides said of it; null when there was none. */
  readonly verified: ShardVerified | null;
}

export interface Progress {
  readonly done: number;
  /** null while it is not known (a diskless snapshot has no announced size). */
  readonly total: number | null;
}

/** One sample a second, oldest first. */
export interface ShardHistory {
  readonly opsPerSecond: readonly number[];
  readonly lagBytes: readonly number[];
}

/** How long a shard can be held back at the present write rate, seconds; null: for ever, or not known. */
export interface PauseBudget {
  /** Its queue is full: the source holds what is written. */
  readonly isFull: boolean;
  readonly secondsToFull: number | null;
  /** Until the source closes the link for its output buffer's sake. */
  readonly secondsToFullSync: number | null;
}

/** How the changes of a scanned source reach the run. */
export interface ShardChanges {
  /** null: they do not, at present. */
  readonly followedBy: 'keyevent' | 'keyspace' | 'tracking' | null;
  /** notify-keyspace-events as the reader has seen it; null where it may not be read. */
  readonly flags: string | null;
  /** The same with what is missing added to it. */
  readonly needed: string | null;
  /** What is wrong with that, or worth knowing; null when nothing is. */
  readonly verdict: string | null;
  /** Keys that have changed and are not fetched yet. */
  readonly waiting: number;
  /** How long the oldest of them waits. */
  readonly oldestSeconds: number;
}

export interface ShardVerified {
  /** Unix ms. */
  readonly atMs: number;
  /** Keys of the shard that were compared. */
  readonly checked: number;
  /** Of them, those that differ, without what was repaired since. */
  readonly different: number;
  /** At most this share of the shard's keys differs, 0 to 1; null when nothing was drawn from it. */
  readonly fraction: number | null;
  /** Too old to be relied upon, or the shard has begun anew since. */
  readonly stale: boolean;
}
