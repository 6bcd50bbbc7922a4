// The shards of a cluster, from any one of its nodes: who owns which slots, in an order that does not depend on whom
// was asked. A cluster with a slot that nobody serves is refused: its keys could not be read, or not be written.
import type { Redis } from 'ioredis';
import { FerryError, messageOf } from '../engine/errors.ts';
import { mapAddress } from './address-map.ts';
import type { ClusterNode } from './cluster-node.ts';
import { parseClusterNodes } from './cluster-nodes.ts';
import { parseClusterShards } from './cluster-shards.ts';
import { type Endpoint, formatAddress, type NodeAddress } from './endpoint.ts';
import { chooseReplica } from './replica-choice.ts';
import { formatSlots, missingSlots, normalizeSlots, sharedSlot } from './slots.ts';
import { SLOT_COUNT, type TopologyShard } from './topology.ts';

/** All nodes, as this node sees them; `asked` stands in for an address that the cluster does not give. */
export async function readClusterNodes(
  connection: Redis,
  asked: NodeAddress,
  tls: boolean,
): Promise<readonly ClusterNode[]> {
  const nodes = await shardsOrNodes(connection, tls);
  return nodes.map((node) => (node.host === '' ? { ...node, host: asked.host } : node));
}

/** CLUSTER SHARDS says which address clients should use; before 7.0, or without the right to it, NODES has to do. */
async function shardsOrNodes(connection: Redis, tls: boolean): Promise<readonly ClusterNode[]> {
  let reply: unknown;
  try {
    reply = await connection.call('CLUSTER', 'SHARDS');
  } catch (thrown) {
    if (!/unknown subcommand|NOPERM|wrong number of arguments/i.test(messageOf(thrown))) throw thrown;
    return parseClusterNodes(String(await connection.call('CLUSTER', 'NODES')));
  }
  return parseClusterShards(reply, tls);
}

/** Masters with slots, ordered by their lowest slot; with `preferReplica` the address is a replica's where one works. */
export async function clusterShards(
  endpoint: Endpoint,
  nodes: readonly ClusterNode[],
  asked: NodeAddress,
): Promise<readonly TopologyShard[]> {
  const owners = slotOwners(nodes, asked);
  return Promise.all(
    owners.map(async (owner, id): Promise<TopologyShard> => {
      const master = mapAddress(endpoint.addressMap, owner);
      const replicas = nodes.filter((node) => node.masterId === owner.id);
      const working = replicas.filter(({ failed }) => !failed).map(({ host, port }) => ({ host, port }));
      return {
        id,
        address: endpoint.preferReplica ? await chooseReplica(endpoint, working, master) : master,
        nodeId: owner.id,
        replicaIds: replicas.map((replica) => replica.id),
        slots: owner.slots,
      };
    }),
  );
}

/** The masters that own slots, every slot exactly once, or an error that names what is wrong. */
export function slotOwners(nodes: readonly ClusterNode[], asked: NodeAddress): readonly ClusterNode[] {
  const owners = nodes
    .filter(({ role, slots }) => role === 'master' && slots.length > 0)
    .map((node) => ({ ...node, slots: normalizeSlots(node.slots) }))
    .sort((a, b) => (a.slots[0]?.first ?? 0) - (b.slots[0]?.first ?? 0));
  const place = formatAddress(asked);
  const ranges = owners.map(({ slots }) => slots);
  const missing = missingSlots(ranges);
  if (missing.length > 0) {
    const count = missing.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    throw new FerryError(
      `The cluster of ${place} serves ${SLOT_COUNT - count} of ${SLOT_COUNT} slots, and nobody has ${formatSlots(missing)}: assign them (redis-cli --cluster fix) and start again.`,
      { code: 'topology' },
    );
  }
  const shared = sharedSlot(ranges);
  if (shared !== null) {
    throw new FerryError(
      `Slot ${shared} of the cluster of ${place} has two owners: wait until its nodes agree (redis-cli --cluster check) and start again.`,
      { code: 'topology', retriable: true },
    );
  }
  const failed = owners.find((node) => node.failed);
  if (failed !== undefined) {
    throw new FerryError(
      `The master ${formatAddress(failed)} of the cluster of ${place} is down, and with it the slots ${formatSlots(failed.slots)}: bring it back or fail over to its replica.`,
      { code: 'unreachable', retriable: true },
    );
  }
  return owners;
}
