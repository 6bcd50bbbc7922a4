// What is to be done, once source and target are known: one job for each source shard, with its share of the limits.
import type { Endpoint } from '../topology/endpoint.ts';
import type { SlotRange, Topology } from '../topology/topology.ts';
import type { ConflictPolicy } from './contract.ts';
import type { KeylessRules, ShardJob } from './shard-job.ts';

/** Limits for the whole run; bytes and milliseconds. */
export interface RunLimits {
  readonly memory: number;
  readonly spool: number;
  readonly spoolDirectory: string;
  readonly valueInMemory: number;
  readonly transaction: number;
  readonly inFlight: number;
  readonly batch: number;
  readonly flushDelayMs: number;
  readonly snapshotsAtOnce: number;
  readonly threads: number;
}

export interface RunOrder {
  readonly run: string;
  readonly source: Endpoint;
  readonly sourceTopology: Topology;
  readonly target: Endpoint;
  readonly targetTopology: Topology;
  readonly targetCommands: unknown;
  readonly conflictPolicy: ConflictPolicy;
  readonly keyless: KeylessRules;
  readonly limits: RunLimits;
  readonly snapshotOnly: boolean;
  /** Only these source shards; null for all. */
  readonly shards: readonly number[] | null;
}

export interface PlannedJob {
  readonly job: ShardJob;
  readonly slots: readonly SlotRange[];
}

export interface RunPlan {
  readonly source: Topology;
  readonly target: Topology;
  readonly jobs: readonly PlannedJob[];
  readonly threads: number;
  readonly snapshotsAtOnce: number;
}

/** A queue below this would stop the link for every burst. */
const LEAST_QUEUE_BYTES = 2 * 1024 * 1024;
/** A window of unanswered writes below this would wait for the round trip instead of filling it. */
const LEAST_IN_FLIGHT_BYTES = 512 * 1024;

/** Splits the limits evenly over the shards at work. */
export function planRun(order: RunOrder): RunPlan {
  const { limits, sourceTopology, targetTopology } = order;
  const chosen = sourceTopology.shards.filter((shard) => order.shards === null || order.shards.includes(shard.id));
  const share = (bytes: number, least: number): number =>
    Math.max(least, Math.floor(bytes / Math.max(1, chosen.length)));
  const jobs = chosen.map(
    (shard): PlannedJob => ({
      slots: shard.slots,
      job: {
        run: order.run,
        id: shard.id,
        name: `shard-${shard.id}`,
        address: shard.address,
        source: order.source,
        sourceVersion: sourceTopology.version,
        sourceShards: sourceTopology.shards.length,
        target: order.target,
        targetTopology,
        targetCommands: order.targetCommands,
        conflictPolicy: order.conflictPolicy,
        keyless: order.keyless,
        snapshotOnly: order.snapshotOnly,
        limits: {
          queueMemory: share(limits.memory, LEAST_QUEUE_BYTES),
          queueDisk: share(limits.spool, 0),
          spoolDirectory: limits.spoolDirectory,
          valueInMemory: limits.valueInMemory,
          transaction: limits.transaction,
          inFlightPerNode: Math.max(
            LEAST_IN_FLIGHT_BYTES,
            Math.floor(limits.inFlight / (chosen.length * targetTopology.shards.length)),
          ),
          batch: limits.batch,
          flushDelayMs: limits.flushDelayMs,
        },
      },
    }),
  );
  return {
    source: sourceTopology,
    target: targetTopology,
    jobs,
    threads: Math.min(limits.threads, Math.max(1, chosen.length)),
    snapshotsAtOnce: limits.snapshotsAtOnce,
  };
}
