// At the end of a run: gives every expiry that is held on the target (protocol/held-expiry.ts) its own time back. Finds them
// by SCAN, so that no list has to be kept and any later run can do it for one that was killed. Runs on the main thread,
// when nothing is written to the target any more; what the application writes there meanwhile is left as it is.
import type { Redis } from 'ioredis';
import { slotOf } from '../../protocol/slot.ts';
import { openControl } from '../../topology/control-connection.ts';
import { discoverTopology } from '../../topology/discover.ts';
import { type Endpoint, formatAddress } from '../../topology/endpoint.ts';
import type { SlotRange, Topology } from '../../topology/topology.ts';
import { messageOf } from '../errors.ts';
import {
  NOTHING,
  type PageSettler,
  type PageWalker,
  type Settled,
  scriptSettler,
  scriptWalker,
  sumOf,
  watchSettler,
} from './page-settler.ts';

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
      const walker = await walkerFor(node, topology, order, fieldsExpire, () =>
        order.once(
          `${formatAddress(address)} allows no scripts: held expiries are settled by WATCH, some keys at a time, which takes longer.`,
        ),
      );
      settled = sumOf(settled, await settleDatabase(walker, order));
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

async function walkerFor(
  node: Redis,
  { kind, version }: Topology,
  { slots }: SettleOrder,
  fieldsExpire: boolean,
  withoutScripts: () => void,
): Promise<PageWalker> {
  const exact = version.product === 'Valkey' || version.major >= 7;
  try {
    if (exact && slots.length === 0) return await scriptWalker(node, fieldsExpire);
    return walkerOf(node, await scriptSettler(node, { exact, fieldsExpire }), slots);
  } catch (error) {
    if (!NO_SCRIPTS.test(messageOf(error))) throw error;
    withoutScripts();
    return walkerOf(node, watchSettler(node, { exact, fieldsExpire, bySlot: kind === 'cluster' }), slots);
  }
}

/** Keys come here and go back: those of some slots only, or one by one. The next page is read while one is settled. */
function walkerOf(node: Redis, settler: PageSettler, slots: readonly SlotRange[]): PageWalker {
  let next: Promise<[Buffer, Buffer[]]> | null = null;
  return async (from, count) => {
    const [cursor, found] = await (next ?? node.scanBuffer(from, 'COUNT', count));
    const to = cursor.toString();
    next = to === '0' ? null : node.scanBuffer(to, 'COUNT', count);
    next?.catch(() => {});
    const settled = await settler(slots.length === 0 ? found : found.filter((key) => isIn(slots, key)));
    return { cursor: to, settled };
  };
}

async function settleDatabase(walker: PageWalker, { stopped }: SettleOrder): Promise<Settled> {
  let settled = NOTHING;
  let cursor = '0';
  do {
    const page = await walker(cursor, SCAN_COUNT);
    settled = sumOf(settled, page.settled);
    cursor = page.cursor;
  } while (cursor !== '0' && !stopped());
  return settled;
}

function isIn(slots: readonly SlotRange[], key: Buffer): boolean {
  const slot = slotOf(key, 0, key.length);
  return slots.some(({ first, last }) => first <= slot && slot <= last);
}
