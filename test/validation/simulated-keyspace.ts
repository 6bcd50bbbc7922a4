// A keyspace without a server: the hash tables of one node as SCAN walks them (reverse binary cursors), either one for all
// keys or, as in cluster mode from Redis 7.4 and Valkey 8.0 on, one for each slot with the slot in the cursor's low bits.
import { createHash } from 'node:crypto';
import { keySlot } from '../../source/validation/key-slot.ts';
import type { KeySource, ScanWindow } from '../../source/validation/sampler.ts';

const SLOTS = 16_384;
/** A server looks at no more than ten buckets for each key that COUNT asks for. */
const BUCKETS_A_KEY = 10;

interface Table {
  readonly slot: number;
  readonly size: number;
  /** Place of its first bucket among all buckets of the node. */
  readonly from: number;
  /** Bucket -> its place in the order of SCAN. */
  readonly placeOf: readonly number[];
}

interface Bucket {
  readonly keys: readonly Buffer[];
  readonly cursor: string;
}

/** One node. Its hash seed differs from run to run, as a server's does from start to start. */
export function simulatedNode(keys: readonly Buffer[], perSlot: boolean, seed: string): KeySource {
  const bySlot = new Map<number, Buffer[]>();
  for (const key of keys) {
    const slot = perSlot ? keySlot(key) : 0;
    const there = bySlot.get(slot);
    if (there === undefined) bySlot.set(slot, [key]);
    else there.push(key);
  }
  const order: Bucket[] = [];
  const tables = new Map<number, Table>();
  for (const [slot, own] of [...bySlot].sort(([a], [b]) => a - b)) {
    tables.set(slot, addTable(order, own, slot, seed, perSlot));
  }
  const filled = [...tables.values()];
  const scanOne = (cursor: number, count: number): ScanWindow => {
    const slot = perSlot ? cursor % SLOTS : 0;
    const inner = perSlot ? Math.floor(cursor / SLOTS) : cursor;
    const table = tables.get(slot);
    let at = 0;
    if (table !== undefined) at = table.from + (table.placeOf[inner % table.size] ?? 0);
    else at = filled.find((next) => next.slot > slot)?.from ?? order.length;
    const out: Buffer[] = [];
    const end = Math.min(order.length, at + count * BUCKETS_A_KEY);
    for (; at < end && out.length < count; at++) out.push(...(order[at]?.keys ?? []));
    return { cursor: order[at]?.cursor ?? '0', keys: out };
  };
  return {
    keys: keys.length,
    takesAnyCursor: true,
    scan: async (cursors, count) => cursors.map((cursor) => scanOne(Number(cursor), count)),
    slotCounts: async () => {
      if (!perSlot) return null;
      const counts = new Uint32Array(SLOTS);
      for (const [slot, own] of bySlot) counts[slot] = own.length;
      return counts;
    },
  };
}

/** A power of two of buckets, in the order in which SCAN visits them: counted up from the high end of the bits. */
function addTable(order: Bucket[], keys: readonly Buffer[], slot: number, seed: string, perSlot: boolean): Table {
  const bits = Math.max(2, Math.ceil(Math.log2(Math.max(1, keys.length))));
  const size = 2 ** bits;
  const buckets: Buffer[][] = Array.from({ length: size }, () => []);
  for (const key of keys) {
    const hash = createHash('md5').update(seed).update(key).digest().readUInt32LE();
    buckets[hash % size]?.push(key);
  }
  const from = order.length;
  const placeOf: number[] = [];
  for (let place = 0; place < size; place++) {
    const bucket = reverse(place, bits);
    placeOf[bucket] = place;
    order.push({ keys: buckets[bucket] ?? [], cursor: String(perSlot ? bucket * SLOTS + slot : bucket) });
  }
  return { slot, size, from, placeOf };
}

function reverse(value: number, bits: number): number {
  let out = 0;
  for (let i = 0; i < bits; i++) out = (out << 1) | ((value >>> i) & 1);
  return out;
}
