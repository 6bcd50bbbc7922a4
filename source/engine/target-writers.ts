// Makes the connections of one shard to all nodes of the target; they are opened by the pipeline.
import { BufferPool } from '../writers/batch.ts';
import { NodeWriter, type WriterOwner } from '../writers/node-writer.ts';
import { TargetNodes } from '../writers/target-nodes.ts';
import type { ServerDestination, ShardJob } from './shard-job.ts';

/** One writer for each master of the target, named `redferry:<run>:<shard>:<node>` there. */
export function makeTargetNodes(job: ShardJob, destination: ServerDestination, owner: WriterOwner): TargetNodes {
  const pool = new BufferPool(job.limits.batch);
  const { tls, credentials, connectTimeoutMs } = destination.endpoint;
  const writers = destination.topology.shards.map(
    ({ address, id }) =>
      new NodeWriter(
        {
          address,
          tls,
          credentials,
          connectTimeoutMs,
          clientName: `redferry:${job.run}:${job.name}:${id}`,
          fence: job.attempt > 1,
          inFlightBytes: job.limits.inFlightPerNode,
          flushDelayMs: job.limits.flushDelayMs,
        },
        owner,
        pool,
      ),
  );
  return new TargetNodes(destination.topology, writers);
}
