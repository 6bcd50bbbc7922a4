// Makes the connections of one shard to all nodes of the target; they are opened by the pipeline.
import { BufferPool } from '../writers/batch.ts';
import { NodeWriter, type WriterOwner } from '../writers/node-writer.ts';
import { TargetNodes } from '../writers/target-nodes.ts';
import type { ShardJob } from './shard-job.ts';

/** One writer for each master of the target, named `redferry:<run>:<shard>:<node>` there. */
export function makeTargetNodes(job: ShardJob, owner: WriterOwner): TargetNodes {
  const pool = new BufferPool(job.limits.batch);
  const { tls, credentials, connectTimeoutMs } = job.target;
  const writers = job.targetTopology.shards.map(
    ({ address, id }) =>
      new NodeWriter(
        {
          address,
          tls,
          credentials,
          connectTimeoutMs,
          clientName: `redferry:${job.run}:${job.name}:${id}`,
          inFlightBytes: job.limits.inFlightPerNode,
          flushDelayMs: job.limits.flushDelayMs,
        },
        owner,
        pool,
      ),
  );
  return new TargetNodes(job.targetTopology, writers);
}
