// Containers and what is in them: every encoding of an entry, and every way in which one can lie.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ContainerCursor } from '../../source/rdb/decode-cursor.ts';
import { int64At, parseScore } from '../../source/rdb/decode-number.ts';
import { MutableSlice } from '../../source/rdb/decode-slice.ts';
import { ListpackCursor } from '../../source/rdb/listpack.ts';
import { lzfDecompress, lzfIsPlausible, lzfLength } from '../../source/rdb/lzf.ts';
import { LzfStream, PIECE_BYTES } from '../../source/rdb/lzf-stream.ts';
import { RdbError } from '../../source/rdb/rdb-error.ts';
import { ZiplistCursor } from '../../source/rdb/ziplist.ts';
import { collectValue } from '../support/collect-value.ts';
import {
  BORDER_INTEGERS,
  intset,
  join,
  length,
  listpack,
  listpackEntry,
  listpackOf,
  literalLzf,
  little,
  packed,
  repeatedLzf,
  string,
  ziplist,
  ziplistOf,
  zipped,
} from './decode-samples.ts';

/** The entries as text, read in a buffer that has other bytes around the container. */
function entriesOf(cursor: ContainerCursor, container: Buffer): string[] {
  const bytes = join([1, 2, 3], container, Buffer.alloc(300, 0x05));
  cursor.open({ bytes, start: 3, end: 3 + container.length }, 77);
  const slice = new MutableSlice();
  const entries: string[] = [];
  while (cursor.next()) {
    cursor.text(slice);
    entries.push(slice.bytes.toString('latin1', slice.start, slice.end));
  }
  return entries;
}

/** Enough of a long text for a message. */
const brief = (text: string) => `${text.length} bytes, ${text.slice(0, 3)}`;

const KINDS = [
  { name: 'listpack', cursor: new ListpackCursor(), make: listpack, of: listpackOf, entry: packed },
  { name: 'ziplist', cursor: new ZiplistCursor(), make: ziplist, of: ziplistOf, entry: zipped },
] as const;

describe.each(KINDS)('a $name', ({ name, cursor, make, of, entry }) => {
  it('has integers of every width as decimal text, and as numbers', () => {
    expect(entriesOf(cursor, make(...BORDER_INTEGERS))).toEqual(BORDER_INTEGERS.map(String));
    const container = make(...BORDER_INTEGERS);
    cursor.open({ bytes: container, start: 0, end: container.length }, 0);
    for (const integer of BORDER_INTEGERS) {
      cursor.expect('an integer');
      expect(cursor.integer()).toBe(integer);
      expect(cursor.score()).toBe(Number(integer));
      const safe = BigInt.asIntN(53, integer) === integer;
      if (safe) expect(cursor.number()).toBe(Number(integer));
      else if (integer > 2n ** 53n) expect(() => cursor.number()).toThrow(/with the integer \d+/);
    }
  });

  it('has strings on both sides of every border', () => {
    const strings = [0, 1, 63, 64, 127, 128, 253, 254, 255, 256, 4095, 4096, 16383, 16384, 70_000].map((size) =>
      'x'.repeat(size),
    );
    expect(entriesOf(cursor, make(...strings))).toEqual(strings);
  });

  it('says how many entries it has, if they are not too many', () => {
    const count = (container: Buffer) => {
      cursor.open({ bytes: container, start: 0, end: container.length }, 0);
      return cursor.count;
    };
    expect(count(make())).toBe(0);
    expect(count(make('a', 1))).toBe(2);
    expect(count(of([entry(1)], 65535))).toBeNull();
    const many = of(Array(70_000).fill(entry(1)), 65535);
    expect(entriesOf(cursor, many).length).toBe(70_000);
  });

  it('is refused when its totals are wrong', () => {
    const good = make('a', 5);
    const total = Buffer.from(good);
    total[0] = good.length + 1;
    expect(() => entriesOf(cursor, total)).toThrow(`A ${name} that says it has ${good.length + 1} bytes and has`);
    for (const count of [0, 1, 3, 65534]) {
      expect(() => entriesOf(cursor, of([entry('a'), entry(5)], count))).toThrow(
        `A ${name} that says it has ${count} entries and has 2 at byte 77 of the snapshot`,
      );
    }
    const unended = Buffer.from(good);
    unended[good.length - 1] = 0;
    expect(() => entriesOf(cursor, unended)).toThrow(`A ${name} without an end mark`);
    expect(() => entriesOf(cursor, good.subarray(0, 6))).toThrow(`A ${name} of only 6 bytes`);
  });

  it('is refused when an entry reaches outside, wherever it is cut', () => {
    for (const value of ['abc', 'x'.repeat(100), 'x'.repeat(5000), 'x'.repeat(17_000), ...BORDER_INTEGERS]) {
      const whole = entry(value);
      const step = Math.ceil(whole.length / 50);
      for (let cut = 1; cut < whole.length; cut += step) {
        const container = of([whole.subarray(0, cut)], 65535);
        expect(() => entriesOf(cursor, container), `${value} cut at ${cut}`).toThrow(RdbError);
      }
    }
  });

  it('is refused for an entry of an encoding that nobody has defined', () => {
    const known = name === 'listpack' ? /^f[0-4]$/ : /^(c0|d0|e0|f.)$/;
    for (let first = 0xc0; first < 256; first++) {
      if (name === 'listpack' && first < 0xf0) continue;
      if (known.test(first.toString(16)) && first !== 0xff) continue;
      const container = of([join([first], Buffer.alloc(20, 1))], 65535);
      expect(() => entriesOf(cursor, container)).toThrow(`A ${name} with an entry of the unknown encoding ${first}`);
    }
  });

  it('gives back what was put in', () => {
    const values = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.integer({ min: -200, max: 200 }),
      fc.string({ unit: 'binary-ascii', maxLength: 300 }),
    );
    fc.assert(
      fc.property(fc.array(values), (list) => {
        expect(entriesOf(cursor, make(...list))).toEqual(list.map(String));
      }),
      { numRuns: 200 },
    );
  });
});

describe('a listpack', () => {
  it.each([2 ** 14 - 1, 2 ** 21 - 1])('may write an entry length of %i in two ways', (bytes) => {
    for (const size of [bytes - 1, bytes, bytes + 1]) {
      const text = 'x'.repeat(size - 5);
      const encoded = join([0xf0], little(4, BigInt(text.length)), Buffer.from(text));
      const [wide, narrow] = [listpackEntry(encoded), listpackEntry(encoded, true)];
      expect(wide.length - narrow.length).toBe(size === bytes ? 1 : 0);
      for (const entry of [wide, narrow]) {
        expect(entriesOf(new ListpackCursor(), listpackOf([entry, packed(5), entry])).map(brief)).toEqual(
          [text, '5', text].map(brief),
        );
      }
    }
  });

  it('may hold an integer in a wider encoding than it needs', () => {
    const wide = [
      join([0xc0, 5]),
      join([0xf1], little(2, 5n)),
      join([0xf2], little(3, -5n)),
      join([0xf3], little(4, 5n)),
      join([0xf4], little(8, -5n)),
    ];
    expect(entriesOf(new ListpackCursor(), listpackOf(wide.map((encoded) => listpackEntry(encoded))))).toEqual([
      '5',
      '5',
      '-5',
      '5',
      '-5',
    ]);
    const longString = listpackEntry(join([0xf0], little(4, 2n), Buffer.from('ab')));
    expect(
      entriesOf(new ListpackCursor(), listpackOf([longString, listpackEntry(Buffer.from([0xe0, 1, 97]))])),
    ).toEqual(['ab', 'a']);
  });
});

describe('an intset', () => {
  const collect = (blob: Buffer) => collectValue(11, 'redis', string(blob));

  it('gives back what was put in', () => {
    for (const width of [2, 4, 8] as const) {
      const most = 2n ** BigInt(width * 8 - 1);
      fc.assert(
        fc.property(fc.array(fc.bigInt({ min: -most, max: most - 1n })), (members) => {
          const value = collect(intset(width, ...members));
          expect(value.kind === 'set' && value.elements.map(String)).toEqual(members.map(String));
        }),
        { numRuns: 100 },
      );
    }
  });

  it.each<[string, Buffer, RegExp]>([
    ['a width of 3', join(little(4, 3n), little(4, 1n), [1, 2, 3]), /intset of 3 bytes per member/],
    ['a width of 0', join(little(4, 0n), little(4, 1n)), /intset of 0 bytes per member/],
    [
      'too many members',
      join(little(4, 2n), little(4, 2n ** 32n - 1n), [1, 2]),
      /4294967295 members of 2 bytes and has/,
    ],
    ['too few members', join(little(4, 2n), little(4, 1n), [1, 2, 3, 4]), /1 members of 2 bytes and has 12 bytes/],
    ['no header', Buffer.alloc(7), /only 7 bytes/],
  ])('is refused with %s', (_, blob, message) => {
    expect(() => collect(blob)).toThrow(message);
  });
});

describe('a zipmap', () => {
  const collect = (...bytes: number[]) => collectValue(9, 'redis', string(Buffer.from(bytes)));
  const [f, v] = [102, 118];

  it.each<[string, number[], RegExp]>([
    ['nothing in it', [], /without an end mark/],
    ['an end mark alone', [0xff], /without an end mark/],
    ['no end mark', [1, 1, f, 1, 0, v], /without an end mark/],
    ['a wrong count', [2, 1, f, 1, 0, v, 0xff], /says it has 2 fields and has 1/],
    ['a field that reaches outside', [1, 9, f, 1, 0, v, 0xff], /wrong length/],
    ['a value that reaches outside', [1, 1, f, 9, 0, v, 0xff], /value that reaches outside/],
    ['free bytes that reach outside', [1, 1, f, 1, 2, v, 0xff], /value that reaches outside/],
    ['a field without a value', [1, 1, f, 0xff], /wrong length|reaches outside/],
    ['a long length that is cut', [1, 254, 1, 0, 0xff], /wrong length/],
    ['a length that is the end mark', [1, 1, f, 0xff, 0, 0xff], /wrong length/],
    ['a length beyond everything', [1, 254, 255, 255, 255, 255, 1, 0xff], /wrong length|reaches outside/],
  ])('is refused with %s', (_, bytes, message) => {
    expect(() => collect(...bytes)).toThrow(message);
    expect(() => collect(...bytes)).toThrow(RdbError);
  });
});

describe('MutableSlice', () => {
  const slice = new MutableSlice();
  const text = () => slice.bytes.toString('latin1', slice.start, slice.end);

  it('has every integer as its decimal text', () => {
    for (const integer of [0, -1, 9, 10, 0x7fffffff, 0x80000000, -0x80000000, -0x80000001, Number.MAX_SAFE_INTEGER]) {
      slice.integer(integer);
      expect(text()).toBe(String(integer));
    }
    fc.assert(
      fc.property(fc.maxSafeInteger(), (integer) => {
        slice.integer(integer);
        expect(text()).toBe(String(integer));
      }),
    );
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (integer) => {
        slice.bigInteger(integer);
        expect(text()).toBe(String(integer));
        expect(int64At(little(8, integer), 0)).toBe(Number(integer));
      }),
    );
  });

  it('does not keep a big buffer', () => {
    const small = slice.room(1000);
    expect(slice.room(900).buffer).toBe(small.buffer);
    const large = slice.room(2 ** 21);
    expect(slice.room(2 ** 20).buffer).not.toBe(large.buffer);
  });
});

describe('parseScore', () => {
  const parse = (text: string) => parseScore(Buffer.from(`..${text}9`), 2, 2 + text.length);

  it('gives the double that the text means, to the last bit', () => {
    const bits = fc.double({ noNaN: true });
    const written = (value: number): string[] => [
      String(value),
      value.toPrecision(17),
      value.toExponential(),
      ...(Math.abs(value) < 1e21 ? [value.toFixed(3), value.toFixed(17)] : []),
    ];
    fc.assert(
      fc.property(bits, (value) => {
        for (const text of Number.isFinite(value) ? written(value) : [value > 0 ? 'inf' : '-inf']) {
          expect(Object.is(parse(text), Number(text.replace('inf', 'Infinity'))), text).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.stringMatching(/^-?\d{0,18}\.?\d{1,18}$/), (text) => {
        expect(Object.is(parse(text), Number(text)), text).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps the sign of zero', () => {
    for (const text of ['-0', '-0.0', '-0e5', '-.0']) expect(Object.is(parse(text), -0), text).toBe(true);
    for (const text of ['0', '+0', '0.00', '0e-7']) expect(Object.is(parse(text), 0), text).toBe(true);
  });

  it('takes the ways in which C writes infinity', () => {
    for (const text of ['inf', '+inf', 'Infinity', 'INF']) expect(parse(text)).toBe(Number.POSITIVE_INFINITY);
    for (const text of ['-inf', '-Infinity']) expect(parse(text)).toBe(Number.NEGATIVE_INFINITY);
    expect(parse('1e999')).toBe(Number.POSITIVE_INFINITY);
  });

  it('takes nothing else', () => {
    for (const text of ['', '-', '.', 'e5', '1e', '1.2.3', '0x10', ' 1', '1 ', 'nan', '--1', '1'.repeat(600)]) {
      expect(parse(text), text).toBeNaN();
    }
  });
});

describe('LZF', () => {
  /** Random instructions, and what they mean. */
  const instructions = fc.array(
    fc.oneof(
      fc.record({ literal: fc.uint8Array({ minLength: 1, maxLength: 32 }) }),
      fc.record({ run: fc.integer({ min: 3, max: 264 }), back: fc.nat(8191) }),
    ),
    { minLength: 1, maxLength: 400, size: 'max' },
  );
  type Instructions = typeof instructions extends fc.Arbitrary<infer T> ? T : never;

  function build(list: Instructions): { compressed: Buffer; plain: Buffer } {
    const parts: Buffer[] = [];
    const plain: number[] = [];
    for (const one of list) {
      if ('literal' in one) {
        parts.push(join([one.literal.length - 1], [...one.literal]));
        plain.push(...one.literal);
        continue;
      }
      if (plain.length === 0) continue;
      const distance = one.back % Math.min(plain.length, 8192);
      for (let i = 0; i < one.run; i++) plain.push(plain[plain.length - distance - 1] as number);
      const high = distance >> 8;
      const low = distance & 255;
      parts.push(Buffer.from(one.run < 9 ? [((one.run - 2) << 5) | high, low] : [0xe0 | high, one.run - 9, low]));
    }
    return { compressed: join(...parts), plain: Buffer.from(plain) };
  }

  /** Inflates in a stream, in input pieces of that size; null when it is refused. */
  function stream(compressed: Buffer, size: number, piece: number): Buffer | null {
    const lzf = new LzfStream(compressed.length, size);
    const slice = new MutableSlice();
    const pieces: Buffer[] = [];
    let at = 0;
    let end = 0;
    while (!lzf.done) {
      at = lzf.inflate(compressed, at, end);
      if (at < 0) return null;
      if (lzf.full || lzf.done) {
        lzf.take(slice);
        expect(slice.end - slice.start).toBeLessThan(PIECE_BYTES + 264);
        pieces.push(Buffer.from(slice.bytes.subarray(slice.start, slice.end)));
      } else {
        expect(end).toBeLessThan(compressed.length);
        end = Math.min(end + piece, compressed.length);
      }
    }
    return Buffer.concat(pieces);
  }

  it('gives what the instructions mean, at once and as a stream', () => {
    fc.assert(
      fc.property(instructions, fc.integer({ min: 1, max: 50 }), (list, piece) => {
        const { compressed, plain } = build(list);
        if (plain.length === 0) return;
        const target = Buffer.alloc(plain.length);
        expect(lzfIsPlausible(compressed.length, plain.length)).toBe(true);
        expect(lzfLength(compressed, 0, compressed.length)).toBe(plain.length);
        expect(lzfDecompress(compressed, 0, compressed.length, target)).toBe(true);
        expect(target.equals(plain)).toBe(true);
        expect(stream(compressed, plain.length, piece)?.equals(plain)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('is refused by both when it is of another length, or when a byte is changed and it does not fit any more', () => {
    fc.assert(
      fc.property(instructions, fc.nat(), fc.nat(255), (list, place, byte) => {
        const { compressed, plain } = build(list);
        if (plain.length < 2) return;
        for (const size of [plain.length - 1, plain.length + 1]) {
          expect(lzfDecompress(compressed, 0, compressed.length, Buffer.alloc(size))).toBe(false);
          expect(stream(compressed, size, 1000)).toBeNull();
        }
        const changed = Buffer.from(compressed);
        changed[place % changed.length] = byte;
        const target = Buffer.alloc(plain.length);
        const whole = lzfDecompress(changed, 0, changed.length, target);
        const streamed = stream(changed, plain.length, 1000);
        expect(streamed !== null).toBe(whole);
        if (whole) expect(streamed?.equals(target)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('of several pieces is the same as a stream', () => {
    const text = Array.from({ length: 8192 }, (_, i) => String.fromCharCode(32 + ((i * i * 31) % 95))).join('');
    const compressed = repeatedLzf(text, 150);
    const plain = Buffer.from(text.repeat(150));
    expect(stream(compressed, plain.length, 100_000)?.equals(plain)).toBe(true);
    expect(stream(literalLzf(plain), plain.length, 100_000)?.equals(plain)).toBe(true);
  });
});

describe('a container in a value', () => {
  it('leaves the value its place for errors', () => {
    const blob = listpackOf([packed('a')], 9);
    const bytes = join(length(2), [2], string(listpack('ok')), [2], string(blob));
    expect(() => collectValue(18, 'redis', bytes)).toThrow(
      `A listpack that says it has 9 entries and has 1 at byte ${bytes.length - blob.length - 1} of the snapshot`,
    );
  });
});
