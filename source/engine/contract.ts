// The engine's contract with any screen: what a picture of the run holds, what may be asked, what is answered.
// Plain readonly data only, so that it crosses worker and process borders as it is. Nothing here touches a socket.
import type { ConflictCounts, ConflictDecision, ConflictRecord, ConflictStanding } from './conflict-contract.ts';
import type { Rate } from './rate-gate.ts';

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

/** How a source is read. */
export const READERS = ['sync', 'scan'] as const;
export type Reader = (typeof READERS)[number];

/** What happens to a snapshot key that already exists on the target. */
export const CONFLICT_POLICIES = ['panic', 'rewrite', 'ignore'] as const;
export type ConflictPolicy = (typeof CONFLICT_POLICIES)[number];

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

/** How long a shard can be held back at the present write rate, seconds; null: for ever, or not known. */
export interface PauseBudget {
  /** Its queue is full: the source holds what is written. */
  readonly isFull: boolean;
  readonly secondsToFull: number | null;
  /** Until the source closes the link for its output buffer's sake. */
  readonly secondsToFullSync: number | null;
}

/** How fast the whole run may go. */
export interface RatePicture {
  readonly limit: Rate;
  readonly origin: 'configured' | 'schedule' | 'person';
  /** What of the target slows the run down by itself, and how far; null when nothing does. */
  readonly automatic: string | null;
}

export type NoticeLevel = 'info' | 'warn' | 'error';

export interface Notice {
  /** Grows by one with each notice of a run; a screen remembers the last it has seen. */
  readonly id: number;
  /** Unix ms. */
  readonly timeMs: number;
  readonly level: NoticeLevel;
  /** Name of the shard, or null for the whole run. */
  readonly shard: string | null;
  /** One sentence or two. A key is named by `keyInWords` in it, so that the log can hide it (log.keys). */
  readonly message: string;
}

export type EndpointKind = 'standalone' | 'cluster' | 'sentinel' | 'file' | 'unknown';

export interface EndpointSnapshot {
  /** As the person gave it, without credentials. */
  readonly address: string;
  readonly kind: EndpointKind;
  /** `Redis 7.0.15`, `Valkey 8.1.1`, of a file `RDB 11`; null before it was asked, or where nothing says it. */
  readonly version: string | null;
  /** Of files: how many. */
  readonly masters: number;
}

export type RunPhase = 'starting' | 'running' | 'draining' | 'ended';

export interface EngineSnapshot {
  readonly run: string;
  readonly phase: RunPhase;
  readonly startedAtMs: number;
  /** Unix ms at which this picture was taken: a screen shows its age when the engine is silent. */
  readonly takenAtMs: number;
  readonly source: EndpointSnapshot;
  readonly target: EndpointSnapshot;
  readonly shards: readonly ShardSnapshot[];
  readonly memory: { readonly rss: number };
  readonly rate: RatePicture;
  /** The comparison under way, or the last one; null when none was asked for. */
  readonly validation: ValidationPicture | null;
  /** Newest last, at most NOTICES_KEPT. */
  readonly notices: readonly Notice[];
  /** Conflicts and what became of them, newest last, at most CONFLICTS_KEPT; all are in the run's file of conflicts. */
  readonly conflicts: readonly ConflictRecord[];
  /** Newest last, at most AUDIT_KEPT. */
  readonly audit: readonly AuditEntry[];
  readonly result: EngineResult | null;
}

/** How many conflicts a snapshot carries. */
export const CONFLICTS_KEPT = 200;

/** How many notices a snapshot carries; older ones are in the log file. */
export const NOTICES_KEPT = 500;

/** Which shards a command means: all, or these ids. */
export type ShardSelection = 'all' | readonly number[];

/** A key as it crosses processes: its bytes in base64. */
export interface KeyName {
  readonly database: number;
  readonly key: string;
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

/** Sample of a comparison as `--sample` takes it (`30000`, `5%`, `0.01%@95`); `full` compares every key. */
export type ValidationSize = string;

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

/** Keys that both sides should have, or keys that only the target has. */
export type RepairKind = 'differing' | 'extra';

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

/** How far a command has to be confirmed. `yes`: its effect was read; `target`: the target's name was typed. */
export type ConfirmationLevel = 'none' | 'yes' | 'target';

/** What was answered to the question before a command; `self`: nobody asks, the process does it by itself. */
export type Confirmation = 'no' | 'yes' | 'self' | { readonly target: string };

/** Who asks for a command, and how it was confirmed. */
export interface Order {
  /** `screen (process 4711, alice)`, `ctl (process 4712, alice) #3`, `SIGTERM`. */
  readonly client: string;
  readonly confirmed: Confirmation;
}

/** What a command changed, in words: the old and the new. */
export interface Change {
  readonly from: string;
  readonly to: string;
}

/** One command in the audit log. */
export interface AuditEntry {
  /** Grows by one with each entry of a run. */
  readonly id: number;
  /** Unix ms. */
  readonly timeMs: number;
  readonly client: string;
  readonly command:
    | Exclude<EngineCommand, { readonly type: 'repair' | 'repair-differences' }>
    | { readonly type: 'repair'; readonly keys: number }
    | { readonly type: 'repair-differences'; readonly kind: RepairKind; readonly keys: number | null };
  readonly confirmed: Exclude<Confirmation, 'self'>;
  readonly accepted: boolean;
  readonly message: string;
  readonly change: Change | null;
}

/** How many entries a snapshot carries; all are in the audit file. */
export const AUDIT_KEPT = 200;

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

export type Outcome = 'completed' | 'failed' | 'conflict' | 'interrupted' | 'refused';

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

export type ValidationState = 'running' | 'paused' | 'done' | 'cancelled' | 'failed';

/** A comparison of both sides as a screen shows it. */
export interface ValidationPicture {
  readonly state: ValidationState;
  readonly size: ValidationSize;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  /** Keys looked at, of both sides, and those that are to be. */
  readonly done: number;
  readonly total: number;
  readonly keysPerSecond: number | null;
  readonly etaSeconds: number | null;
  /** What it is held to; null for as fast as it goes. */
  readonly mostKeysPerSecond: number | null;
  /** Keys that are looked at again. */
  readonly suspects: number;
  readonly different: number;
  /** The verdict, or why there is none, as one sentence; null while it is under way. */
  readonly verdict: string | null;
  readonly outcome: 'equal' | 'different' | null;
  readonly shards: readonly ValidatedShard[];
  readonly types: readonly ValidatedType[];
  readonly notes: readonly string[];
  /** The first DIFFERENCES_SHOWN of them. */
  readonly differences: readonly DifferencePicture[];
}

export interface ValidatedShard {
  readonly side: 'source' | 'target';
  readonly address: string;
  readonly keys: number;
  readonly looked: number;
  readonly different: number;
  /** At most this share differs, 0 to 1; null where nothing was drawn. */
  readonly fraction: number | null;
}

export interface ValidatedType {
  readonly type: string;
  readonly checked: number;
  readonly different: number;
  readonly fraction: number;
}

export interface DifferencePicture {
  readonly database: number;
  /** Its bytes in base64. */
  readonly key: string;
  readonly type: string;
  readonly aspects: readonly string[];
  /** What differs, in words. */
  readonly detail: string;
  /** What each side has that the other has not. */
  readonly diff: readonly DiffLine[];
  /** null when nobody has asked for it. */
  readonly repair: RepairState | null;
}

export type RepairState = 'under-way' | 'repaired' | 'failed';

export interface DiffLine {
  readonly side: 'source' | 'target';
  readonly text: string;
}

/** How many differences a picture carries; an export has more. */
export const DIFFERENCES_SHOWN = 100;

/** How many refusals the result carries in memory. */
export const REFUSALS_KEPT = 100;

/** The three methods on which every screen lives, and the end of the run. */
export interface Engine {
  snapshot(): EngineSnapshot;
  /** Calls `listener` at each new picture (at most 10 a second); the returned function ends that. */
  subscribe(listener: () => void): () => void;
  /** @param order left out: the process asks by itself, and needs no confirmation. */
  dispatch(command: EngineCommand, order?: Order): Promise<CommandOutcome>;
  /** Settles when the run has ended; never rejects: a failure is an outcome. */
  readonly ended: Promise<EngineResult>;
}
