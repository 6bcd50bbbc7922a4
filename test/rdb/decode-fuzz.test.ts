// Values that were cut, bent and spliced at random: they end in an RdbError or in a normal result, soon, in bounded
// memory, and the same in any chunking.
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WholeView } from '../../source/rdb/byte-view.ts';
import { canDecode, decodeValue, ValueReader } from '../../source/rdb/decode.ts';
import type { Dialect } from '../../source/rdb/format.ts';
import type { HashTemplates } from '../../source/rdb/hash-templates.ts';
import { RdbError } from '../../source/rdb/rdb-error.ts';
import { type CollectedValue, collectValue, ValueCollector } from '../support/collect-value.ts';
import { walkedFiles } from '../support/corpus.ts';
import { SAMPLES } from './decode-samples.ts';

interface Seed {
  readonly type: number;
  readonly dialect: Dialect;
  readonly bytes: Buffer;
  readonly templates?: HashTemplates | undefined;
}

/** Values above this size are left out: a few bent bits would hardly meet a length. */
const MOST_SEED_BYTES = 4000;
/** Of each type this many of the corpus, spread over its files. */
const SEEDS_PER_TYPE = 12;
const RUNS = 6000;
/** On a machine whose cores are shared; a run takes a tenth of a millisecond. */
const MOST_MS = 2000;

function corpusSeeds(): Seed[] {
  const byType = new Map<string, Seed[]>();
  for (const { path, values } of walkedFiles().filter((file) => existsSync(file.path))) {
    const bytes = readFileSync(path);
    const dialect: Dialect = bytes.toString('latin1', 0, 6) === 'VALKEY' ? 'valkey' : 'redis';
    for (const { type, offset, length } of values) {
      if (length > MOST_SEED_BYTES || !canDecode(type, dialect)) continue;
      const seeds = byType.get(`${dialect}${type}`) ?? [];
      byType.set(`${dialect}${type}`, seeds);
      seeds.push({ type, dialect, bytes: bytes.subarray(offset, offset + length) });
    }
  }
  return [...byType.values()].flatMap((seeds) => {
    const step = Math.ceil(seeds.length / SEEDS_PER_TYPE);
    return seeds.filter((_, i) => i % step === 0);
  });
}

const seeds: readonly Seed[] = [...SAMPLES.filter(({ bytes }) => bytes.length <= MOST_SEED_BYTES), ...corpusSeeds()];

/** What becomes of a seed: bits flipped, bytes set to values that mean something, a part cut out, doubled, the end cut. */
const bend = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bit: fc.nat(7) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      at: fc.nat(),
      byte: fc.constantFrom(0, 1, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xe0, 0xf0, 0xf4, 0xfd, 0xfe, 0xff),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), count: fc.integer({ min: 1, max: 20 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('double' as const),
      at: fc.nat(),
      count: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), at: fc.nat() }) },
);
type Bend = typeof bend extends fc.Arbitrary<infer T> ? T : never;

function bent(bytes: Buffer, bends: readonly Bend[]): Buffer {
  let result = Buffer.from(bytes);
  for (const one of bends) {
    if (result.length === 0) return result;
    const at = one.at % result.length;
    switch (one.kind) {
      case 'flip':
        result[at] = (result[at] as number) ^ (1 << one.bit);
        break;
      case 'set':
        result[at] = one.byte;
        break;
      case 'cut':
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + one.count)]);
        break;
      case 'double':
        result = Buffer.concat([result.subarray(0, at + one.count), result.subarray(at)]);
        break;
      case 'end':
        result = result.subarray(0, at);
    }
  }
  return result;
}

/** The value, or the message of the RdbError; any other error is thrown on. */
function outcome(decode: () => CollectedValue): CollectedValue | string {
  try {
    return decode();
  } catch (error) {
    if (error instanceof RdbError) return error.message;
    throw error;
  }
}

function inPieces({ type, dialect, templates }: Seed, bytes: Buffer, size: number): CollectedValue {
  const collector = new ValueCollector();
  const reader = new ValueReader(new WholeView(bytes, 0, 0));
  const decoding = decodeValue(type, dialect, reader, collector, templates);
  for (let end = 0; decoding.next().done !== true; ) {
    const { position } = reader.view;
    if (end === bytes.length) throw new RdbError('The value ends early', position);
    end = Math.min(end + size, bytes.length);
    reader.view = new WholeView(Buffer.from(bytes.subarray(position, end)), 0, end - position, position);
  }
  return collector.take();
}

describe('values that were bent at random', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('end in an RdbError or in a result, in bounded time and memory', () => {
    const allocations: number[] = [];
    const allocate = Buffer.allocUnsafeSlow;
    vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((size) => {
      allocations.push(size);
      return allocate(size);
    });
    const outcomes = { refused: 0, decoded: 0 };
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(bend, { minLength: 1, maxLength: 6 }), (seed, bends) => {
        const bytes = bent(seed.bytes, bends);
        allocations.length = 0;
        const begun = performance.now();
        const result = outcome(() => collectValue(seed.type, seed.dialect, bytes, seed.templates));
        expect(performance.now() - begun).toBeLessThan(MOST_MS);
        outcomes[typeof result === 'string' ? 'refused' : 'decoded']++;
        if (typeof result === 'string') expect(result).toMatch(/ at byte \d+ of the snapshot\.$/);
        // What LZF can give at most, or a piece of a stream of it, and the first room for pending entries.
        for (const size of allocations) expect(size).toBeLessThanOrEqual(Math.max(512, 88 * bytes.length, 300_000));
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    // Bends that are never or always refused would try nothing.
    expect(outcomes.refused).toBeGreaterThan(RUNS / 5);
    expect(outcomes.decoded).toBeGreaterThan(RUNS / 10);
  });

  it('end the same in any chunking', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(bend, { maxLength: 4 }),
        fc.integer({ min: 1, max: 100 }),
        (seed, bends, size) => {
          const bytes = bent(seed.bytes, bends);
          const whole = outcome(() => collectValue(seed.type, seed.dialect, bytes, seed.templates));
          const pieces = outcome(() => inPieces(seed, bytes, size));
          expect(pieces).toEqual(whole);
        },
      ),
      { numRuns: RUNS / 4, endOnFailure: true },
    );
  });

  it('that are nothing but random bytes end too', () => {
    const types = Array.from({ length: 34 }, (_, type) => type);
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.constantFrom<Dialect>('redis', 'valkey'),
        fc.uint8Array({ maxLength: 200 }),
        (type, dialect, bytes) => {
          const begun = performance.now();
          outcome(() => collectValue(type, dialect, Buffer.from(bytes)));
          expect(performance.now() - begun).toBeLessThan(MOST_MS);
        },
      ),
      { numRuns: RUNS, endOnFailure: true },
    );
  });
});
