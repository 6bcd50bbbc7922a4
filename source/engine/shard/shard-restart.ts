// What a shard does when its snapshot was cut, its source's backlog no longer reaches back, or its target's link broke: it
// looks where both sides are now and begins anew with a full sync of this shard alone.
import { type Endpoint, formatAddress } from '../../topology/endpoint.ts';
import type { SlotRange, Topology, TopologyShard } from '../../topology/topology.ts';
import type { FerryError } from '../errors.ts';
import type { ServerDestination, ServerOrigin, ShardJob } from '../run/shard-job.ts';
import { tellsOwnKeys } from '../target/keys-before.ts';

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30_000;

/** The code of a failure that is a person's wish. */
export const BY_HAND = 'by-hand';

/** Failures that a new full sync mends. */
const MENDABLE: ReadonlySet<string> = new Set(['snapshot-cut', 'backlog-gone', 'target-lost', 'thread-lost', BY_HAND]);

/**
 * Why this shard can not begin anew by itself; null when it can. What it wrote before is taken off the
 * target first, and must be known for its own.
 */
export function obstacleToRestart(job: ShardJob, error: FerryError): string | null {
  if (!MENDABLE.has(error.code) || job.origin.kind === 'file' || job.destination.kind === 'file') return '';
  if (tellsOwnKeys(job)) return null;
  return 'The target held keys before this run, and which these were is not known: a second full sync could not tell its own keys from those. Empty the target and start again.';
}

/** How long to wait before attempt number `attempt` (the second is 2), ms. */
export function restartDelayMs(attempt: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.max(0, attempt - 2));
}

/**
 * The same job on the nodes that are there now: a promoted replica, another master of the slots.
 * @throws FerryError when a side can not be asked.
 */
export async function refreshJob(job: ShardJob): Promise<ShardJob> {
  const { origin, destination } = job;
  if (origin.kind === 'file' || destination.kind === 'file') return job;
  const { endpoint, topology } = destination;
  const [movedOrigin, target] = await Promise.all([
    refreshOrigin(origin),
    discover(
      withSeeds(
        endpoint,
        topology.shards.map(({ address }) => address),
      ),
    ),
  ]);
  return { ...job, origin: movedOrigin, destination: movedDestination(destination, target) };
}

/** The origin with the node that has taken its master's place, if any has. @throws FerryError when the source can not be asked. */
export async function refreshOrigin(origin: ServerOrigin): Promise<ServerOrigin> {
  return movedTo(origin, await discover(withSeeds(origin.endpoint, [origin.address])));
}

async function discover(endpoint: Endpoint): Promise<Topology> {
  // Brings the client library into this thread, which most runs never need.
  const { discoverTopology } = await import('../../topology/discover.ts');
  return discoverTopology(endpoint);
}

/** The nodes that were named first, then those that are known from before. */
function withSeeds(endpoint: Endpoint, known: Endpoint['nodes']): Endpoint {
  return endpoint.scheme === 'sentinel' ? endpoint : { ...endpoint, nodes: [...endpoint.nodes, ...known] };
}

function movedTo(origin: ServerOrigin, { version, shards }: Topology): ServerOrigin {
  const shard = origin.nodeId === null ? shards[0] : successor(origin, shards);
  return shard === undefined ? origin : { ...origin, address: shard.address, version };
}

/**
 * A node that is a master still is stayed with: its slots may move, its history goes on. One of its replicas takes all of
 * its slots; but one or the other may be another shard's by then, and would lead to that one's master.
 */
export function successor(
  { address, nodeId, replicaIds, slots }: Pick<ServerOrigin, 'address' | 'nodeId' | 'replicaIds' | 'slots'>,
  shards: readonly TopologyShard[],
): TopologyShard | undefined {
  const place = formatAddress(address);
  return (
    shards.find((shard) => formatAddress(shard.address) === place) ??
    shards.find((shard) => shard.nodeId !== null && replicaIds.includes(shard.nodeId)) ??
    shards.find((shard) => nodeId !== null && shard.replicaIds.includes(nodeId)) ??
    ownerOfMost(slots, shards)
  );
}

function ownerOfMost(slots: readonly SlotRange[], shards: readonly TopologyShard[]): TopologyShard | undefined {
  const counts = shards.map((shard) => sharedSlots(slots, shard.slots));
  const most = Math.max(0, ...counts);
  return most === 0 ? undefined : shards[counts.indexOf(most)];
}

function sharedSlots(some: readonly SlotRange[], others: readonly SlotRange[]): number {
  let shared = 0;
  for (const a of some) {
    for (const b of others) shared += Math.max(0, Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1);
  }
  return shared;
}

function movedDestination(destination: ServerDestination, topology: Topology): ServerDestination {
  return topology.shards.length === 0 ? destination : { ...destination, topology };
}
