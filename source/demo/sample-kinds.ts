// The values of the demo's data set: one maker for each type and encoding a server has, so that a copy that handles one
// of them badly shows. A maker gives the commands that build one key.

import type { Argument, Command } from '../validation/connection.ts';
import type { Random } from './random.ts';

export interface Abilities {
  /** Hash fields can expire (HPEXPIRE: Redis 7.4, Valkey 9). */
  readonly fieldExpiry: boolean;
  /** Streams remember deleted entries (7.0): XSETID takes ENTRIESADDED and MAXDELETEDID. */
  readonly streamMemory: boolean;
}

export type Maker = (key: Argument, random: Random, can: Abilities) => Command[];

interface Kind {
  readonly name: string;
  /** Keys of this kind in a thousand. */
  readonly share: number;
  readonly make: Maker;
}

const BIG_STRING_BYTES = 1_048_576;
/** Elements of the large kinds: above every limit for the small encodings (128 and 512). */
const LARGE = 600;
/** Elements of the few giants. */
const GIANT = 20_000;
/** A first entry id that is clearly in the past. */
const STREAM_EPOCH_MS = 1_700_000_000_000;
const WORDS = ['amber', 'basalt', 'cedar', 'delta', 'ember', 'fjord', 'gravel', 'harbour'] as const;

/** Random bytes to cut values from: making them anew for each key would cost more than sending them. */
const NOISE = makeNoise(BIG_STRING_BYTES + 65_536);
const PROSE = Buffer.from('the ferry leaves at night and the harbour sleeps; '.repeat(100));

export const KINDS: readonly Kind[] = [
  { name: 'small', share: 230, make: (key, random) => [['SET', key, noise(random, 1, 44)]] },
  {
    name: 'int',
    share: 120,
    make: (key, random) => [['SET', key, String(Math.floor((random.next() - 0.5) * 2 ** 53))]],
  },
  { name: 'raw', share: 60, make: (key, random) => [['SET', key, noise(random, 45, 300)]] },
  { name: 'kilobytes', share: 40, make: (key, random) => [['SET', key, noise(random, 1024, 4096)]] },
  { name: 'prose', share: 60, make: (key, random) => [['SET', key, PROSE.subarray(0, random.between(100, 4000))]] },
  { name: 'empty', share: 10, make: (key) => [['SET', key, '']] },
  { name: 'bitmap', share: 15, make: makeBitmap },
  { name: 'hll', share: 15, make: (key, random) => [['PFADD', key, ...items(random, random.between(1, 40), 'v')]] },
  { name: 'geo', share: 20, make: makeGeo },
  {
    name: 'list',
    share: 80,
    make: (key, random) => [['RPUSH', key, ...items(random, random.between(1, 12), 'e'), '', -7]],
  },
  { name: 'set-int', share: 50, make: (key, random) => [['SADD', key, ...integers(random, random.between(1, 20))]] },
  { name: 'set', share: 50, make: (key, random) => [['SADD', key, ...items(random, random.between(1, 10), 'm'), '']] },
  { name: 'hash', share: 120, make: (key, random) => [['HSET', key, ...pairs(random, random.between(1, 8)), '', '']] },
  { name: 'hash-ttl', share: 10, make: makeExpiringHash },
  { name: 'zset', share: 76, make: makeSmallSortedSet },
  { name: 'stream', share: 35, make: makeStream },
  { name: 'list-large', share: 2, make: makeLargeList },
  { name: 'set-large', share: 2, make: (key, random) => [['SADD', key, ...items(random, LARGE, 'member')]] },
  { name: 'set-int-large', share: 1, make: (key, random) => [['SADD', key, ...integers(random, LARGE)]] },
  {
    name: 'hash-large',
    share: 2,
    make: (key, random) => [['HSET', key, ...pairs(random, LARGE), 'big', noise(random, 5000, 9000)]],
  },
  { name: 'zset-large', share: 2, make: (key, random) => [['ZADD', key, ...scored(random, LARGE)]] },
];

/** The few that are made once, whatever the number of keys, if there are enough of them. */
export const GIANTS: readonly { readonly name: string; readonly make: Maker }[] = [
  { name: 'string-1mb', make: (key) => [['SET', key, NOISE.subarray(0, BIG_STRING_BYTES)]] },
  { name: 'string-1mb-prose', make: (key) => [['SET', key, Buffer.alloc(BIG_STRING_BYTES, PROSE)]] },
  { name: 'list-giant', make: (key, random) => inSteps((step) => ['RPUSH', key, ...items(random, step, 'element')]) },
  { name: 'set-giant', make: (key, random) => inSteps((step) => ['SADD', key, ...items(random, step, 'member')]) },
  { name: 'hash-giant', make: (key, random) => inSteps((step) => ['HSET', key, ...pairs(random, step)]) },
  { name: 'zset-giant', make: (key, random) => inSteps((step) => ['ZADD', key, ...scored(random, step)]) },
  {
    name: 'list-elements-200kb',
    make: (key, random) => [['RPUSH', key, noise(random, 200_000, 200_001), 'small', noise(random, 200_000, 200_001)]],
  },
];

function makeNoise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 0x9e3779b9;
  for (let i = 0; i + 4 <= length; i += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes.writeInt32LE(state | 0, i);
  }
  return bytes;
}

function noise(random: Random, from: number, to: number): Buffer {
  const length = random.between(from, to);
  const start = random.between(0, NOISE.length - length);
  return NOISE.subarray(start, start + length);
}

function items(random: Random, count: number, prefix: string): string[] {
  return Array.from({ length: count }, () => `${prefix}-${random.between(0, 1_000_000_000)}`);
}

function integers(random: Random, count: number): number[] {
  const bits = random.pick([7, 15, 40]);
  return Array.from({ length: count }, () => Math.floor((random.next() - 0.5) * 2 ** bits));
}

function pairs(random: Random, count: number): string[] {
  const flat: string[] = [];
  for (let i = 0; i < count; i++)
    flat.push(`field-${random.between(0, 1_000_000)}`, `${random.pick(WORDS)}-${random.between(0, 10_000)}`);
  return flat;
}

/** Score, member, ...: scores that need all their 17 digits among them. */
function scored(random: Random, count: number): (string | number)[] {
  const flat: (string | number)[] = [];
  for (let i = 0; i < count; i++) {
    flat.push(
      i % 3 === 0 ? random.between(-1000, 1000) : (random.next() - 0.5) * 1e6,
      `member-${random.between(0, 1_000_000_000)}`,
    );
  }
  return flat;
}

function makeSmallSortedSet(key: Argument, random: Random): Command[] {
  const odd = [
    '0.10000000000000001',
    'one-tenth',
    '-0',
    'minus-zero',
    'inf',
    'infinite',
    '-inf',
    'minus-infinite',
    '-3.5',
    '',
  ];
  return [['ZADD', key, ...scored(random, random.between(1, 8)), ...odd]];
}

function makeBitmap(key: Argument, random: Random): Command[] {
  return Array.from({ length: 3 }, () => ['SETBIT', key, random.between(0, 8000), 1]);
}

function makeGeo(key: Argument, random: Random): Command[] {
  const places: (string | number)[] = [];
  for (let i = 0; i < 4; i++)
    places.push((random.next() * 360 - 180).toFixed(6), (random.next() * 170 - 85).toFixed(6), `place-${i}`);
  return [['GEOADD', key, ...places]];
}

function makeLargeList(key: Argument, random: Random): Command[] {
  // Elements above 8 KB get a node of their own in a quicklist; small ones share.
  return [['RPUSH', key, ...items(random, LARGE, 'element'), noise(random, 9000, 12_000), PROSE, '', 12_345]];
}

function makeExpiringHash(key: Argument, random: Random, can: Abilities): Command[] {
  const made: Command[] = [['HSET', key, 'stays', 'for ever', 'goes', random.pick(WORDS), ...pairs(random, 4)]];
  if (can.fieldExpiry) made.push(['HPEXPIRE', key, random.between(600_000, 86_400_000), 'FIELDS', 1, 'goes']);
  return made;
}

/** Entries, two groups, consumers, pending and acknowledged ones, a deleted entry, a last id beyond the last entry. */
function makeStream(key: Argument, random: Random, can: Abilities): Command[] {
  const entries = random.between(4, 14);
  const made: Command[] = [];
  for (let i = 1; i <= entries; i++) {
    made.push(['XADD', key, `${STREAM_EPOCH_MS + i * 1000}-${i}`, 'n', i, 'word', random.pick(WORDS)]);
  }
  made.push(
    ['XGROUP', 'CREATE', key, 'workers', '0'],
    ['XGROUP', 'CREATE', key, 'watchers', '$'],
    ['XREADGROUP', 'GROUP', 'workers', 'first', 'COUNT', 2, 'STREAMS', key, '>'],
    ['XREADGROUP', 'GROUP', 'workers', 'second', 'COUNT', 1, 'STREAMS', key, '>'],
    ['XACK', key, 'workers', `${STREAM_EPOCH_MS + 1000}-1`],
    ['XDEL', key, `${STREAM_EPOCH_MS + 3000}-3`],
  );
  if (random.next() < 0.3) {
    const memory = can.streamMemory
      ? ['ENTRIESADDED', entries + 50, 'MAXDELETEDID', `${STREAM_EPOCH_MS + 20_000}-1`]
      : [];
    made.push(['XSETID', key, `${STREAM_EPOCH_MS + 90_000}-0`, ...memory]);
  }
  return made;
}

function inSteps(command: (elements: number) => Command): Command[] {
  const step = 1000;
  return Array.from({ length: GIANT / step }, () => command(step));
}
