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

async function ask(endpoint: Endpoint, address: NodeAddress, question: readonly string[]): Promise<string> {
  const { tls, credentials, connectTimeoutMs } = endpoint;
  const connection = new Connection({ address, tls, credentials, connectTimeoutMs });
  try {
    await connection.open();
    return await connection.request(question);
  } finally {
    connection.destroy();
  }
}
