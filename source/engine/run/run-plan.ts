// What is to be done, once source and target are known: one job for each source shard, with its share of the limits.
import type { NodeAddress } from '../../topology/endpoint.ts';
import type { SlotRange } from '../../topology/topology.ts';
import type { DatabaseNumbers } from '../../transforms/database-map.ts';
import type { ConflictPolicy } from '../contract/conflict.ts';
import type { EndpointKind } from '../contract/engine-snapshot.ts';
import type { ExpiryCare } from '../expiry/expiry-care.ts';
import type { KeyspaceSettings } from './keyspace-settings.ts';
import type { RunCheckpoints } from './run-checkpoints.ts';
import type { KeylessRules, ShardJob } from './shard-job.ts';

/** Limits for the whole run; bytes and milliseconds. */
export interface RunLimits {
  readonly memory: number;
  readonly spool: number;
  readonly spoolDirectory: string;
  readonly valueInMemory: number;
  readonly transaction: number;
  readonly inFlight: number;
  readonly history: number;
  readonly batch: number;
  readonly flushDelayMs: number;
  readonly snapshotsAtOnce: number;
  readonly threads: number;
}

/** One side of a run: what to show of it, and what its shards are made of. */
export interface SidePlan {
  readonly kind: Exclude<EndpointKind, 'unknown'>;
  /** `Redis 7.0.15`, `RDB 11`; null when not known. */
  readonly version: string | null;
  readonly masters: number;
}

export interface PlannedOrigin {
  readonly id: number;
  readonly origin: ShardJob['origin'];
  readonly slots: readonly SlotRange[];
}

/** How a shard begins. */
export type ShardStart = Pick<ShardJob, 'run' | 'attempt' | 'targetWasEmpty' | 'beforeFile' | 'resume' | 'keptFile'>;

export interface RunOrder {
  /** Of a source that is scanned. */
  readonly keyspace: KeyspaceSettings | null;
  readonly run: string;
  readonly source: SidePlan;
  readonly target: SidePlan;
  /** Those that are to be copied. */
  readonly origins: readonly PlannedOrigin[];
  /** Where the shard with this number goes. */
  readonly destinationOf: (id: number) => ShardJob['destination'];
  readonly conflictPolicy: ConflictPolicy;
  /** Somebody looks on who can be asked about conflicts. */
  readonly asksOnConflict: boolean;
  /** Nothing is on the target as the run begins. */
  readonly targetWasEmpty: boolean;
  /** Which keys it holds then; null when it is empty, and where that could not be noted. */
  readonly beforeFile: string | null;
  readonly keyless: KeylessRules;
  /** databases.map; left out for none. */
  readonly databases?: DatabaseNumbers;
  readonly limits: RunLimits;
  readonly snapshotOnly: boolean;
  /** null where the target is a file. */
  readonly expiries: ExpiryCare | null;
  /** How a shard begins that an earlier process has worked on; null for one like all. */
  readonly startOf: (id: number) => ShardStart | null;
  /** null where nothing is kept for a later process. */
  readonly checkpoints: RunCheckpoints | null;
  /** Removes files that are of no use behind the run. @param completed nobody goes on with it. */
  readonly cleanUp: (completed: boolean) => void;
}

export interface PlannedJob {
  readonly job: ShardJob;
  readonly slots: readonly SlotRange[];
}

export interface RunPlan {
  readonly source: SidePlan;
  readonly target: SidePlan;
  readonly jobs: readonly PlannedJob[];
  readonly threads: number;
  readonly snapshotsAtOnce: number;
  readonly expiries: ExpiryCare | null;
  readonly checkpoints: RunCheckpoints | null;
  readonly keyspace: KeyspaceSettings | null;
  readonly cleanUp: (completed: boolean) => void;
}

/** A queue below this would stop the link for every burst. */
const LEAST_QUEUE_BYTES = 2 * 1024 * 1024;
/** A window of unanswered writes below this would wait for the round trip instead of filling it. */
const LEAST_IN_FLIGHT_BYTES = 512 * 1024;

/** Splits the limits evenly over the shards at work. */
export function planRun(order: RunOrder): RunPlan {
  const { limits, origins, target, source } = order;
  const count = Math.max(1, origins.length);
  const share = (bytes: number, least: number): number => Math.max(least, Math.floor(bytes / count));
  const jobs = origins.map(
    ({ id, origin, slots }): PlannedJob => ({
      slots,
      job: {
        ...(order.startOf(id) ?? {
          run: order.run,
          attempt: 1,
          resume: null,
          targetWasEmpty: order.targetWasEmpty,
          beforeFile: order.beforeFile,
          keptFile: null,
        }),
        id,
        name: `shard-${id}`,
        origin,
        destination: order.destinationOf(id),
        conflictPolicy: order.conflictPolicy,
        asksOnConflict: order.asksOnConflict,
        keyless: order.keyless,
        databases: order.databases ?? {},
        snapshotOnly: order.snapshotOnly,
        limits: {
          queueMemory: share(limits.memory, LEAST_QUEUE_BYTES),
          queueDisk: share(limits.spool, 0),
          spoolDirectory: limits.spoolDirectory,
          valueInMemory: limits.valueInMemory,
          transaction: limits.transaction,
          inFlightPerNode: Math.max(LEAST_IN_FLIGHT_BYTES, Math.floor(limits.inFlight / (count * target.masters))),
          history: share(limits.history, 0),
          batch: limits.batch,
          flushDelayMs: limits.flushDelayMs,
        },
      },
    }),
  );
  return {
    source,
    target,
    jobs,
    threads: Math.min(limits.threads, count),
    snapshotsAtOnce: limits.snapshotsAtOnce,
    expiries: order.expiries,
    checkpoints: order.checkpoints,
    keyspace: order.keyspace,
    cleanUp: order.cleanUp,
  };
}

export interface JoinedNode {
  readonly address: NodeAddress;
  readonly nodeId: string;
}

/**
 * The job for a master that joined the source while the run goes on, with the limits of the others. It carries no slot at
 * first: its keys are copied as they change hands.
 */
export function jobOfJoined(records: readonly { readonly job: ShardJob }[], { address, nodeId }: JoinedNode): ShardJob {
  const [first] = records;
  if (first === undefined || first.job.origin.kind !== 'server')
    throw new RangeError('no shard is copied from a server');
  const id = Math.max(...records.map(({ job }) => job.id)) + 1;
  const { job } = first;
  const origin = {
    ...job.origin,
    kind: 'server',
    address,
    nodeId,
    replicaIds: [],
    slots: [],
    shards: records.length + 1,
  } as const;
  return {
    ...job,
    id,
    name: `shard-${id}`,
    attempt: 1,
    resume: null,
    keptFile: null,
    origin: { ...first.job.origin, ...origin },
  };
}
