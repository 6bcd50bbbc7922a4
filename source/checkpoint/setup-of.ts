// What the two sides of a run call themselves, for the setup that a later run is compared with.
import type { ServerSide } from '../preflight/context.ts';
import { parseClusterNodes } from '../topology/cluster-nodes.ts';
import { openControl } from '../topology/control-connection.ts';
import { formatAddress } from '../topology/endpoint.ts';
import type { TopologyShard } from '../topology/topology.ts';
import type { Setup } from './fingerprint.ts';

export interface SetupOrder {
  readonly source: ServerSide;
  readonly target: ServerSide;
  /** Rules that change what is copied, by name. */
  readonly filters: Readonly<Record<string, string>>;
  readonly databases: Readonly<Record<string, number>>;
  readonly conflictPolicy: string;
  /** The target holds something of this migration: then it is its target, whatever it calls itself. */
  readonly targetIsKnown: boolean;
  readonly migration: string;
}

/** @throws FerryError when a server can not be asked. */
export async function setupOf(order: SetupOrder): Promise<Setup> {
  const [sources, targets] = await Promise.all([idsOf(order.source), idsOf(order.target)]);
  const own = order.targetIsKnown ? [`migration:${order.migration}`] : [];
  return {
    source: sideOf(order.source, sources, []),
    target: sideOf(order.target, targets, own),
    shards: order.source.topology.shards.map(({ id }, index) => ({ id, ids: sources[index] ?? [] })),
    conflictPolicy: order.conflictPolicy,
    databases: order.databases,
    filters: order.filters,
  };
}

function sideOf(
  { topology }: ServerSide,
  ids: readonly (readonly string[])[],
  more: readonly string[],
): Setup['source'] {
  return {
    kind: topology.kind,
    ids: [...ids.flat(), ...more],
    addresses: topology.shards.map(({ address }) => formatAddress(address)),
  };
}

/** For each shard the names that its nodes give themselves, replicas included: one of them may be its master tomorrow. */
function idsOf({ endpoint, topology }: ServerSide): Promise<readonly string[][]> {
  return Promise.all(
    topology.shards.map(async (shard: TopologyShard) => {
      const connection = await openControl(endpoint, shard.address, 'redferry:setup');
      try {
        if (shard.nodeId !== null) {
          const nodes = parseClusterNodes(String(await connection.call('CLUSTER', 'NODES')));
          return [shard.nodeId, ...nodes.filter(({ masterId }) => masterId === shard.nodeId).map(({ id }) => id)];
        }
        const info = `${await connection.info('server')}\n${await connection.info('replication')}`;
        const fields = ['master_replid', 'master_replid2', 'run_id'];
        const found = fields.map((name) => new RegExp(`^${name}:(\\w+)`, 'm').exec(info)?.[1] ?? '');
        return found.filter((id) => /[1-9a-f]/.test(id));
      } finally {
        connection.disconnect();
      }
    }),
  );
}
