// RDB values put together by hand from the format reference, without any of the project's own encoders, and what they
// mean. One for each type and each odd corner of it.
import type { Dialect } from '../../source/rdb/format.ts';
import { HashTemplates } from '../../source/rdb/hash-templates.ts';
import type { CollectedValue } from '../support/collect-value.ts';

export interface Sample {
  readonly name: string;
  readonly type: number;
  readonly dialect: Dialect;
  /** The value behind its type byte. */
  readonly bytes: Buffer;
  readonly value: CollectedValue;
  readonly templates?: HashTemplates;
}

export const join = (...parts: (Buffer | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part)));
const latin = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The shortest form of a length. */
export function length(value: number): Buffer {
  if (value < 64) return Buffer.from([value]);
  if (value < 16384) return Buffer.from([0x40 | (value >> 8), value & 255]);
  return join([0x80], big(4, BigInt(value)));
}

/** A length in its longest form. */
export const length64 = (value: bigint): Buffer => join([0x81], big(8, BigInt.asUintN(64, value)));

/** Fixed width, big or little endian, two's complement. */
export function big(bytes: number, value: bigint): Buffer {
  return Buffer.from(little(bytes, value)).reverse();
}
export function little(bytes: number, value: bigint): Buffer {
  let rest = BigInt.asUintN(bytes * 8, value);
  const digits = Array.from({ length: bytes }, () => {
    const byte = Number(rest & 255n);
    rest >>= 8n;
    return byte;
  });
  return Buffer.from(digits);
}

export function string(text: string | Buffer): Buffer {
  const bytes = Buffer.isBuffer(text) ? text : latin(text);
  return join(length(bytes.length), bytes);
}

/** A string compressed to literal runs only: valid LZF of any bytes. */
export function literalLzf(bytes: Buffer): Buffer {
  const runs: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 32) {
    const run = bytes.subarray(at, at + 32);
    runs.push(join([run.length - 1], run));
  }
  return join(...runs);
}

/** LZF of `text` repeated: what does not fit in one reference goes into more. */
export function repeatedLzf(text: string, times: number): Buffer {
  const parts: Buffer[] = [literalLzf(latin(text))];
  const distance = text.length - 1;
  let left = text.length * (times - 1);
  while (left > 0) {
    const run = left > 264 && left < 267 ? 200 : Math.min(left, 264);
    parts.push(
      run < 9
        ? Buffer.from([((run - 2) << 5) | (distance >> 8), distance & 255])
        : Buffer.from([0xe0 | (distance >> 8), run - 9, distance & 255]),
    );
    left -= run;
  }
  return join(...parts);
}

export const compressed = (packed: Buffer, inflated: number): Buffer =>
  join([0xc3], length(packed.length), length(inflated), packed);

export const double = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
};

/**
 * One listpack entry: the encoding's first bytes and the data; the length behind it is added. At the longest length of
 * each width it is one byte wider than it needs to be, as servers wrote it up to 2026, unless it is to be narrow.
 */
export function listpackEntry(encoded: Buffer, narrow = false): Buffer {
  const behind: number[] = [];
  for (let rest = encoded.length; ; rest = Math.floor(rest / 128)) {
    behind.unshift((rest & 127) | (behind.length > 0 ? 128 : 0));
    if (rest < 128) break;
  }
  if (!narrow && [2 ** 14 - 1, 2 ** 21 - 1].includes(encoded.length)) {
    behind[0] = (behind[0] as number) | 128;
    behind.unshift(0);
  }
  return join(encoded, behind);
}

/** A string or an integer in the smallest encoding that holds it, as lpEncodeGetType chooses. */
export function packed(value: string | number | bigint): Buffer {
  if (typeof value === 'string') {
    const bytes = latin(value);
    if (bytes.length < 64) return listpackEntry(join([0x80 | bytes.length], bytes));
    if (bytes.length < 4096) return listpackEntry(join([0xe0 | (bytes.length >> 8), bytes.length & 255], bytes));
    return listpackEntry(join([0xf0], little(4, BigInt(bytes.length)), bytes));
  }
  const integer = BigInt(value);
  if (integer >= 0n && integer < 128n) return listpackEntry(Buffer.from([Number(integer)]));
  if (BigInt.asIntN(13, integer) === integer) {
    const bits = Number(BigInt.asUintN(13, integer));
    return listpackEntry(Buffer.from([0xc0 | (bits >> 8), bits & 255]));
  }
  for (const [first, bytes] of [
    [0xf1, 2],
    [0xf2, 3],
    [0xf3, 4],
  ] as const) {
    if (BigInt.asIntN(bytes * 8, integer) === integer) return listpackEntry(join([first], little(bytes, integer)));
  }
  return listpackEntry(join([0xf4], little(8, integer)));
}

/** @param count what the header says; by default the truth. */
export function listpackOf(entries: readonly Buffer[], count = entries.length): Buffer {
  const body = join(...entries);
  return join(little(4, BigInt(body.length + 7)), little(2, BigInt(count)), body, [0xff]);
}
export const listpack = (...values: (string | number | bigint)[]): Buffer => listpackOf(values.map(packed));

/** Ziplist entries: the encoding's first bytes and the data; the length of the one before is added. */
export function ziplistOf(entries: readonly Buffer[], count = entries.length): Buffer {
  const body: Buffer[] = [];
  let previous = 0;
  let tail = 10;
  let at = 10;
  for (const encoded of entries) {
    const entry = join(previous < 254 ? [previous] : join([0xfe], little(4, BigInt(previous))), encoded);
    tail = at;
    at += entry.length;
    previous = entry.length;
    body.push(entry);
  }
  return join(little(4, BigInt(at + 1)), little(4, BigInt(tail)), little(2, BigInt(count)), ...body, [0xff]);
}
export function zipped(value: string | number | bigint): Buffer {
  if (typeof value === 'string') {
    const bytes = latin(value);
    if (bytes.length < 64) return join([bytes.length], bytes);
    if (bytes.length < 16384) return join([0x40 | (bytes.length >> 8), bytes.length & 255], bytes);
    return join([0x80], big(4, BigInt(bytes.length)), bytes);
  }
  const integer = BigInt(value);
  if (integer >= 0n && integer <= 12n) return Buffer.from([0xf1 + Number(integer)]);
  for (const [first, bytes] of [
    [0xfe, 1],
    [0xc0, 2],
    [0xf0, 3],
    [0xd0, 4],
  ] as const) {
    if (BigInt.asIntN(bytes * 8, integer) === integer) return join([first], little(bytes, integer));
  }
  return join([0xe0], little(8, integer));
}
export const ziplist = (...values: (string | number | bigint)[]): Buffer => ziplistOf(values.map(zipped));

export function intset(width: 2 | 4 | 8, ...members: bigint[]): Buffer {
  return join(little(4, BigInt(width)), little(4, BigInt(members.length)), ...members.map((m) => little(width, m)));
}

/** Integers at the borders of every encoding of listpacks and ziplists. */
export const BORDER_INTEGERS: readonly bigint[] = [
  0n,
  1n,
  12n,
  13n,
  ...[7, 8, 12, 13, 15, 16, 23, 24, 31, 32, 52, 53, 54, 62].flatMap((bits) => {
    const power = 2n ** BigInt(bits);
    return [power - 1n, power, power + 1n, -power - 1n, -power, -power + 1n];
  }),
  2n ** 63n - 1n,
  -(2n ** 63n),
  -1n,
];

const buffers = (...texts: (string | number | bigint)[]): Buffer[] => texts.map((text) => latin(String(text)));
const list = (...texts: (string | number | bigint)[]): CollectedValue => ({
  kind: 'list',
  elements: buffers(...texts),
});
const set = (...texts: (string | number | bigint)[]): CollectedValue => ({ kind: 'set', elements: buffers(...texts) });
const zset = (...members: [string, number][]): CollectedValue => ({
  kind: 'zset',
  members: members.map(([member, score]) => [latin(member), score]),
});
const hash = (...fields: [string, string, number?][]): CollectedValue => ({
  kind: 'hash',
  fields: fields.map(([field, value, expiresAtMs = -1]) => [latin(field), latin(value), expiresAtMs]),
});
const text = (bytes: string | Buffer): CollectedValue => ({
  kind: 'string',
  text: Buffer.isBuffer(bytes) ? bytes : latin(bytes),
});

const BINARY = '\x00\xff\r\n\x80';
const LONG = 'x'.repeat(5000);
const HUGE = 'y'.repeat(17000);
const PHRASE = 'a phrase that comes again and again, ';

function sample(name: string, type: number, bytes: Buffer, value: CollectedValue, rest: Partial<Sample> = {}): Sample {
  return { name, type, dialect: 'redis', bytes, value, ...rest };
}

const STRINGS: readonly Sample[] = [
  sample('an empty string', 0, string(''), text('')),
  sample('a binary string', 0, string(BINARY), text(BINARY)),
  sample('a string of 14 bits of length', 0, string(LONG), text(LONG)),
  sample('a string of 32 bits of length', 0, string(HUGE), text(HUGE)),
  sample('a string of 64 bits of length', 0, join(length64(3n), latin('abc')), text('abc')),
  sample('int8', 0, Buffer.from([0xc0, 0x80]), text('-128')),
  sample('int16', 0, Buffer.from([0xc1, 0xff, 0x7f]), text('32767')),
  sample('int32', 0, join([0xc2], little(4, -(2n ** 31n))), text('-2147483648')),
  sample('int 0', 0, Buffer.from([0xc0, 0]), text('0')),
  sample('LZF', 0, compressed(repeatedLzf(PHRASE, 20), PHRASE.length * 20), text(PHRASE.repeat(20))),
  sample('LZF of nothing', 0, compressed(Buffer.alloc(0), 0), text('')),
];

const PLAIN: readonly Sample[] = [
  sample('a list', 1, join(length(4), string('a'), string(''), [0xc0, 7], string(BINARY)), list('a', '', 7, BINARY)),
  sample('an empty list', 1, length(0), list()),
  sample(
    'a set with a compressed member',
    2,
    join(length(2), string('m'), compressed(repeatedLzf('ab', 40), 80)),
    set('m', 'ab'.repeat(40)),
  ),
  sample(
    'a zset with scores as text',
    3,
    join(
      length(8),
      ...['1.5', '-0', '-1.23456789012345e-100', '17', '0.1', '3.0000000000000004'].flatMap((score, i) => [
        string(`m${i}`),
        join([score.length], latin(score)),
      ]),
      string('up'),
      [254],
      string('down'),
      [255],
    ),
    zset(
      ['m0', 1.5],
      ['m1', -0],
      ['m2', -1.23456789012345e-100],
      ['m3', 17],
      ['m4', 0.1],
      ['m5', 3.0000000000000004],
      ['up', Number.POSITIVE_INFINITY],
      ['down', Number.NEGATIVE_INFINITY],
    ),
  ),
  sample(
    'a hash',
    4,
    join(length(3), string('f'), string('v'), [0xc0, 1], [0xc1, 0x2c, 1], string(''), string('')),
    hash(['f', 'v'], ['1', '300'], ['', '']),
  ),
  sample(
    'a zset with scores in binary',
    5,
    join(
      length(5),
      ...[-0, 5e-324, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1 / 3].flatMap((score, i) => [
        string(`m${i}`),
        double(score),
      ]),
    ),
    zset(['m0', -0], ['m1', 5e-324], ['m2', Number.POSITIVE_INFINITY], ['m3', Number.NEGATIVE_INFINITY], ['m4', 1 / 3]),
  ),
];

const blob = (bytes: Buffer): Buffer => string(bytes);
const packedBlob = (bytes: Buffer): Buffer => compressed(literalLzf(bytes), bytes.length);

const CONTAINERS: readonly Sample[] = [
  sample(
    'a zipmap with free bytes and a long value',
    9,
    blob(
      join(
        [2],
        [1],
        latin('f'),
        [1, 2],
        latin('v..'),
        [0],
        [0xfe],
        little(4, 300n),
        [0],
        latin('w'.repeat(300)),
        [0xff],
      ),
    ),
    hash(['f', 'v'], ['', 'w'.repeat(300)]),
  ),
  sample(
    'a zipmap of unknown count',
    9,
    blob(join([254, 1], latin('f'), [1, 0], latin('v'), [0xff])),
    hash(['f', 'v']),
  ),
  sample('an empty zipmap', 9, blob(Buffer.from([0, 0xff])), hash()),
  sample(
    'a ziplist of everything',
    10,
    blob(ziplist('', 'a', 'b'.repeat(63), 'c'.repeat(64), LONG, HUGE, ...BORDER_INTEGERS)),
    list('', 'a', 'b'.repeat(63), 'c'.repeat(64), LONG, HUGE, ...BORDER_INTEGERS),
  ),
  sample('a ziplist of unknown count', 10, blob(ziplistOf([zipped('a'), zipped(5)], 65535)), list('a', 5)),
  sample('an intset of 16 bits', 11, blob(intset(2, -32768n, 0n, 32767n)), set(-32768, 0, 32767)),
  sample('an intset of 32 bits', 11, blob(intset(4, -(2n ** 31n), 2n ** 31n - 1n)), set(-(2n ** 31n), 2n ** 31n - 1n)),
  sample(
    'an intset of 64 bits, compressed',
    11,
    packedBlob(intset(8, -(2n ** 63n), 2n ** 53n + 1n, 2n ** 63n - 1n)),
    set(-(2n ** 63n), 2n ** 53n + 1n, 2n ** 63n - 1n),
  ),
  sample(
    'a zset ziplist',
    12,
    blob(ziplist('a', 1, 'b', '1.5', 3, '-inf', 'd', 'inf', 'e', '-0', 'f', 2n ** 53n + 1n)),
    zset(
      ['a', 1],
      ['b', 1.5],
      ['3', Number.NEGATIVE_INFINITY],
      ['d', Number.POSITIVE_INFINITY],
      ['e', -0],
      ['f', 2 ** 53],
    ),
  ),
  sample('a hash ziplist, compressed', 13, packedBlob(ziplist('f', 'v', 1, 2)), hash(['f', 'v'], ['1', '2'])),
  sample(
    'a quicklist',
    14,
    join(length(3), blob(ziplist('a', 1)), packedBlob(ziplist('b')), blob(ziplist())),
    list('a', 1, 'b'),
  ),
  sample('a hash listpack', 16, blob(listpack('f', 'v', -1, 70000)), hash(['f', 'v'], ['-1', '70000'])),
  sample('an empty hash listpack', 16, blob(listpack()), hash()),
  sample(
    'a zset listpack',
    17,
    packedBlob(listpack('a', -3, 'b', '2.5e-7', 'c', '-0', 'd', 'inf')),
    zset(['a', -3], ['b', 2.5e-7], ['c', -0], ['d', Number.POSITIVE_INFINITY]),
  ),
  sample(
    'a quicklist of 7.0 with a plain node',
    18,
    join(
      length(3),
      [2],
      blob(listpack('a', 1)),
      [1],
      compressed(repeatedLzf('big', 50), 150),
      [2],
      packedBlob(listpack('z')),
    ),
    list('a', 1, 'big'.repeat(50), 'z'),
  ),
  sample(
    'a set listpack of everything',
    20,
    blob(listpack('', 'b'.repeat(63), 'c'.repeat(64), 'd'.repeat(4095), LONG, HUGE, ...BORDER_INTEGERS)),
    set('', 'b'.repeat(63), 'c'.repeat(64), 'd'.repeat(4095), LONG, HUGE, ...BORDER_INTEGERS),
  ),
  sample('a set listpack of unknown count', 20, blob(listpackOf([packed('a'), packed(5)], 65535)), set('a', 5)),
];

const FAR = 4102444800000;
const EXPIRING: readonly Sample[] = [
  sample(
    'fields with absolute expiries (7.4 RC)',
    22,
    join(length(2), length64(BigInt(FAR)), string('f'), string('v'), length(0), string('g'), string('w')),
    hash(['f', 'v', FAR], ['g', 'w']),
  ),
  sample(
    'a listpack of fields with expiries (7.4 RC)',
    23,
    blob(listpack('f', 'v', FAR, 'g', 5, 0)),
    hash(['f', 'v', FAR], ['g', '5']),
  ),
  sample(
    'fields with relative expiries',
    24,
    join(
      little(8, BigInt(FAR)),
      length(3),
      [1],
      string('a'),
      string('1'),
      [0],
      string('b'),
      string('2'),
      length(1001),
      string('c'),
      [0xc0, 3],
    ),
    hash(['a', '1', FAR], ['b', '2'], ['c', '3', FAR + 1000]),
  ),
  sample(
    'a listpack of fields with expiries',
    25,
    join(little(8, BigInt(FAR)), packedBlob(listpack('f', 'v', FAR, 'g', 5, 0))),
    hash(['f', 'v', FAR], ['g', '5']),
  ),
  sample(
    'fields with expiries of Valkey',
    22,
    join(length(2), string('f'), string('v'), little(8, BigInt(FAR)), string('g'), [0xc0, 9], little(8, -1n)),
    hash(['f', 'v', FAR], ['g', '9']),
    { dialect: 'valkey' },
  ),
];

const TEMPLATES = new HashTemplates();
TEMPLATES.define(3, buffers('x', 'yy'));
TEMPLATES.define(2n ** 60n, buffers('only'));
const TEMPLATE_HASHES: readonly Sample[] = [
  sample(
    'names and values as listpacks',
    29,
    join(length(0), blob(listpack('x', 'yy')), blob(listpack(0, 'one', 2))),
    hash(['x', 'one'], ['yy', '2']),
  ),
  sample(
    'names as strings, values as a listpack',
    29,
    join(length(1), length(2), string('x'), string('yy'), packedBlob(listpack(7, '', -5))),
    hash(['x', ''], ['yy', '-5']),
  ),
  sample('a listpack of a template', 30, blob(listpack(3, 'one', 2)), hash(['x', 'one'], ['yy', '2']), {
    templates: TEMPLATES,
  }),
  sample('a listpack of a template with a big number', 30, blob(listpack(2n ** 60n, 'one')), hash(['only', 'one']), {
    templates: TEMPLATES,
  }),
  sample(
    'names as a listpack, values as strings',
    31,
    join(length(0), blob(listpack('x', 'yy')), string('one'), [0xc0, 2]),
    hash(['x', 'one'], ['yy', '2']),
  ),
  sample(
    'names and values as strings',
    31,
    join(length(1), length(2), string('x'), string('yy'), string('one'), [0xc0, 2]),
    hash(['x', 'one'], ['yy', '2']),
  ),
  sample('values of a template', 32, join(length(3), string('one'), [0xc0, 2]), hash(['x', 'one'], ['yy', '2']), {
    templates: TEMPLATES,
  }),
  sample('a value of a template with a big number', 32, join(length64(2n ** 60n), string('v')), hash(['only', 'v']), {
    templates: TEMPLATES,
  }),
];

const id = (ms: bigint, seq: bigint): Buffer => join(big(8, ms), big(8, seq));
const HIGHEST = 2n ** 64n - 1n;

/** Two nodes: shared fields, own fields, a deleted entry, a delta below zero, IDs of 64 bits. */
const NODES = join(
  length(2),
  string(id(1000n, 5n)),
  blob(
    listpack(
      // count, deleted, fields, their names, the end of the master entry
      ...[3, 1, 2, 'f', 'g', 0],
      // flags, deltas, values, length
      ...[2, 0, 0, 'a', 1, 5],
      ...[3, 1, -5, 'gone', 'gone', 5],
      ...[0, 2, 0, 1, 'own', 'x', 6],
      ...[2, 3, 2n ** 62n, '', -7, 5],
    ),
  ),
  string(id(HIGHEST - 1n, 0n)),
  packedBlob(listpack(1, 0, 1, 'f', 0, 2, 1, -1n, 'last', 4)),
);
const ENTRIES: Extract<CollectedValue, { kind: 'stream' }>['entries'] = [
  [{ ms: 1000n, seq: 5n }, buffers('f', 'a', 'g', '1')],
  [{ ms: 1002n, seq: 5n }, buffers('own', 'x')],
  [{ ms: 1003n, seq: 5n + 2n ** 62n }, buffers('f', '', 'g', '-7')],
  [{ ms: HIGHEST, seq: HIGHEST }, buffers('f', 'last')],
];
const HEAD = join(length(4), length64(HIGHEST), length64(HIGHEST));
const HEAD_2 = join(HEAD, length(1000), [5], length(1001), [0], length64(2n ** 63n));
const PENDING = join(
  length(3),
  ...[id(1000n, 5n), little(8, 1700000000001n), [1]],
  ...[id(1001n, 0n), little(8, 1700000000002n), length(300)],
  ...[id(HIGHEST, HIGHEST), little(8, 1700000000003n), length(70000)],
);
const seen = little(8, 1700000000123n);
const active = little(8, 1700000000456n);

function stream(version: number): CollectedValue {
  const later = version >= 2;
  const activeMs = version >= 3 ? 1700000000456 : null;
  const pending: [{ ms: bigint; seq: bigint }, number, number][] = [
    [{ ms: 1000n, seq: 5n }, 1700000000001, 1],
    [{ ms: 1001n, seq: 0n }, 1700000000002, 300],
    [{ ms: HIGHEST, seq: HIGHEST }, 1700000000003, 70000],
  ];
  const [one, two, three] = pending as [(typeof pending)[0], (typeof pending)[0], (typeof pending)[0]];
  return {
    kind: 'stream',
    entries: ENTRIES,
    facts: {
      length: 4,
      lastId: { ms: HIGHEST, seq: HIGHEST },
      firstId: later ? { ms: 1000n, seq: 5n } : null,
      maxDeletedId: later ? { ms: 1001n, seq: 0n } : null,
      entriesAdded: later ? 2n ** 63n : null,
    },
    groups: [
      {
        name: latin('workers'),
        lastId: { ms: 1002n, seq: 5n },
        entriesRead: later ? 3n : null,
        unowned: version >= 5 ? [two] : [],
        consumers: [
          { name: latin('alice'), seenMs: 1700000000123, activeMs, pending: [three] },
          { name: latin('idle'), seenMs: 1700000000123, activeMs, pending: [] },
          { name: latin(BINARY), seenMs: 1700000000123, activeMs, pending: version >= 5 ? [one] : [one, two] },
        ],
      },
      {
        name: latin(''),
        lastId: { ms: 0n, seq: 0n },
        entriesRead: later ? -1n : null,
        unowned: [],
        consumers: [],
      },
    ],
  };
}

function streamBytes(version: number): Buffer {
  const times = version >= 3 ? join(seen, active) : seen;
  const owned = version >= 5 ? join([1], id(1000n, 5n)) : join([2], id(1000n, 5n), id(1001n, 0n));
  return join(
    NODES,
    version >= 2 ? HEAD_2 : HEAD,
    [2],
    ...[string('workers'), length(1002), [5], version >= 2 ? [3] : []],
    ...[PENDING, [3]],
    ...[string('alice'), times, [1], id(HIGHEST, HIGHEST)],
    ...[string('idle'), times, [0]],
    ...[string(BINARY), times, owned],
    version >= 5 ? join([1], id(1001n, 0n)) : [],
    ...[string(''), [0, 0], version >= 2 ? length64(-1n) : [], [0, 0], version >= 5 ? [0] : []],
    version >= 4
      ? join(
          length(100),
          length(10),
          [1],
          string('producer'),
          [2],
          string('i'),
          length64(HIGHEST),
          [0],
          string('j'),
          [1, 1],
          [2, 3],
        )
      : [],
  );
}

const STREAMS: readonly Sample[] = [
  ...([15, 19, 21, 26, 27] as const).map((type, i) =>
    sample(`a stream of version ${i + 1}`, type, streamBytes(i + 1), stream(i + 1)),
  ),
  sample('an empty stream', 15, Buffer.from([0, 0, 0, 0, 0]), {
    kind: 'stream',
    entries: [],
    facts: { length: 0, lastId: { ms: 0n, seq: 0n }, firstId: null, maxDeletedId: null, entriesAdded: null },
    groups: [],
  }),
];

export const SAMPLES: readonly Sample[] = [
  ...STRINGS,
  ...PLAIN,
  ...CONTAINERS,
  ...EXPIRING,
  ...TEMPLATE_HASHES,
  ...STREAMS,
];
