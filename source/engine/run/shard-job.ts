// What the main thread and the worker threads say to each other about a shard. Plain data: it is cloned on the way.
import type { SourceHistory } from '../../checkpoint/marker.ts';
import type { KnownNode } from '../../checkpoint/shard-state.ts';
import type { FileFormat } from '../../config/address.ts';
import { type Endpoint, formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import type { ServerVersion, SlotRange, Topology } from '../../topology/topology.ts';
import type { DatabaseNumbers } from '../../transforms/database-map.ts';
import type { RecopyCounts } from '../contract/command.ts';
import type {
  ConflictCounts,
  ConflictDecision,
  ConflictPolicy,
  ConflictStanding,
  ToldConflict,
} from '../contract/conflict.ts';
import type { NoticeLevel } from '../contract/notice.ts';
import type { Refusal } from '../contract/result.ts';
import type { ShardChanges, ShardState } from '../contract/shard-snapshot.ts';
import type { Rate } from '../rate/rate-gate.ts';

/** What to do with a command that has no key: send it on, drop and count it, or record it as refused. */
export type KeylessRule = 'forward' | 'ignore' | 'refuse';

export interface KeylessRules {
  readonly flush: KeylessRule;
  readonly swapdb: KeylessRule;
  readonly publish: KeylessRule;
  readonly script: KeylessRule;
  readonly function: KeylessRule;
}

/** The share of the run's limits that one shard may use; bytes and milliseconds. */
export interface ShardLimits {
  readonly queueMemory: number;
  readonly queueDisk: number;
  readonly spoolDirectory: string;
  readonly valueInMemory: number;
  readonly transaction: number;
  readonly inFlightPerNode: number;
  readonly history: number;
  readonly batch: number;
  readonly flushDelayMs: number;
}

/** How a source is read by SCAN, where replication is closed. */
export interface ScanOrder {
  /** Connections that fetch values. */
  readonly connections: number;
  /** Glob for keys, and a type; null for all. */
  readonly match: string | null;
  readonly type: string | null;
  /** Only these databases; null for all. */
  readonly databases: readonly number[] | null;
  readonly keysPerSecond: number | null;
  /** Values of more bytes in the source's memory are read by elements. */
  readonly bigValue: number;
  /** ask: changes are followed where the source tells of them, and a person may make it; set: it is made to; none: one scan. */
  readonly changes: 'ask' | 'set' | 'none';
  /** An earlier process has written to the target: what the source no longer has is looked for there. */
  readonly sweeps: boolean;
}

/** A server that is followed by replication, or scanned. */
export interface ServerOrigin {
  readonly kind: 'server';
  readonly address: NodeAddress;
  readonly endpoint: Endpoint;
  readonly version: ServerVersion;
  /** The cluster's node id of the master; null outside of a cluster. */
  readonly nodeId: string | null;
  /** Node ids of the master's replicas when the run began; empty outside of a cluster. */
  readonly replicaIds: readonly string[];
  /** Of a cluster's shard, where a new one may have none yet; empty for a standalone. */
  readonly slots: readonly SlotRange[];
  /** More than one source shard: a keyless command of one is not the whole source's. */
  readonly shards: number;
  /** null: it is followed by replication. */
  readonly scan: ScanOrder | null;
}

/** Files that make one stream: an RDB, an AOF with all its parts, or JSON lines. */
export interface FileOrigin {
  readonly kind: 'file';
  readonly format: FileFormat;
  /** What to call it: the path as it was named. */
  readonly name: string;
  /** Read in this order; `-` is standard input. */
  readonly files: readonly string[];
  /** Sizes together; null when they are not known. */
  readonly totalBytes: number | null;
  /** Of an AOF with timestamps: where to stop, unix ms; null for its end. */
  readonly untilMs: number | null;
}

export interface ServerDestination {
  readonly kind: 'server';
  readonly endpoint: Endpoint;
  readonly topology: Topology;
  /** COMMAND of the target, for commands that the built-in table does not know; null when it could not be read. */
  readonly commands: unknown;
  /** Its nodes are in import-mode: they remove no key by themselves, and our connections say that an import comes over them. */
  readonly importMode: boolean;
  /** Markers on the target make every command of the stream take effect once, whatever breaks. */
  readonly exactlyOnce: boolean;
}

export interface FileDestination {
  readonly kind: 'file';
  readonly format: FileFormat;
  readonly path: string;
  /** Replaces a file of that name. */
  readonly overwrite: boolean;
  /** RDB version of the file; null for the source's. */
  readonly rdbVersion: number | null;
}

/** Where an earlier process had come with the shard's stream. */
export interface ShardResume {
  readonly replid: string;
  /** What follows this byte is asked for. */
  readonly offset: number;
  /** The source's database in force behind it. */
  readonly db: number;
  /** For each slot: writes that end at or before this offset have taken effect. null: all that end behind `offset` have not. */
  readonly skipUntil: Float64Array | null;
  /** Markers of nodes that are there already, and the slots they stand in. */
  readonly nodeMarkers: readonly { readonly nodeId: string; readonly slot: number }[];
  /** Of a standalone: the databases that hold a marker. */
  readonly databases: readonly number[];
  /** No markers stand on the target: they are set where the stream goes on. */
  readonly unmarked: boolean;
  /** Keys of its snapshot that were written. */
  readonly keys: number;
}

/** Up to where a shard's stream has taken effect, with what is needed to go on from there. */
export interface ShardCheckpoint {
  readonly history: SourceHistory;
  readonly offset: number;
  readonly db: number;
  readonly nodes: readonly KnownNode[];
  /** The slots that the shard carries; null for a standalone source. */
  readonly slots: readonly SlotRange[] | null;
  /** Keys that the conflict policy has kept from the stream. */
  readonly kept: number;
}

export interface ShardJob {
  readonly run: string;
  readonly id: number;
  readonly name: string;
  /** 1, and more after something broke that only another full sync mends. */
  readonly attempt: number;
  /** Goes on with the stream instead of beginning with a snapshot; null for a new shard. */
  readonly resume: ShardResume | null;
  /** Where the keys are remembered that the conflict policy keeps from the stream; null: for this process only. */
  readonly keptFile: string | null;
  readonly origin: ServerOrigin | FileOrigin;
  readonly destination: ServerDestination | FileDestination;
  readonly conflictPolicy: ConflictPolicy;
  /** Somebody looks on who can be asked: panic halts at the key instead of ending the run. */
  readonly asksOnConflict: boolean;
  /** Nothing was on the target when the run began: what is there now is this run's. */
  readonly targetWasEmpty: boolean;
  /** Which keys it held then (keys-before.ts); null when it was empty, and where that is not known. */
  readonly beforeFile: string | null;
  readonly keyless: KeylessRules;
  /** databases.map */
  readonly databases: DatabaseNumbers;
  readonly limits: ShardLimits;
  readonly snapshotOnly: boolean;
}

/** The source in words: host:port, or the file. */
export function originName(origin: ShardJob['origin']): string {
  return origin.kind === 'server' ? formatAddress(origin.address) : origin.name;
}

/** The target's nodes, host:port, or its file. */
export function destinationNames(destination: ShardJob['destination']): readonly string[] {
  return destination.kind === 'server'
    ? destination.topology.shards.map((shard) => formatAddress(shard.address))
    : [destination.path];
}

/** What a pipeline tells of itself several times a second. */
export interface ShardSample {
  readonly state: ShardState;
  readonly stateSinceMs: number;
  readonly waitingFor: string | null;
  readonly paused: boolean;
  /** Its rate has held it back in the last second. */
  readonly slowed: boolean;
  /** Of the source's bytes and operations, those that went on to the target. */
  readonly movedBytes: number;
  readonly movedOperations: number;
  readonly keysDone: number;
  readonly keysTotal: number | null;
  readonly snapshotBytesDone: number;
  readonly snapshotBytesTotal: number | null;
  readonly snapshotKind: 'disk' | 'diskless' | null;
  readonly replid: string | null;
  readonly receivedOffset: number | null;
  readonly appliedOffset: number | null;
  /** Age of the oldest received and unapplied byte of the stream. */
  readonly lagSeconds: number | null;
  readonly bytesReceived: number;
  readonly commands: number;
  readonly conflicts: ConflictCounts;
  readonly conflictStanding: ConflictStanding;
  readonly refused: number;
  readonly diverged: number;
  readonly queued: number;
  readonly spoolBytes: number;
  readonly inFlightBytes: number;
  readonly held: number;
  /** Of a scanned source. */
  readonly changes: ShardChanges | null;
  readonly lastError: string | null;
  /** Keys are being copied again and commands on them passed over, or commands go again: nothing to go on from. */
  readonly recopying: boolean;
  /** Counts up with each full sync of the shard. */
  readonly attempt: number;
  /** null before the stream, and where nothing is kept for a resume. */
  readonly checkpoint: ShardCheckpoint | null;
}

/** How a shard came to its end. */
export interface ShardEnd {
  readonly reason: 'snapshot-done' | 'drained' | 'left' | 'interrupted' | 'failed' | 'conflict';
  readonly message: string | null;
}

/** Keys of a target that wait for a person, of a database of the source each; see gone-keys.ts. */
export interface Leftovers {
  readonly count: number;
  /** As many of them as are remembered. */
  readonly keys: readonly SentKey[];
}

/** A key on its way to a thread, where it arrives as plain bytes. */
export interface SentKey {
  readonly database: number;
  readonly key: Uint8Array;
}

export type ToWorker =
  | { readonly type: 'start'; readonly job: ShardJob }
  | { readonly type: 'pause' | 'resume'; readonly shard: number }
  /** `drain`: receive no more, apply what was received; `abort`: leave at once. */
  | { readonly type: 'drain' | 'abort'; readonly shard: number }
  /** `restart`: copy the shard anew; `retry-now`: wait no longer for the next attempt. */
  | { readonly type: 'restart' | 'retry-now'; readonly shard: number }
  /** Its node is no master of the source any more. */
  | { readonly type: 'leave'; readonly shard: number }
  /** The source's own replication offset, told about once a second. */
  | { readonly type: 'source-at'; readonly shard: number; readonly offset: number }
  | { readonly type: 'conflict-policy'; readonly shard: number; readonly policy: ConflictPolicy }
  | {
      readonly type: 'conflict-decision';
      readonly shard: number;
      readonly question: number;
      readonly decision: ConflictDecision;
    }
  | { readonly type: 'rate'; readonly shard: number; readonly rate: Rate }
  /** The source's notify-keyspace-events was changed. / The shard is to be scanned once more. */
  | { readonly type: 'lookAtChanges' | 'rescan'; readonly shard: number }
  /** Of a scanned shard: that node has its slots now. */
  | { readonly type: 'source-moved'; readonly shard: number; readonly address: NodeAddress }
  /** The shard may ask its source for a snapshot now. */
  | { readonly type: 'permit'; readonly shard: number }
  /** Copy these keys again; `recopied` answers with the same number. */
  | { readonly type: 'recopy'; readonly shard: number; readonly request: number; readonly keys: readonly SentKey[] }
  /** Another shard carries these slots from now on. */
  | { readonly type: 'lose-slots'; readonly shard: number; readonly slots: readonly number[] }
  /** This shard carries these slots from now on; `slots-taken` answers. */
  | { readonly type: 'take-slots'; readonly shard: number; readonly slots: readonly number[]; readonly sweep: boolean }
  /** Answers `lease-wanted`. */
  | { readonly type: 'lease'; readonly shard: number; readonly held: boolean }
  /** All shards have ended: the thread may. */
  | { readonly type: 'end' };

export type FromWorker =
  | { readonly type: 'sample'; readonly shard: number; readonly sample: ShardSample }
  | { readonly type: 'notice'; readonly shard: number; readonly level: NoticeLevel; readonly message: string }
  | { readonly type: 'refusals'; readonly shard: number; readonly refusals: readonly Refusal[] }
  | { readonly type: 'conflicts'; readonly shard: number; readonly conflicts: readonly ToldConflict[] }
  /** Behind each full sync but the first. */
  | { readonly type: 'left-over'; readonly shard: number; readonly leftovers: Leftovers }
  /** Another node is the shard's source now. */
  | { readonly type: 'moved'; readonly shard: number; readonly address: NodeAddress }
  /** null: the shard can not copy keys again at present. */
  | {
      readonly type: 'recopied';
      readonly shard: number;
      readonly request: number;
      readonly counts: RecopyCounts | null;
    }
  /** done: their keys are on the target as the source has them. */
  | { readonly type: 'slots-taken'; readonly shard: number; readonly slots: readonly number[]; readonly done: boolean }
  | { readonly type: 'permit-wanted' | 'permit-returned'; readonly shard: number }
  /** Before anything is played again: is this still the process that may write? */
  | { readonly type: 'lease-wanted'; readonly shard: number }
  | { readonly type: 'ended'; readonly shard: number; readonly end: ShardEnd };
