// At the end of a run: gives every expiry that is held on the target (protocol/held-expiry.ts) its own time back. Finds them
// by SCAN, so that no list has to be kept and any later run can do it for one that was killed. Runs on the main thread,
// when nothing is written to the target any more; what the application writes there meanwhile is left as it is.
import type { Redis } from 'ioredis';
import { slotOf } from '../protocol/slot.ts';
import { openControl } from '../topology/control-connection.ts';
import { discoverTopology } from '../topology/discover.ts';
import { type Endpoint, formatAddress } from '../topology/endpoint.ts';
import type { SlotRange, Topology } from '../topology/topology.ts';
import { messageOf } from './errors.ts';
import { NOTHING, type PageSettler, type Settled, scriptSettler, sumOf, watchSettler } from './page-settler.ts';

const SCAN_COUNT = 1000;
/** A target that forbids scripts: by its user's rights, or because the service has none. */
const NO_SCRIPTS = /NOPERM|unknown (sub)?command|not allowed|disabled|not supported/i;

export interface SettleOrder {
  readonly target: Endpoint;
  /** Of the shards that were copied; empty for every key. */
  readonly slots: readonly SlotRange[];
  /** Keys may be held; else only fields of hashes, and databases without any are passed over. */
  readonly keys: boolean;
  /** Names of this run's leases: where nothing else expires, nothing is held. */
  readonly leases: readonly string[];
  /** Whether to leave off. */
  readonly stopped: () => boolean;
  /** A sentence for the person. */
  readonly once: (message: string) => void;
}

/** @throws when a node can not be asked. */
export async function settleExpiries(order: SettleOrder): Promise<Settled> {
  const topology = await discoverTopology(order.target);
  const nodes = await Promise.all(topology.shards.map(({ address }) => settleNode(order, topology, address)));
  return nodes.reduce(sumOf, NOTHING);
}

async function settleNode(
  order: SettleOrder,
  topology: Topology,
  address: Topology['shards'][number]['address'],
): Promise<Settled> {
  const node = await openControl(order.target, address, 'redferry:settle');
  let settled = NOTHING;
  try {
    const info = await node.info('keyspace');
    for (const [, database, facts = ''] of info.matchAll(/^db(\d+):(\S+)/gm)) {
      const expiring = Number(/(?:^|,)expires=(\d+)/.exec(facts)?.[1] ?? Number.POSITIVE_INFINITY);
      const expire = order.keys && expiring > (database === '0' ? await leasesOn(node, order.leases) : 0);
      // subexpiry of Redis 7.4, keys_with_volatile_items of Valkey 9; older servers have no such fields.
      const fieldsExpire = /(subexpiry|keys_with_volatile_items)=[1-9]/.test(facts);
      if (!expire && !fieldsExpire) continue;
      if (topology.kind !== 'cluster') await node.select(Number(database));
      const settler = await settlerFor(node, topology, fieldsExpire, () =>
        order.once(
          `${formatAddress(address)} allows no scripts: held expiries are settled by WATCH, some keys at a time, which takes longer.`,
        ),
      );
      settled = sumOf(settled, await settleDatabase(node, settler, order));
    }
    return settled;
  } finally {
    node.disconnect();
  }
}

/** How many of the leases this node has. */
async function leasesOn(node: Redis, leases: readonly string[]): Promise<number> {
  const there = await Promise.all(leases.map((lease) => node.exists(lease).catch(() => 0)));
  return there.reduce((sum, found) => sum + found, 0);
}

async function settlerFor(
  node: Redis,
  { kind, version }: Topology,
  fieldsExpire: boolean,
  withoutScripts: () => void,
): Promise<PageSettler> {
  const exact = version.product === 'Valkey' || version.major >= 7;
  try {
    return await scriptSettler(node, { exact, fieldsExpire });
  } catch (error) {
    if (!NO_SCRIPTS.test(messageOf(error))) throw error;
    withoutScripts();
    return watchSettler(node, { exact, fieldsExpire, bySlot: kind === 'cluster' });
  }
}

/** The next page is read while one is settled. */
async function settleDatabase(node: Redis, settler: PageSettler, { slots, stopped }: SettleOrder): Promise<Settled> {
  let settled = NOTHING;
  let page = await node.scanBuffer('0', 'COUNT', SCAN_COUNT);
  for (;;) {
    const [cursor, found] = page;
    const last = cursor.toString() === '0';
    const own = slots.length === 0 ? found : found.filter((key) => isIn(slots, key));
    const [ofPage, next] = await Promise.all([
      settler(own),
      last || stopped() ? null : node.scanBuffer(cursor.toString(), 'COUNT', SCAN_COUNT),
    ]);
    settled = sumOf(settled, ofPage);
    if (next === null) return settled;
    page = next;
  }
}

function isIn(slots: readonly SlotRange[], key: Buffer): boolean {
  const slot = slotOf(key, 0, key.length);
  return slots.some(({ first, last }) => first <= slot && slot <= last);
}
