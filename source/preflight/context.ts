// Opens one connection to each node that the preflight asks, and closes them all again.
import type { Reader } from '../config/reader.ts';
import type { ConflictPolicy } from '../engine/contract/conflict.ts';
import { connectionError } from '../topology/connection-error.ts';
import { openControl } from '../topology/control-connection.ts';
import type { Endpoint } from '../topology/endpoint.ts';
import { ServerInfo } from '../topology/server-info.ts';
import type { Topology, TopologyShard } from '../topology/topology.ts';
import type { DatabaseNumbers } from '../transforms/database-map.ts';
import type { PreflightContext, PreflightNode, PreflightSide } from './check.ts';

/** A server and what was found behind its address. */
export interface ServerSide {
  readonly endpoint: Endpoint;
  readonly topology: Topology;
}

export interface PreflightOrder {
  /** null where that side is a file. */
  readonly source: ServerSide | null;
  readonly target: ServerSide | null;
  readonly conflictPolicy: ConflictPolicy;
  /** target.exactlyOnce */
  readonly exactlyOnce: boolean;
  /** databases.map; left out for none. */
  readonly databases?: DatabaseNumbers;
  /** How the source is to be read; left out for sync. */
  readonly reader?: Reader;
  /** Only these source shards; left out or null for all. */
  readonly shards?: readonly number[] | null;
}

/** Calls `look` with connections to all nodes. @throws FerryError when a node cannot be reached. */
export async function withContext<T>(
  order: PreflightOrder,
  look: (context: PreflightContext) => Promise<T>,
): Promise<T> {
  const opened: PreflightNode[] = [];
  const side = async (server: ServerSide | null, chosen: (shard: TopologyShard) => boolean): Promise<PreflightSide> => {
    if (server === null) return NO_SERVER;
    const { endpoint, topology } = server;
    const nodes = await Promise.all(
      topology.shards.filter(chosen).map(async (shard) => {
        const node = await openNode(endpoint, shard);
        opened.push(node);
        return node;
      }),
    );
    return { endpoint, topology, nodes };
  };
  const { shards = null } = order;
  try {
    // Settled, so that none is still opening when all are closed.
    const [source, target] = await Promise.allSettled([
      side(order.source, ({ id }) => shards === null || shards.includes(id)),
      side(order.target, () => true),
    ]);
    if (source.status === 'rejected') throw source.reason;
    if (target.status === 'rejected') throw target.reason;
    const { conflictPolicy, exactlyOnce, databases = {} } = order;
    return await look({ source: source.value, target: target.value, conflictPolicy, exactlyOnce, databases });
  } finally {
    for (const { connection } of opened) connection.disconnect();
  }
}

const NO_CREDENTIALS = { username: null, password: null };

/** What stands in a check's context for a side that is a file. */
const NO_SERVER: PreflightSide = {
  endpoint: {
    scheme: 'redis',
    nodes: [],
    masterName: null,
    credentials: NO_CREDENTIALS,
    sentinelCredentials: NO_CREDENTIALS,
    tls: null,
    preferReplica: false,
    addressMap: {},
    connectTimeoutMs: 0,
  },
  topology: {
    kind: 'standalone',
    version: { product: 'Redis', major: 0, minor: 0, patch: 0, text: 'a file' },
    shards: [],
  },
  nodes: [],
};

async function openNode(endpoint: Endpoint, { id, address }: TopologyShard): Promise<PreflightNode> {
  const connection = await openControl(endpoint, address, 'redferry:preflight');
  try {
    return { name: `shard-${id}`, address, connection, info: new ServerInfo(await connection.info()) };
  } catch (thrown) {
    connection.disconnect();
    throw connectionError(thrown, address, 'asking for INFO');
  }
}
