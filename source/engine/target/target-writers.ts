// Makes the connections of one shard to all nodes of the target; they are opened by the pipeline.
import { formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import type { BufferPool } from '../../writers/batch.ts';
import { NodeWriter } from '../../writers/node-writer.ts';
import { TargetNodes } from '../../writers/target-nodes.ts';
import type { WriterOwner } from '../../writers/writer-owner.ts';
import type { ServerDestination, ShardJob } from '../run/shard-job.ts';

/** A node to write to. */
export interface WriterPlace {
  readonly address: NodeAddress;
  /** Of a cluster. */
  readonly nodeId: string | null;
  /** What older connections of the same name have left there is ended first. */
  readonly fence: boolean;
}

/** One writer for each master of the target. */
export function makeTargetNodes(
  job: ShardJob,
  destination: ServerDestination,
  owner: WriterOwner,
  pool: BufferPool,
  fence: boolean,
): TargetNodes {
  const { shards } = destination.topology;
  return new TargetNodes(
    destination.topology,
    shards.map(({ address, nodeId }) => makeWriter(job, destination, { address, nodeId, fence }, owner, pool)),
  );
}

/** A writer to one node, whose connection is named `redferry:<run>:<shard>:<node>` there. */
export function makeWriter(
  job: ShardJob,
  destination: ServerDestination,
  { address, nodeId, fence }: WriterPlace,
  owner: WriterOwner,
  pool: BufferPool,
): NodeWriter {
  const { tls, credentials, connectTimeoutMs } = destination.endpoint;
  return new NodeWriter(
    {
      address,
      tls,
      credentials,
      connectTimeoutMs,
      clientName: `redferry:${job.run}:${job.name}:${formatAddress(address)}`,
      importSource: destination.importMode,
      fence,
      nodeId,
      inFlightBytes: job.limits.inFlightPerNode,
      flushDelayMs: job.limits.flushDelayMs,
    },
    owner,
    pool,
  );
}
