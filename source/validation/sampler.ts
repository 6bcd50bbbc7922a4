// Draws keys out of one stratum (one database of one node), every key as likely as the other. Two ways, whichever reads
// fewer names: walking all of it with SCAN and picking (Knuth's algorithm S: exactly as many as wanted), or SCAN windows from
// random cursors of which one key each is taken. One, not all: neighbours of a window may share a slot, a hash tag, or the
// batch that a copier lost, and a hundred keys lost together would be found, or missed, as one. So the draws are
// independent, and the bound holds however the differing keys lie (measured in test/validation/sampler.test.ts).
//
// What decides whether a random cursor can be believed: a server that says it is Redis or Valkey, and windows that differ.
// Where a node in cluster mode keeps a hash table for each slot (Redis from 7.4, Valkey from 8.0) the low 14 bits of the
// cursor are the slot and a uniform cursor would draw slots, not keys: there the slot is drawn by its number of keys.

import { KeySet } from './key-set.ts';
import type { Random } from './random.ts';

/** An array, or something that makes a key only when it is asked for: of a window of a hundred mostly one is. */
export interface KeyList {
  readonly length: number;
  at(index: number): Buffer | undefined;
}

export interface ScanWindow {
  /** Decimal; '0' at the end of the table. */
  readonly cursor: string;
  readonly keys: KeyList;
}

/** One database of one node, as far as drawing needs it. Leaves redferry's own keys out. */
export interface KeySource {
  /** Keys there are, about: others may write meanwhile. */
  readonly keys: number;
  /** One window for each cursor, pipelined. Rejects when the server refuses a cursor. */
  scan(cursors: readonly string[], count: number): Promise<readonly ScanWindow[]>;
  /** Keys of each slot when the table is in the order of slots; null when it is in the order of a hash. */
  slotCounts(): Promise<ArrayLike<number> | null>;
  /** How many of them are redferry's own, where there may be some: found out by a walk. */
  readonly ownKeys?: () => Promise<number>;
  /** Whether the server is one whose SCAN takes any cursor. */
  readonly takesAnyCursor: boolean;
}

export interface DrawOutcome {
  readonly way: 'walked' | 'windows';
  /** Different keys drawn. */
  readonly drawn: number;
  /** What the unequal chances of the keys cost: the draws are worth `drawn / designEffect` equal ones. */
  readonly designEffect: number;
  /** redferry's own keys among those of the source, where they were counted. */
  readonly own: number;
}

export interface DrawOrder {
  readonly source: KeySource;
  readonly wanted: number;
  readonly random: Random;
  /** Batches of keys that were not drawn before; awaited, so that no more are drawn than can be compared. */
  readonly take: (keys: Buffer[]) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** COUNT of a random window. Smaller ones draw less equally: a squared variation of 1 / COUNT was measured. */
const WINDOW_COUNT = 100;
/** COUNT when the whole table is walked. */
const WALK_COUNT = 1000;
/** Windows asked for at once. */
const WINDOWS_AT_ONCE = 50;
/** Keys that are drawn before they are compared: a few at a time would cost as many round trips each time. */
const TAKEN_AT_ONCE = 500;
/** Names read for the probe of a server's cursors. */
const PROBE_WINDOWS = 8;
const SLOT_BITS = 14;
const CURSOR_BITS = 48;
/**
 * A key's chance varies by this, squared, around the mean of all. A single differing key in a thin place is missed more
 * often; with a mean of 3 expected finds (95 %) half of 3 times the variation makes up for it, twice that for 99.9 %.
 */
export const DESIGN_EFFECT = 1 + 3 / WINDOW_COUNT;

/** Draws `wanted` different keys, or as many as there are. */
export async function drawKeys(order: DrawOrder): Promise<DrawOutcome> {
  const { source, wanted } = order;
  if (wanted <= 0 || source.keys <= 0) return { way: 'walked', drawn: 0, designEffect: 1, own: 0 };
  const picked = new Picked(order);
  const windowsRead = wanted * WINDOW_COUNT;
  if (source.keys <= windowsRead || !source.takesAnyCursor) return walkAndPick(order, picked);
  const start = await randomStart(source, order.random);
  if (!(await giveDifferentKeys(source, start))) return walkAndPick(order, picked);
  return drawWindows(order, picked, start);
}

/** The keys that were drawn, each once, on their way to be compared. */
class Picked {
  readonly #seen = new KeySet();
  readonly #take: DrawOrder['take'];
  #waiting: Buffer[] = [];

  constructor({ take }: DrawOrder) {
    this.#take = take;
  }

  get count(): number {
    return this.#seen.size;
  }

  /** Copies it: a view would keep all names of its reply. */
  add(key: Buffer): void {
    if (this.#seen.add(key)) this.#waiting.push(Buffer.from(key));
  }

  /** Hands over what waits, when that is enough or `all` of it is asked for. */
  async flush(all: boolean): Promise<void> {
    if (this.#waiting.length === 0 || (!all && this.#waiting.length < TAKEN_AT_ONCE)) return;
    const keys = this.#waiting;
    this.#waiting = [];
    await this.#take(keys);
  }
}

/** Algorithm S: of what is left, each with the chance that what is still wanted has. */
async function walkAndPick({ source, wanted, random, signal }: DrawOrder, picked: Picked): Promise<DrawOutcome> {
  const all = wanted >= source.keys;
  // Else a key would be chosen as if they could be, and fewer than wanted.
  const keys = all ? source.keys : source.keys - ((await source.ownKeys?.()) ?? 0);
  let visited = 0;
  let cursor = '0';
  do {
    signal?.throwIfAborted();
    const [window] = await source.scan([cursor], WALK_COUNT);
    if (window === undefined) break;
    cursor = window.cursor;
    for (let index = 0; index < window.keys.length; index++) {
      const left = Math.max(keys - visited, 1);
      visited += 1;
      const missing = wanted - picked.count;
      const chosen = all || (missing > 0 && (missing >= left || random.below(left) < missing));
      const key = chosen ? window.keys.at(index) : undefined;
      // SCAN may give a key twice; it is looked at once.
      if (key !== undefined) picked.add(key);
    }
    await picked.flush(false);
  } while (cursor !== '0' && (all || picked.count < wanted));
  await picked.flush(true);
  return { way: 'walked', drawn: picked.count, designEffect: 1, own: source.keys - keys };
}

async function drawWindows(order: DrawOrder, picked: Picked, start: () => string): Promise<DrawOutcome> {
  const { source, wanted, random, signal } = order;
  // Windows that begin near the end of the table go on at its beginning, else its first keys would be drawn too rarely.
  const [head] = await source.scan(['0'], WINDOW_COUNT);
  const mostWindows = wanted * 4 + WINDOWS_AT_ONCE;
  for (let read = 0; picked.count < wanted && read < mostWindows; read += WINDOWS_AT_ONCE) {
    signal?.throwIfAborted();
    const windows = await source.scan(Array.from({ length: WINDOWS_AT_ONCE }, start), WINDOW_COUNT);
    for (const { keys, cursor } of windows) {
      // A short window (a table that was emptied) counts only as often as it is full: its keys are not to be favoured.
      const index = random.below(WINDOW_COUNT);
      const key = index >= keys.length && cursor === '0' ? head?.keys.at(index - keys.length) : keys.at(index);
      if (key !== undefined && picked.count < wanted) picked.add(key);
    }
    await picked.flush(false);
  }
  await picked.flush(true);
  return { way: 'windows', drawn: picked.count, designEffect: DESIGN_EFFECT, own: 0 };
}

/** What gives a random cursor: anywhere in a hash's order, or in the table of a slot drawn by its keys. */
async function randomStart(source: KeySource, random: Random): Promise<() => string> {
  const counts = await source.slotCounts();
  if (counts === null) return () => String(random.below(2 ** CURSOR_BITS));
  const before = new Float64Array(counts.length + 1);
  for (let slot = 0; slot < counts.length; slot++) before[slot + 1] = (before[slot] ?? 0) + (counts[slot] ?? 0);
  const total = before[counts.length] ?? 0;
  return () => {
    const slot = slotAt(before, random.below(Math.max(1, total)));
    return String(random.below(2 ** (CURSOR_BITS - SLOT_BITS)) * 2 ** SLOT_BITS + slot);
  };
}

/** The slot that holds the key of this number. */
function slotAt(before: Float64Array, number: number): number {
  let low = 0;
  let high = before.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((before[middle] as number) <= number) low = middle;
    else high = middle;
  }
  return low;
}

/** A server that begins anew at every cursor it does not know gives the same keys each time, or none, or an error. */
async function giveDifferentKeys(source: KeySource, start: () => string): Promise<boolean> {
  try {
    const windows = await source.scan(Array.from({ length: PROBE_WINDOWS }, start), WINDOW_COUNT);
    const names = new KeySet();
    let all = 0;
    let empty = 0;
    for (const { keys } of windows) {
      if (keys.length === 0) empty += 1;
      all += keys.length;
      for (let index = 0; index < keys.length; index++) names.add(keys.at(index) as Buffer);
    }
    return empty <= PROBE_WINDOWS / 2 && names.size > all / 2;
  } catch {
    return false;
  }
}
