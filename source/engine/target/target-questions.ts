// What is asked of the target beside the data when slots move or a link is lost: over connections of their own.
import { Connection } from '../../protocol/connection.ts';
import { parseClusterNodes } from '../../topology/cluster-nodes.ts';
import { type Endpoint, type NodeAddress, parseNodeAddress } from '../../topology/endpoint.ts';
import type { Topology } from '../../topology/topology.ts';
import type { ServerDestination } from '../run/shard-job.ts';

/** Its nodes as they are now, found from those that were named and those that are known. @throws FerryError */
export async function discoverTarget({ endpoint, topology }: ServerDestination): Promise<Topology> {
  // Brings the client library into this thread, which most runs never need.
  const { discoverTopology } = await import('../../topology/discover.ts');
  const known = topology.shards.map(({ address }) => address);
  return discoverTopology(
    endpoint.scheme === 'sentinel' ? endpoint : { ...endpoint, nodes: [...endpoint.nodes, ...known] },
  );
}

/** The cluster's id of a node. @throws FerryError when it can not be asked. */
export function askNodeId(endpoint: Endpoint, address: NodeAddress): Promise<string> {
  return ask(endpoint, address, ['CLUSTER', 'MYID']);
}

/** The slots that are between two of these nodes (host:port); each node tells of its own only. @throws FerryError */
export async function openSlotsOf(endpoint: Endpoint, nodes: readonly string[]): Promise<ReadonlySet<number>> {
  const answers = await Promise.all(
    nodes.map(async (node) => {
      const address = parseNodeAddress(node);
      return address === null ? [] : parseClusterNodes(await ask(endpoint, address, ['CLUSTER', 'NODES']));
    }),
  );
  return new Set(answers.flat().flatMap(({ openSlots }) => openSlots.map(({ slot }) => slot)));
}

/**
 * Deletes keys in slots that are between two of these nodes (host:port), where they have gone ahead: each node is told that
 * the slot's commands come by way of the other one; those to which it does not come refuse. @throws FerryError
 */
export async function deleteAsking(
  endpoint: Endpoint,
  nodes: readonly string[],
  keys: readonly string[],
): Promise<void> {
  for (const node of nodes) {
    const address = parseNodeAddress(node);
    if (address === null) continue;
    await withConnection(endpoint, address, async (connection) => {
      for (const key of keys) {
        await connection.request(['ASKING']);
        await connection.request(['DEL', key]);
      }
    });
  }
}

function ask(endpoint: Endpoint, address: NodeAddress, question: readonly string[]): Promise<string> {
  return withConnection(endpoint, address, (connection) => connection.request(question));
}

async function withConnection<T>(
  { tls, credentials, connectTimeoutMs }: Endpoint,
  address: NodeAddress,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = new Connection({ address, tls, credentials, connectTimeoutMs });
  try {
    await connection.open();
    return await work(connection);
  } finally {
    connection.destroy();
  }
}
