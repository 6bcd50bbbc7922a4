// What the statistics say, tried out: samples drawn by the real code from simulated nodes with a known number of bad keys.
// The bound must hold at least as often as it says, wherever the bad keys lie.
import { expect, test } from 'vitest';
import { KeySet } from '../../source/validation/key-set.ts';
import { keySlot } from '../../source/validation/key-slot.ts';
import { seededRandom } from '../../source/validation/random.ts';
import { shareOut } from '../../source/validation/sample-plan.ts';
import type { SampleSize } from '../../source/validation/sample-size.ts';
import { drawKeys, type KeySource } from '../../source/validation/sampler.ts';
import { boundOf, type Stratum } from '../../source/validation/statistics.ts';
import { shortOrLong } from '../support/long.ts';
import { simulatedNode } from './simulated-keyspace.ts';

const RUNS = shortOrLong(200, 400);
const DRAWS: SampleSize = { kind: 'keys', keys: 160 };
/** Three standard deviations of a true 95 % in that many runs. */
const LEAST_HELD = 0.95 - 3 * Math.sqrt((0.95 * 0.05) / RUNS);

/** Tags of one slot, as two tenants may share one. */
const [MATE = ''] = Array.from({ length: 100_000 }, (_, i) => `mate-${i}`).filter(
  (tag) => keySlot(Buffer.from(tag)) === keySlot(Buffer.from('tenant-big')),
);
/** A third of all keys have tags: a few tenants hold most of them, one alone 1,000. */
const KEYS = Array.from({ length: 24_000 }, (_, index) => {
  if (index < 1000) return Buffer.from(`{tenant-big}:${index}`);
  if (index < 1500) return Buffer.from(`{${MATE}}:${index}`);
  if (index < 8000) return Buffer.from(`{tenant-${index % 37}}:${index}`);
  return Buffer.from(`plain:${index}`);
});
/** Of very unequal size. */
const SHARDS = [KEYS.filter((key) => keySlot(key) < 12_000), KEYS.filter((key) => keySlot(key) >= 12_000)];

interface Sampled {
  readonly strata: Stratum[];
  readonly ways: Set<string>;
}

async function sample(nodes: readonly KeySource[], size: SampleSize, bad: (key: Buffer) => boolean, seed: number) {
  const wanted = shareOut(
    size,
    nodes.map(({ keys }) => keys),
  );
  const random = seededRandom(seed);
  const result: Sampled = { strata: [], ways: new Set() };
  for (const [index, source] of nodes.entries()) {
    let different = 0;
    const { drawn, designEffect, way } = await drawKeys({
      source,
      wanted: wanted[index] ?? 0,
      random,
      take: async (keys) => {
        for (const key of keys) if (bad(key)) different += 1;
      },
    });
    result.ways.add(way);
    result.strata.push({ keys: source.keys, drawn, effective: drawn / designEffect, different });
  }
  return result;
}

const shardOf = (number: number): Buffer[] => SHARDS[number] ?? [];
const bigSlot = keySlot(Buffer.from('tenant-big'));
/** Where bad keys may lie, each with more of them than the bound of a sample that finds none: there it can fail. */
const PLACES: readonly [name: string, keys: readonly Buffer[]][] = [
  ['spread evenly', KEYS.filter((_, index) => index % 29 === 3)],
  ['all in one slot', KEYS.filter((key) => keySlot(key) === bigSlot).reverse()],
  ["in one tenant's tag", KEYS.slice(0, 1000)],
  ['in the small shard', shardOf(1).slice(0, 1000)],
  ['in the big shard', shardOf(0).slice(0, 1000)],
];

function namesOf(keys: readonly Buffer[]): Set<string> {
  return new Set(keys.map(String));
}

const NODES = [false, true].flatMap((perSlot) =>
  Array.from({ length: 3 }, (_, seed) => SHARDS.map((keys) => simulatedNode(keys, perSlot, `seed-${seed}`))),
);

test.each(PLACES)('the bound of a sample by windows holds in 95 of 100 runs: bad keys %s', async (_, keys) => {
  for (const order of [NODES.slice(0, 3), NODES.slice(3)]) {
    const none = await sample(order[0] ?? [], DRAWS, () => false, 1);
    // One more than what remains possible when none is found: a sample that finds none is wrong.
    const bad = namesOf(keys.slice(0, boundOf(none.strata, 0.95).keys + 1));
    expect(bad.size).toBeLessThan(keys.length);
    let held = 0;
    let missed = 0;
    for (let run = 0; run < RUNS; run++) {
      const nodes = order[run % order.length] ?? [];
      const { strata, ways } = await sample(nodes, DRAWS, (key) => bad.has(String(key)), run);
      expect([...ways]).toContain('windows');
      if (strata.every(({ different }) => different === 0)) missed += 1;
      if (boundOf(strata, 0.95).keys >= bad.size) held += 1;
    }
    expect(held / RUNS).toBeGreaterThanOrEqual(LEAST_HELD);
    // Some samples do miss all of them: without those the case would prove nothing.
    expect(missed).toBeGreaterThan(0);
  }
});

test('a batch of neighbours that a copier lost is found as often as the bound says', async () => {
  const node = simulatedNode(KEYS, false, 'lost');
  const none = await sample([node], DRAWS, () => false, 1);
  const [window] = await node.scan(['77'], boundOf(none.strata, 0.95).keys + 1);
  const lost = window?.keys ?? [];
  const bad = namesOf(Array.from({ length: lost.length }, (_, index) => lost.at(index) as Buffer));
  let held = 0;
  for (let run = 0; run < RUNS; run++) {
    const { strata } = await sample([node], DRAWS, (key) => bad.has(String(key)), run);
    if (boundOf(strata, 0.95).keys >= bad.size) held += 1;
  }
  expect(held / RUNS).toBeGreaterThanOrEqual(LEAST_HELD);
});

test('the bound is not idle either: a sample of that size would be wrong if it said half', async () => {
  const [nodes = []] = NODES;
  const none = await sample(nodes, DRAWS, () => false, 1);
  const bad = namesOf(shardOf(0).slice(0, Math.floor(boundOf(none.strata, 0.95).keys / 2) + 1));
  let held = 0;
  for (let run = 0; run < RUNS; run++) {
    const { strata } = await sample(nodes, DRAWS, (key) => bad.has(String(key)), run);
    if (boundOf(strata, 0.95).keys / 2 >= bad.size) held += 1;
  }
  expect(held / RUNS).toBeLessThan(0.95);
});

test.each([false, true])(
  'walking and picking draws exactly as many different keys as wanted (per slot: %s)',
  async (perSlot) => {
    const [source = simulatedNode([], false, '')] = SHARDS.map((keys) => simulatedNode(keys, perSlot, 'walk'));
    const drawn: string[] = [];
    const outcome = await drawKeys({
      source,
      wanted: 1000,
      random: seededRandom(4),
      take: async (keys) => {
        drawn.push(...keys.map(String));
      },
    });
    expect(outcome).toEqual({ way: 'walked', drawn: 1000, designEffect: 1, own: 0 });
    expect(new Set(drawn).size).toBe(1000);
  },
);

test('a sample of everything is everything', async () => {
  const source = simulatedNode(KEYS, true, 'all');
  let drawn = 0;
  await drawKeys({
    source,
    wanted: KEYS.length,
    random: seededRandom(4),
    take: async (keys) => {
      drawn += keys.length;
    },
  });
  expect(drawn).toBe(KEYS.length);
});

test('every key is as likely as the other: slots, tenants and shards get their share', async () => {
  for (const nodes of [false, true].map((perSlot) => [simulatedNode(KEYS, perSlot, 'share')])) {
    const counts = new Map<string, number>();
    let all = 0;
    for (let run = 0; run < 150; run++) {
      await sample(
        nodes,
        DRAWS,
        (key) => {
          const tenant = /^\{(tenant-(big|5))/.exec(String(key))?.[1] ?? 'other';
          counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
          all += 1;
          return false;
        },
        1000 + run,
      );
    }
    const shareOf = (tenant: string): number => (counts.get(tenant) ?? 0) / all;
    // 1000 and 176 of 24,000; a uniform choice of slots would give the big tenant 1 in 8,000.
    expect(shareOf('tenant-big')).toBeGreaterThan((0.7 * 1000) / KEYS.length);
    expect(shareOf('tenant-big')).toBeLessThan((1.3 * 1000) / KEYS.length);
    expect(shareOf('tenant-5')).toBeGreaterThan((0.5 * 176) / KEYS.length);
    expect(shareOf('tenant-5')).toBeLessThan((1.6 * 176) / KEYS.length);
  }
});

test('servers that do not take any cursor are walked', async () => {
  const real = simulatedNode(KEYS, false, 'proxy');
  const beginsAnew: KeySource = {
    ...real,
    scan: (cursors, count) =>
      real.scan(
        cursors.map((c) => (c.length > 8 ? '0' : c)),
        count,
      ),
  };
  const refuses: KeySource = {
    ...real,
    scan: async (cursors, count) => {
      if (cursors.some((cursor) => cursor.length > 8)) throw new Error('ERR invalid cursor');
      return real.scan(cursors, count);
    },
  };
  for (const source of [beginsAnew, refuses, { ...real, takesAnyCursor: false }]) {
    const outcome = await drawKeys({ source, wanted: 100, random: seededRandom(1), take: async () => {} });
    expect(outcome).toEqual({ way: 'walked', drawn: 100, designEffect: 1, own: 0 });
  }
});

test('a set of keys knows what it has', () => {
  const set = new KeySet();
  for (const key of KEYS) expect(set.add(key)).toBe(true);
  for (const key of KEYS) expect(set.add(key)).toBe(false);
  expect(set.size).toBe(KEYS.length);
});
