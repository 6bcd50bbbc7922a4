// Every type's decoder against values put together by hand: whole, in every chunking, and held up by its sink.
import { describe, expect, it } from 'vitest';
import { WholeView } from '../../source/rdb/byte-view.ts';
import { canDecode, decodeValue, decodeWhole, ValueReader } from '../../source/rdb/decode.ts';
import { HashTemplates } from '../../source/rdb/hash-templates.ts';
import { RdbError } from '../../source/rdb/rdb-error.ts';
import { ByteWindow } from '../../source/readers/byte-window.ts';
import { type CollectedValue, collectValue, ValueCollector } from '../support/collect-value.ts';
import {
  big,
  compressed,
  join,
  length,
  length64,
  listpack,
  literalLzf,
  little,
  repeatedLzf,
  SAMPLES,
  type Sample,
  string,
} from './decode-samples.ts';

/** Behind the value in every test: it must stay where it is. */
const BEHIND = Buffer.from([0xff, 0xff, 0xff]);

/** A listpack of 1.5 million empty strings, in 51 KB of LZF. */
function claimsManyNames(): Buffer {
  const body = 3_000_000;
  const head = Buffer.from([0x80, 1]);
  const lzf = join(
    literalLzf(join(little(4, BigInt(body + 7)), [0xff, 0xff])),
    repeatedLzf(head.toString('latin1'), body / 2),
  );
  return compressed(join(lzf, [0, 0xff]), body + 7);
}

/** Gives the bytes in pieces, each time in a buffer of its own that is overwritten afterwards. */
function decodeInPieces(sample: Sample, sizes: () => number): { value: CollectedValue; rest: Buffer } {
  const all = join(sample.bytes, BEHIND);
  const collector = new ValueCollector();
  let given = sizes();
  const reader = new ValueReader(new WholeView(Buffer.from(all.subarray(0, given))));
  const decoding = decodeValue(sample.type, sample.dialect, reader, collector, sample.templates);
  for (;;) {
    const { done, value } = decoding.next();
    if (done === true) break;
    expect(value).toBe('hungry');
    expect(given).toBeLessThan(sample.bytes.length);
    const { bytes, start, end } = reader.view;
    const more = all.subarray(given, given + sizes());
    given += more.length;
    const next = Buffer.concat([bytes.subarray(start, end), more]);
    bytes.fill(0xee);
    reader.view = new WholeView(next);
  }
  const { bytes, start, end } = reader.view;
  return { value: collector.take(), rest: Buffer.concat([bytes.subarray(start, end), all.subarray(given)]) };
}

/** The same sizes in every run. */
function randomSizes(seed: number, most: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 1 + (state % most);
  };
}

describe('decodeWhole', () => {
  it.each(SAMPLES)('decodes type $type ($dialect): $name', (sample) => {
    const collector = new ValueCollector();
    const view = new WholeView(join(sample.bytes, BEHIND));
    decodeWhole(sample.type, sample.dialect, view, collector, sample.templates);
    expect(collector.take()).toEqual(sample.value);
    expect(view.end - view.start).toBe(BEHIND.length);
  });

  it('announces how much comes, where the value says so', () => {
    for (const sample of SAMPLES) {
      const collector = new ValueCollector();
      decodeWhole(sample.type, sample.dialect, new WholeView(sample.bytes), collector, sample.templates);
      const { value } = sample;
      const unknown = collector.announced === null;
      if (value.kind === 'stream' || sample.type === 14 || sample.type === 18) expect(unknown).toBe(true);
      else if (/unknown count/.test(sample.name)) expect(unknown).toBe(true);
      else expect(collector.announced, sample.name).toBe(sizeOf(value));
    }
  });

  it('names the place where a value ends early', () => {
    for (const sample of SAMPLES) {
      for (let cut = 0; cut < sample.bytes.length; cut += Math.ceil(sample.bytes.length / 40)) {
        const decode = () => {
          const view = new WholeView(sample.bytes.subarray(0, cut), 0, cut, 1_000_000_000);
          decodeWhole(sample.type, sample.dialect, view, new ValueCollector(), sample.templates);
        };
        expect(decode, `${sample.name} cut at ${cut}`).toThrow(RdbError);
        expect(decode).toThrow(/ at byte 10000\d{5} of the snapshot/);
      }
    }
  });

  it('does not wait for a sink', () => {
    const collector = new ValueCollector();
    collector.saturated = true;
    decodeWhole(1, 'redis', new WholeView(join(length(2), string('a'), string('b'))), collector);
    expect(collector.take()).toEqual({ kind: 'list', elements: [Buffer.from('a'), Buffer.from('b')] });
  });
});

describe('decodeValue in any chunking', () => {
  it.each(SAMPLES.filter(({ bytes }) => bytes.length < 10000))(
    'byte by byte, type $type ($dialect): $name',
    (sample) => {
      const { value, rest } = decodeInPieces(sample, () => 1);
      expect(value).toEqual(sample.value);
      expect(rest).toEqual(BEHIND);
    },
  );

  it.each(SAMPLES)('in pieces of any size, type $type ($dialect): $name', (sample) => {
    for (const most of [3, 17, 400, 20000]) {
      const { value, rest } = decodeInPieces(sample, randomSizes(most, most));
      expect(value).toEqual(sample.value);
      expect(rest).toEqual(BEHIND);
    }
  });

  it('goes on in a window that moves and grows', () => {
    const elements = Array.from({ length: 3000 }, (_, i) => `element ${i} ${'.'.repeat(i % 700)}`);
    const bytes = join(length(elements.length), ...elements.map((element) => string(element)));
    let at = 0;
    const source = {
      read(into: Uint8Array, offset: number, room: number): number {
        const count = Math.min(room, 70_001, bytes.length - at);
        into.set(bytes.subarray(at, at + count), offset);
        at += count;
        return count;
      },
    };
    const window = new ByteWindow();
    const collector = new ValueCollector();
    const decoding = decodeValue(1, 'redis', new ValueReader(window), collector);
    while (decoding.next().done !== true) expect(window.fill(source)).toBeGreaterThan(0);
    expect(collector.take()).toEqual({ kind: 'list', elements: elements.map((element) => Buffer.from(element)) });
  });

  it('stops while the sink is saturated, and gives nothing meanwhile', () => {
    for (const sample of SAMPLES) {
      const collector = new SlowCollector();
      const decoding = decodeValue(
        sample.type,
        sample.dialect,
        new ValueReader(new WholeView(sample.bytes)),
        collector,
        sample.templates,
      );
      let stops = 0;
      for (;;) {
        const { done, value } = decoding.next();
        if (done === true) break;
        expect(value).toBe('blocked');
        const calls = collector.calls;
        // Asked again too early it must not go on.
        expect(decoding.next().value).toBe('blocked');
        expect(collector.calls).toBe(calls);
        collector.saturated = false;
        stops++;
      }
      expect(collector.take()).toEqual(sample.value);
      if (sample.type >= 1 && sample.type <= 5 && sizeOf(sample.value) > 0) expect(stops).toBe(sizeOf(sample.value));
    }
  });
});

/** Is saturated by every element. */
class SlowCollector extends ValueCollector {
  calls = 0;
  override element(...parameters: Parameters<ValueCollector['element']>): void {
    super.element(...parameters);
    this.#count();
  }
  override scored(...parameters: Parameters<ValueCollector['scored']>): void {
    super.scored(...parameters);
    this.#count();
  }
  override field(...parameters: Parameters<ValueCollector['field']>): void {
    super.field(...parameters);
    this.#count();
  }
  override streamEntry(...parameters: Parameters<ValueCollector['streamEntry']>): void {
    super.streamEntry(...parameters);
    this.#count();
  }
  override pending(...parameters: Parameters<ValueCollector['pending']>): void {
    super.pending(...parameters);
    this.#count();
  }
  #count(): void {
    this.calls++;
    this.saturated = true;
  }
}

function sizeOf(value: CollectedValue): number {
  switch (value.kind) {
    case 'string':
      return value.text.length;
    case 'list':
    case 'set':
      return value.elements.length;
    case 'zset':
      return value.members.length;
    case 'hash':
      return value.fields.length;
    case 'stream':
      return value.entries.length;
  }
}

describe('big strings', () => {
  it('come in pieces of at most 256 KiB, as their bytes come', () => {
    const bytes = join(length(700_000), Buffer.alloc(700_000, 'abcdefg'));
    const pieces: number[] = [];
    const collector = new (class extends ValueCollector {
      override text(piece: Parameters<ValueCollector['text']>[0]): void {
        super.text(piece);
        pieces.push(piece.end - piece.start);
      }
    })();
    const reader = new ValueReader(new WholeView(bytes.subarray(0, 100_000)));
    const decoding = decodeValue(0, 'redis', reader, collector);
    expect(decoding.next().value).toBe('hungry');
    expect(pieces).toEqual([100_000 - 5]);
    reader.view = new WholeView(bytes.subarray(100_000));
    expect(decoding.next().done).toBe(true);
    expect(pieces.slice(1)).toEqual([262144, 262144, 75717]);
    expect(collector.take()).toEqual({ kind: 'string', text: bytes.subarray(5) });
  });

  it('are inflated in pieces when they are compressed, in any chunking', () => {
    // A phrase of 8191 bytes: every reference reaches back as far as it can.
    const phrase = Array.from({ length: 8191 }, (_, i) => String.fromCharCode(33 + ((i * 7919) % 94))).join('');
    for (const [text, times] of [
      [phrase, 300],
      ['z', 3_000_000],
    ] as const) {
      const plain = Buffer.from(text.repeat(times), 'latin1');
      const bytes = compressed(repeatedLzf(text, times), plain.length);
      const sample: Sample = {
        name: '',
        type: 0,
        dialect: 'redis',
        bytes,
        value: { kind: 'string', text: plain },
      };
      for (const sizes of [() => bytes.length, randomSizes(1, 500), () => 1031]) {
        const { value, rest } = decodeInPieces(sample, sizes);
        expect(value.kind === 'string' && value.text.equals(plain)).toBe(true);
        expect(rest).toEqual(BEHIND);
      }
    }
  });

  it('are refused when the compression is broken', () => {
    const packed = repeatedLzf('ab', 1_000_000);
    const decode = (bytes: Buffer) => () => collectValue(0, 'redis', bytes);
    expect(decode(compressed(packed, 2_000_000))).not.toThrow();
    expect(decode(compressed(packed, 2_000_001))).toThrow(/compressed string that does not give its 2000001 bytes/);
    expect(decode(compressed(packed, 1_999_999))).toThrow(RdbError);
    expect(decode(compressed(packed.subarray(0, -1), 2_000_000))).toThrow(RdbError);
    const reachesBefore = Buffer.concat([Buffer.from([0, 97, 0xe0, 255, 1]), Buffer.alloc(60_000, 0)]);
    expect(decode(compressed(reachesBefore, 1_200_000))).toThrow(RdbError);
  });

  it('of a length that compression cannot give are refused before anything is read', () => {
    const claim = (packed: bigint, inflated: bigint) => join([0xc3], length64(packed), length64(inflated));
    for (const [packed, inflated] of [
      [10n, 881n],
      [10n, 2n ** 62n],
      [2n ** 40n, 100n],
      [0n, 1n],
    ] as const) {
      expect(() => collectValue(0, 'redis', claim(packed, inflated))).toThrow(/bytes of LZF that are said to be/);
      expect(() => collectValue(1, 'redis', join([1], claim(packed, inflated)))).toThrow(/at byte 1 of/);
    }
  });
});

describe('values that no server writes', () => {
  const id = (ms: number) => join(Buffer.alloc(7), [ms], Buffer.alloc(8));
  const time = Buffer.alloc(8);
  /** A stream of version 1 without entries and with one group. */
  const group = (...rest: (Buffer | number[])[]) => join([0, 0, 0, 0, 1], string('g'), [0, 0], ...rest);
  /** A stream of one node, with nothing behind it. */
  const node = (...values: (string | number | bigint)[]) =>
    join([1], string(Buffer.alloc(16)), string(listpack(...values)), [0, 0, 0, 0]);

  it.each<[string, number, Buffer, RegExp, ('valkey' | 'redis')?]>([
    ['an unknown type', 8, Buffer.from([0]), /A value of type 8 \(redis\) that cannot be decoded at byte 0/],
    ['a type of the other dialect', 24, Buffer.from([0]), /type 24 \(valkey\)/, 'valkey'],
    ['a string of an unknown encoding', 0, Buffer.from([0xc4]), /unknown encoding 4 at byte 0/],
    ['a length of no known form', 1, Buffer.from([0x82]), /length that no server writes at byte 0/],
    ['a special string where a length belongs', 1, Buffer.from([0xc0, 1]), /length that no server writes at byte 0/],
    ['more elements than a snapshot holds', 1, length64(2n ** 60n), /A count of/],
    ['an element above all limits', 1, join([1], length64(2n ** 40n)), /A string of 1099511627776 bytes at byte 1/],
    ['NaN in binary', 5, join([1], string('m'), Buffer.from('000000000000f87f', 'hex')), /no number at byte 3/],
    ['NaN in text', 3, join([1], string('m'), [253]), /no number/],
    ['a score of letters', 3, join([1], string('m'), [3], Buffer.from('abc')), /no number/],
    ['a score without digits', 3, join([1], string('m'), [1], Buffer.from('-')), /no number/],
    ['an empty score', 3, join([1], string('m'), [0]), /no number/],
    ['a list node of an unknown kind', 18, join([1, 3], string('x')), /unknown kind 3/],
    ['a field without a value', 16, string(listpack('f', 'v', 'g')), /listpack that ends before the value of a field/],
    ['a member without a score', 17, string(listpack('m')), /before the score/],
    ['a field without an expiry', 25, join(time, string(listpack('f', 'v'))), /before the expiry/],
    ['an expiry of letters', 25, join(time, string(listpack('f', 'v', 'soon'))), /text where an integer/],
    ['an expiry before all time', 25, join(time, string(listpack('f', 'v', -5))), /expiry -5/],
    ['an expiry beyond all time', 22, join([1], length64(2n ** 63n), string('f'), string('v')), /expiry 92/],
    [
      'an expiry before all time',
      22,
      join([1], string('f'), string('v'), Buffer.alloc(8, 0x80)),
      /expiry -9/,
      'valkey',
    ],
    ['names of an unknown layout', 29, Buffer.from([2]), /unknown layout 2/],
    [
      'fewer values than names',
      29,
      join([1, 2], string('a'), string('b'), string(listpack(0, 1))),
      /ends before the val/,
    ],
    ['more values than names', 29, join([1, 1], string('a'), string(listpack(0, 1, 2))), /more values than/],
    ['no number of a template', 30, string(listpack('x')), /text where an integer belongs/],
    ['a template that is not there', 30, string(listpack(9)), /template 9, which was not defined before, at byte 0/],
    ['a template that is not there', 32, Buffer.from([9]), /template 9, which was not defined/],
    ['a stream node of a short ID', 15, join([1], string('short'), string(listpack())), /ID has 5 bytes at byte 1/],
    ['a stream node without a master', 15, node(), /before its counts/],
    ['a stream node of a negative count', 15, node(-1, 0, 0, 0), /with -1 where it counts/],
    ['a stream node of too few entries', 15, node(2, 0, 0, 0, 2, 0, 0, 3), /before entry 2 of 2/],
    ['a stream node of too many entries', 15, node(0, 0, 0, 0, 2, 0, 0, 3), /more entries than it counts/],
    ['a stream entry of too many fields', 15, node(1, 0, 0, 0, 0, 0, 0, 1000, 'a', 'b', 3), /before the fields/],
    ['a master of too many fields', 15, node(1, 0, 1000, 'a'), /before the names/],
    [
      'a stream entry of more fields than any command',
      15,
      node(1, 0, 0, 0, 0, 0, 0, 2n ** 40n),
      /of 1099511627776 fields/,
    ],
    ['a template of more fields than any', 29, join([0], claimsManyNames()), /more than 1048576 fields/],
    ['a stream ID of letters', 15, node(1, 0, 0, 0, 2, 'x', 0, 3), /text where an integer belongs/],
    ['pending entries out of order', 15, group([2], id(2), time, [1], id(1), time, [1], [0]), /out of order/],
    ['a pending entry twice', 15, group([2], id(2), time, [1], id(2), time, [1], [0]), /out of order/],
    ['a pending entry of nobody', 15, group([1], id(2), time, [1], [0]), /1 pending entries that no consumer has/],
    [
      'an entry that is not pending',
      15,
      group([1], id(2), time, [1], [1], string('c'), time, [1], id(3)),
      /not pending/,
    ],
    ['an entry of two', 15, group([1], id(2), time, [1], [1], string('c'), time, [2], id(2), id(2)), /another has/],
  ])('%s', (_, type, bytes, message, dialect = 'redis') => {
    expect(() => collectValue(type, dialect, bytes)).toThrow(RdbError);
    expect(() => collectValue(type, dialect, bytes)).toThrow(message);
  });
});

describe('groups of streams', () => {
  it('may have very many pending entries and consumers, in any order of owners', () => {
    const consumers = 300;
    const each = 40;
    const id = (i: number) => join(Buffer.alloc(4), big(4, BigInt(i)), Buffer.alloc(8));
    const pending = Array.from({ length: consumers * each }, (_, i) =>
      join(id(i), little(8, BigInt(5000 + i)), [i % 60]),
    );
    const owners = Array.from({ length: consumers }, (_, c) => {
      const owned = Array.from({ length: each }, (_, k) => id(((k * 7919) % each) * consumers + c));
      return join(string(`consumer ${c} ${'.'.repeat(c)}`), little(8, BigInt(c)), length(each), ...owned);
    });
    const bytes = join(
      ...[[0, 0, 0, 0, 1], string('g'), [0, 0], length(pending.length), ...pending],
      ...[length(consumers), ...owners],
    );
    const value = collectValue(15, 'redis', bytes);
    if (value.kind !== 'stream') throw new Error(value.kind);
    expect(value.groups[0]?.consumers.length).toBe(consumers);
    for (const [c, consumer] of value.groups[0]?.consumers.entries() ?? []) {
      expect(String(consumer.name)).toBe(`consumer ${c} ${'.'.repeat(c)}`);
      expect(consumer.seenMs).toBe(c);
      expect(consumer.pending).toEqual(
        Array.from({ length: each }, (_, k) => {
          const i = ((k * 7919) % each) * consumers + c;
          return [{ ms: BigInt(i), seq: 0n }, 5000 + i, i % 60];
        }),
      );
    }
  });
});

describe('canDecode', () => {
  it('tells the dialects apart', () => {
    const decodable = (dialect: 'redis' | 'valkey') =>
      Array.from({ length: 256 }, (_, type) => type).filter((type) => canDecode(type, dialect));
    const shared = [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21];
    expect(decodable('redis')).toEqual([...shared, 22, 23, 24, 25, 26, 27, 29, 30, 31, 32]);
    expect(decodable('valkey')).toEqual([...shared, 22]);
  });
});

describe('HashTemplates', () => {
  it('takes a number for the same whatever it is written as', () => {
    const templates = new HashTemplates();
    const fields = [Buffer.from('f')];
    templates.define(5n, fields);
    templates.define(2n ** 63n, []);
    expect(templates.fields(5)).toBe(fields);
    expect(templates.fields(5n)).toBe(fields);
    expect(templates.fields(2n ** 63n)).toEqual([]);
    expect(templates.fields(6)).toBeNull();
  });
});
