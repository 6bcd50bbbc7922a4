// Opens one connection to each node that the preflight asks, and closes them all again.
import type { ConflictPolicy } from '../engine/contract.ts';
import { connectionError } from '../topology/connection-error.ts';
import { openControl } from '../topology/control-connection.ts';
import type { Endpoint } from '../topology/endpoint.ts';
import { ServerInfo } from '../topology/server-info.ts';
import type { Topology, TopologyShard } from '../topology/topology.ts';
import type { PreflightContext, PreflightNode, PreflightSide } from './check.ts';

export interface PreflightOrder {
  readonly source: Endpoint;
  readonly sourceTopology: Topology;
  readonly target: Endpoint;
  readonly targetTopology: Topology;
  readonly conflictPolicy: ConflictPolicy;
  /** Only these source shards; left out or null for all. */
  readonly shards?: readonly number[] | null;
}

/** Calls `look` with connections to all nodes. @throws FerryError when a node cannot be reached. */
export async function withContext<T>(
  order: PreflightOrder,
  look: (context: PreflightContext) => Promise<T>,
): Promise<T> {
  const opened: PreflightNode[] = [];
  const side = async (
    endpoint: Endpoint,
    topology: Topology,
    shards: readonly TopologyShard[],
  ): Promise<PreflightSide> => {
    const nodes = await Promise.all(
      shards.map(async (shard) => {
        const node = await openNode(endpoint, shard);
        opened.push(node);
        return node;
      }),
    );
    return { endpoint, topology, nodes };
  };
  const { shards = null, sourceTopology, targetTopology } = order;
  const chosen = sourceTopology.shards.filter(({ id }) => shards === null || shards.includes(id));
  try {
    // Settled, so that none is still opening when all are closed.
    const [source, target] = await Promise.allSettled([
      side(order.source, sourceTopology, chosen),
      side(order.target, targetTopology, targetTopology.shards),
    ]);
    if (source.status === 'rejected') throw source.reason;
    if (target.status === 'rejected') throw target.reason;
    return await look({ source: source.value, target: target.value, conflictPolicy: order.conflictPolicy });
  } finally {
    for (const { connection } of opened) connection.disconnect();
  }
}

async function openNode(endpoint: Endpoint, { id, address }: TopologyShard): Promise<PreflightNode> {
  const connection = await openControl(endpoint, address, 'redferry:preflight');
  try {
    return { name: `shard-${id}`, address, connection, info: new ServerInfo(await connection.info()) };
  } catch (thrown) {
    connection.disconnect();
    throw connectionError(thrown, address, 'asking for INFO');
  }
}
