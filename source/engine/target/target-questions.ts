// What is asked of the target beside the data when slots move or a link is lost: over connections of their own.
import { Connection } from '../../protocol/connection.ts';
import { mapAddress } from '../../topology/address-map.ts';
import { parseClusterNodes } from '../../topology/cluster-nodes.ts';
import { type Endpoint, formatAddress, type NodeAddress, parseNodeAddress } from '../../topology/endpoint.ts';
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
 * Deletes keys in slots that are between two nodes, where they have gone ahead: each master is told that the slot's commands
 * come by way of the other one; those to which the slot does not come refuse.
 * @param known nodes (host:port) that are asked which others there are: one to which its first slot comes is not known yet.
 * @returns whether every key was answered for by some node.
 */
export async function deleteAsking(
  endpoint: Endpoint,
  known: readonly string[],
  keys: readonly string[],
): Promise<boolean> {
  const left = new Set(keys);
  for (const node of new Set([...known, ...(await mastersKnownTo(endpoint, known[0]))])) {
    const address = parseNodeAddress(node);
    if (address === null) continue;
    // A node that can not be reached keeps what it has; another one may have the key.
    await withConnection(endpoint, address, async (connection) => {
      for (const key of left) {
        await connection.request(['ASKING']);
        if ((await connection.request(['DEL', key])).startsWith(':')) left.delete(key);
      }
    }).catch(() => {});
  }
  return left.size === 0;
}

async function mastersKnownTo(endpoint: Endpoint, node: string | undefined): Promise<readonly string[]> {
  const address = node === undefined ? null : parseNodeAddress(node);
  if (address === null) return [];
  const nodes = parseClusterNodes(await ask(endpoint, address, ['CLUSTER', 'NODES']));
  const masters = nodes.filter(({ role, failed, host }) => role === 'master' && !failed && host !== '');
  return masters.map(({ host, port }) => formatAddress(mapAddress(endpoint.addressMap, { host, port })));
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
