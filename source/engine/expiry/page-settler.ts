// Settles one page of keys on one node: with a script, or where those are forbidden with WATCH, which gives up on a group of
// keys when one of them is touched between looking and setting.
import type { Redis } from 'ioredis';
import { HOLD_MS, isHeld } from '../../protocol/held-expiry.ts';
import { slotOf } from '../../protocol/slot.ts';
import { SETTLE_FIELDS, SETTLE_KEYS, SETTLE_KEYS_BY_TIME_LEFT, SETTLE_PAGE } from './settle-scripts.ts';

export interface Settled {
  /** Keys, and fields of hashes, that have their exact expiry again or are gone since it has passed. */
  readonly keys: number;
  readonly fields: number;
  /** Keys that could not be looked at: their slots are on the move, or somebody wrote them again and again. */
  readonly missed: number;
}

export const NOTHING: Settled = { keys: 0, fields: 0, missed: 0 };

export function sumOf(a: Settled, b: Settled): Settled {
  return { keys: a.keys + b.keys, fields: a.fields + b.fields, missed: a.missed + b.missed };
}

export type PageSettler = (page: readonly Buffer[]) => Promise<Settled>;

/** What came of a page that the node found itself, and where the next one begins; '0' behind the last one. */
export interface SettledPage {
  readonly cursor: string;
  readonly settled: Settled;
}

export type PageWalker = (cursor: string, count: number) => Promise<SettledPage>;

export interface SettlerOptions {
  /** The node knows PEXPIRETIME (7.0). */
  readonly exact: boolean;
  /** Fields of hashes may be held too. */
  readonly fieldsExpire: boolean;
}

/** @throws when the node takes no scripts. */
export async function scriptSettler(node: Redis, { exact, fieldsExpire }: SettlerOptions): Promise<PageSettler> {
  const ofKeys = await load(node, exact ? SETTLE_KEYS : SETTLE_KEYS_BY_TIME_LEFT);
  const ofFields = fieldsExpire ? await load(node, SETTLE_FIELDS) : '';
  return async (page) => {
    if (page.length === 0) return NOTHING;
    const reply = await node.callBuffer('EVALSHA', [ofKeys, '0', String(HOLD_MS), fieldsExpire ? '1' : '0', ...page]);
    return countOf(node, ofFields, reply as ScriptReply);
  };
}

/** Of a node with PEXPIRETIME, all of whose keys are meant. @throws when the node takes no scripts. */
export async function scriptWalker(node: Redis, fieldsExpire: boolean): Promise<PageWalker> {
  const ofPage = await load(node, SETTLE_PAGE);
  const ofFields = fieldsExpire ? await load(node, SETTLE_FIELDS) : '';
  return async (cursor, count) => {
    const args = [ofPage, '0', String(HOLD_MS), fieldsExpire ? '1' : '0', cursor, String(count)];
    const [next, ...reply] = (await node.callBuffer('EVALSHA', args)) as [Buffer, ...ScriptReply];
    return { cursor: next.toString(), settled: await countOf(node, ofFields, reply) };
  };
}

/** Settled, missed, and hashes to look into. */
type ScriptReply = [number, number, ...Buffer[]];

async function load(node: Redis, script: string): Promise<string> {
  return String(await node.call('SCRIPT', 'LOAD', script));
}

async function countOf(node: Redis, ofFields: string, [keys, missed, ...hashes]: ScriptReply): Promise<Settled> {
  let fields = 0;
  for (const key of hashes) fields += await settleFields(node, ofFields, key);
  return { keys, fields, missed };
}

async function settleFields(node: Redis, script: string, key: Buffer): Promise<number> {
  let cursor = '0';
  let settled = 0;
  do {
    const reply = await node.call('EVALSHA', [script, '0', String(HOLD_MS), key, cursor]);
    const [next, count] = reply as [string, number];
    cursor = String(next);
    settled += count;
  } while (cursor !== '0');
  return settled;
}

/** Keys watched together: so many go again when one of them is touched. */
const GROUP = 64;
/** A group that is touched so often is left as it is, and told; its keys live on. */
const MOST_TRIES = 20;

/** @param options.bySlot a block of the node takes keys of one slot only. */
export function watchSettler(node: Redis, options: SettlerOptions & { readonly bySlot: boolean }): PageSettler {
  return async (page) => {
    let settled = NOTHING;
    for (const group of groupsOf(page, options.bySlot)) {
      settled = sumOf(settled, await settleWatched(node, group, options.exact));
      if (!options.fieldsExpire) continue;
      for (const key of group) settled = sumOf(settled, await settleWatchedFields(node, key));
    }
    return settled;
  };
}

function groupsOf(page: readonly Buffer[], bySlot: boolean): readonly (readonly Buffer[])[] {
  const groups: Buffer[][] = [];
  const open = new Map<number, Buffer[]>();
  for (const key of page) {
    const slot = bySlot ? slotOf(key, 0, key.length) : 0;
    let group = open.get(slot);
    if (group === undefined || group.length === GROUP) {
      group = [];
      open.set(slot, group);
      groups.push(group);
    }
    group.push(key);
  }
  return groups;
}

async function settleWatched(node: Redis, group: readonly Buffer[], exact: boolean): Promise<Settled> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const [, expiries] = await Promise.all([node.watch(...group), expiriesOf(node, group, exact)]);
    const held = group
      .map((key, index) => ({ key, expiresAtMs: expiries[index] ?? -1 }))
      .filter(({ expiresAtMs }) => isHeld(expiresAtMs));
    if (held.length === 0) {
      await node.unwatch();
      return NOTHING;
    }
    const block = node.multi();
    for (const { key, expiresAtMs } of held) block.pexpireat(key, expiresAtMs - HOLD_MS);
    if ((await block.exec()) !== null) return { ...NOTHING, keys: held.length };
  }
  return { ...NOTHING, missed: group.length };
}

/** Before 7.0 to the millisecond or two between the clock and what is left. */
async function expiriesOf(node: Redis, group: readonly Buffer[], exact: boolean): Promise<readonly number[]> {
  if (exact) return Promise.all(group.map((key) => node.call('PEXPIRETIME', key).then(Number)));
  const [time, left] = await Promise.all([node.time(), Promise.all(group.map((key) => node.pttl(key)))]);
  const nowMs = Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000);
  return left.map((ms) => (ms < 0 ? ms : nowMs + ms));
}

async function settleWatchedFields(node: Redis, key: Buffer): Promise<Settled> {
  if ((await node.type(key)) !== 'hash') return NOTHING;
  let cursor = '0';
  let settled = NOTHING;
  do {
    const reply = await node.callBuffer('HSCAN', [key, cursor, 'COUNT', '500', 'NOVALUES']);
    const [next, fields] = reply as [Buffer, Buffer[]];
    cursor = next.toString();
    if (fields.length > 0) settled = sumOf(settled, await settleWatchedPage(node, key, fields));
  } while (cursor !== '0');
  return settled;
}

async function settleWatchedPage(node: Redis, key: Buffer, fields: readonly Buffer[]): Promise<Settled> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const question = node.call('HPEXPIRETIME', [key, 'FIELDS', String(fields.length), ...fields]);
    const [, times] = await Promise.all([node.watch(key), question]);
    const held = (times as readonly number[])
      .map((expiresAtMs, index) => ({ field: fields[index] as Buffer, expiresAtMs }))
      .filter(({ expiresAtMs }) => isHeld(expiresAtMs));
    if (held.length === 0) {
      await node.unwatch();
      return NOTHING;
    }
    const block = node.multi();
    for (const { field, expiresAtMs } of held)
      block.call('HPEXPIREAT', [key, String(expiresAtMs - HOLD_MS), 'FIELDS', '1', field]);
    if ((await block.exec()) !== null) return { ...NOTHING, fields: held.length };
  }
  return { ...NOTHING, missed: 1 };
}
