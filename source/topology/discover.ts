// Finds out what stands behind an address by asking it: a standalone, a cluster or a sentinel, which masters it has and
// which slots are theirs. Reads only. Every failure is a FerryError that names the address and what to do.
import type { Redis } from 'ioredis';
import { FerryError } from '../engine/errors.ts';
import { mapAddress } from './address-map.ts';
import { asking, firstAnswer, readInfo } from './ask.ts';
import { clusterShards, readClusterNodes } from './cluster-topology.ts';
import { type Endpoint, formatAddress, type NodeAddress } from './endpoint.ts';
import { chooseReplica } from './replica-choice.ts';
import { askSentinels, askUnnamedSentinel, type SentinelAnswer } from './sentinel.ts';
import type { ServerInfo } from './server-info.ts';
import type { Topology } from './topology.ts';

/** The installation behind `endpoint`, from the first of its nodes that answers. */
export async function discoverTopology(endpoint: Endpoint): Promise<Topology> {
  if (endpoint.scheme === 'sentinel') return behindSentinel(endpoint, await askSentinels(endpoint));
  return firstAnswer(endpoint.nodes, (address) => {
    const reachable = mapAddress(endpoint.addressMap, address);
    return asking(endpoint, reachable, (connection) => behindNode(endpoint, connection, reachable));
  });
}

async function behindNode(endpoint: Endpoint, connection: Redis, asked: NodeAddress): Promise<Topology> {
  const info = await readInfo(connection);
  if (info.text('redis_mode') === 'sentinel' || info.text('server_mode') === 'sentinel') {
    return behindSentinel(endpoint, await askUnnamedSentinel(endpoint, connection, asked));
  }
  if (!info.flag('cluster_enabled')) return standalone(endpoint, info, asked);
  const nodes = await readClusterNodes(connection, asked, endpoint.tls !== null);
  return { kind: 'cluster', version: info.version(), shards: await clusterShards(endpoint, nodes, asked) };
}

async function standalone(endpoint: Endpoint, info: ServerInfo, asked: NodeAddress): Promise<Topology> {
  const candidates = info
    .replicas()
    .filter(({ online }) => online)
    .map(({ host, port }) => ({ host, port }));
  const address = endpoint.preferReplica ? await chooseReplica(endpoint, candidates, asked) : asked;
  return {
    kind: 'standalone',
    version: info.version(),
    shards: [{ id: 0, address, nodeId: null, replicaIds: [], slots: [] }],
  };
}

async function behindSentinel(endpoint: Endpoint, { master, replicas }: SentinelAnswer): Promise<Topology> {
  const info = await asking(endpoint, master, readInfo);
  if (info.text('role') !== 'master') {
    throw new FerryError(
      `The sentinel names ${formatAddress(master)} as master, which is a replica: a failover is under way; try again when it is over.`,
      { code: 'topology', retriable: true },
    );
  }
  const address = endpoint.preferReplica ? await chooseReplica(endpoint, replicas, master) : master;
  return {
    kind: 'sentinel',
    version: info.version(),
    shards: [{ id: 0, address, nodeId: null, replicaIds: [], slots: [] }],
  };
}
