// Walks over all keys that a target has, node by node and database by database.
import type { Redis } from 'ioredis';
import { openControl } from '../../topology/control-connection.ts';
import type { Endpoint } from '../../topology/endpoint.ts';
import type { Topology } from '../../topology/topology.ts';
import { usedDatabases } from '../recopy/slot-keys.ts';

const SCAN_COUNT = 1000;
/** redferry's own names. */
const OURS = 'redferry:';

export interface WalkedTarget {
  readonly endpoint: Endpoint;
  readonly topology: Topology;
  /** Else it would not see keys whose time has come. */
  readonly importMode: boolean;
}

export interface Walk {
  /** Of the connections. */
  readonly name: string;
  /** Whether to leave off. */
  stopped(): boolean;
  /** Some keys that `node` has in this database, which is selected there. A key may come more than once. */
  found(node: Redis, database: number, keys: readonly Buffer[]): Promise<void> | void;
}

/** @throws when a node can not be asked, and what `found` throws. */
export async function walkTarget({ endpoint, topology, importMode }: WalkedTarget, walk: Walk): Promise<void> {
  for (const { address } of topology.shards) {
    const node = await openControl(endpoint, address, walk.name);
    try {
      if (importMode) await node.call('CLIENT', 'IMPORT-SOURCE', 'ON');
      for (const database of await usedDatabases(node)) {
        if (walk.stopped()) return;
        await node.select(database);
        await walkDatabase(node, database, walk);
      }
    } finally {
      node.disconnect();
    }
  }
}

async function walkDatabase(node: Redis, database: number, walk: Walk): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = await node.scanBuffer(cursor, 'COUNT', SCAN_COUNT);
    cursor = next.toString();
    if (keys.length > 0) await walk.found(node, database, keys);
  } while (cursor !== '0' && !walk.stopped());
}

/** A key of redferry itself. */
export function isRedferrys(key: Buffer): boolean {
  return key.toString('latin1', 0, OURS.length) === OURS;
}
