// Values that are encoded and decoded again must be what they were, whatever the goal; and what is encoded anew of the
// corpus's values must be what they are.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WholeView } from '../../source/rdb/byte-view.ts';
import { canDecode, decodeWhole } from '../../source/rdb/decode.ts';
import type { EncodingGoal, Loss } from '../../source/rdb/encode-goal.ts';
import { ValueEncoder } from '../../source/rdb/encode-value.ts';
import { TYPE } from '../../source/rdb/format.ts';
import { HashTemplates } from '../../source/rdb/hash-templates.ts';
import { Reencoder } from '../../source/rdb/reencode.ts';
import type { Slice, StreamFacts, StreamId, ValueKind, ValueSink } from '../../source/rdb/value-sink.ts';
import { corpusFolder, walkedFiles } from '../support/corpus.ts';

type Call = readonly unknown[];

const text = ({ bytes, start, end }: Slice): string => bytes.toString('latin1', start, end);
const idText = (id: StreamId | null): string | null => (id === null ? null : `${id.ms}-${id.seq}`);

/** Notes what it is told, in a form that can be compared. */
class Notes implements ValueSink {
  readonly saturated = false;
  calls: Call[] = [];
  #text = '';

  begin(kind: ValueKind): void {
    this.#text = '';
    this.calls = [[kind]];
  }
  text(piece: Slice): void {
    this.#text += text(piece);
  }
  element(element: Slice): void {
    this.calls.push([text(element)]);
  }
  scored(member: Slice, score: number): void {
    this.calls.push([text(member), score]);
  }
  field(field: Slice, value: Slice, expiresAtMs: number): void {
    this.calls.push([text(field), text(value), expiresAtMs]);
  }
  streamEntry(id: StreamId, fields: readonly Slice[], count: number): void {
    this.calls.push([idText(id), ...fields.slice(0, count).map(text)]);
  }
  streamFacts({ length, lastId, firstId, maxDeletedId, entriesAdded }: StreamFacts): void {
    this.calls.push(['facts', length, idText(lastId), idText(firstId), idText(maxDeletedId), entriesAdded]);
  }
  group(name: Slice, lastId: StreamId, entriesRead: bigint | null): void {
    this.calls.push(['group', text(name), idText(lastId), entriesRead]);
  }
  consumer(name: Slice, seenMs: number, activeMs: number | null): void {
    this.calls.push(['consumer', text(name), seenMs, activeMs]);
  }
  pending(id: StreamId, deliveredAtMs: number, deliveries: number): void {
    this.calls.push(['pending', idText(id), deliveredAtMs, deliveries]);
  }
  end(): void {
    if (this.#text !== '') this.calls.push([this.#text]);
  }
}

const GOALS: readonly EncodingGoal[] = [6, 8, 9, 10, 11, 12, 14]
  .map((redis) => ({ redis, valkey: 0 }))
  .concat([{ redis: 11, valkey: 80 }]);

const slice = (bytes: Buffer): Slice => {
  // Not at the beginning of its buffer, as a decoder's slices are not either.
  const padded = Buffer.concat([Buffer.from('>>'), bytes, Buffer.from('<')]);
  return { bytes: padded, start: 2, end: 2 + bytes.length };
};
const word = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 20 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 60, maxLength: 70 }) },
  { weight: 1, arbitrary: fc.integer({ min: 4090, max: 17_000 }).map((length) => new Uint8Array(length).fill(7)) },
);
const slices = word.map((bytes) => slice(Buffer.from(bytes)));
const goals = fc.constantFrom(...GOALS);
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const ids = fc.record({ ms: uint64, seq: fc.oneof(uint64, fc.constant(0n)) });
const times = fc.integer({ min: 0, max: 2 ** 50 });

/** Plays a value into a sink. */
type Play = (sink: ValueSink) => void;

/** What of the value the encoder writes, decoded; and what it said it lost. */
function roundTrip(play: Play, goal: EncodingGoal): { readonly calls: readonly Call[]; readonly losses: Loss[] } {
  const losses: Loss[] = [];
  const encoder = new ValueEncoder({ goal, onLoss: (loss) => losses.push(loss), nowMs: () => NOW });
  play(encoder);
  const notes = new Notes();
  const view = new WholeView(Buffer.from(encoder.bytes.subarray(0, encoder.length)));
  decodeWhole(encoder.type, encoder.version >= 80 ? 'valkey' : 'redis', view, notes);
  expect(view.start).toBe(view.end);
  return { calls: notes.calls, losses };
}

const NOW = 1_800_000_000_000;

function played(play: Play): readonly Call[] {
  const notes = new Notes();
  play(notes);
  return notes.calls;
}

describe('what is encoded and decoded is the same', () => {
  it('string, in any pieces', () => {
    fc.assert(
      fc.property(fc.array(slices), goals, (pieces, goal) => {
        const play: Play = (sink) => {
          sink.begin('string', null);
          for (const piece of pieces) sink.text(piece);
          sink.end();
        };
        expect(roundTrip(play, goal).calls).toEqual(played(play));
      }),
    );
  });

  it.each(['list', 'set'] as const)('%s', (kind) => {
    fc.assert(
      fc.property(fc.array(slices, { maxLength: 300 }), goals, (elements, goal) => {
        const play: Play = (sink) => {
          sink.begin(kind, null);
          for (const element of elements) sink.element(element);
          sink.end();
        };
        expect(roundTrip(play, goal).calls).toEqual(played(play));
      }),
    );
  });

  it('sorted set, to the last bit', () => {
    const members = fc.array(fc.tuple(slices, fc.double({ noNaN: true })), { maxLength: 200 });
    fc.assert(
      fc.property(members, goals, (scored, goal) => {
        const play: Play = (sink) => {
          sink.begin('zset', scored.length);
          for (const [member, score] of scored) sink.scored(member, score);
          sink.end();
        };
        // toEqual tells -0 from 0.
        expect(roundTrip(play, goal).calls).toEqual(played(play));
      }),
    );
  });

  it('hash, whose expiries are kept or reported', () => {
    const expiry = fc.oneof(
      fc.constant(-1),
      fc.integer({ min: 0, max: 2 ** 48 - 1 }),
      fc.integer({ min: NOW, max: NOW + 9 }),
    );
    const members = fc.array(fc.tuple(slices, slices, expiry), { maxLength: 200 });
    fc.assert(
      fc.property(members, goals, (fields, goal) => {
        const play: Play = (sink) => {
          sink.begin('hash', null);
          for (const [field, value, expiresAtMs] of fields) sink.field(field, value, expiresAtMs);
          sink.end();
        };
        const { calls, losses } = roundTrip(play, goal);
        const keeps = goal.redis >= 12 || goal.valkey >= 80;
        const expected = played(play)
          .filter(([, , expiresAtMs]) => keeps || !(Number(expiresAtMs) >= 0 && Number(expiresAtMs) <= NOW))
          .map((call) => (keeps || call.length < 3 ? call : [call[0], call[1], -1]));
        expect(calls).toEqual(expected);
        const expires = fields.some(([, , expiresAtMs]) => expiresAtMs >= 0);
        expect(losses).toEqual(!keeps && expires ? ['field-expiry'] : []);
      }),
    );
  });

  it('stream', () => {
    const name = fc.constantFrom(...['f', 'g', '', 'a longer name'].map((it) => slice(Buffer.from(it))));
    const entries = fc.uniqueArray(fc.tuple(ids, fc.array(fc.tuple(name, slices), { minLength: 1, maxLength: 3 })), {
      selector: ([id]) => idText(id),
      maxLength: 250,
    });
    const consumers = fc.array(fc.tuple(slices, times, times), { maxLength: 3 });
    const groups = fc.array(
      fc.tuple(
        slices,
        ids,
        fc.bigInt({ min: -1n, max: 2n ** 60n }),
        consumers,
        fc.uniqueArray(ids, { selector: idText }),
      ),
      { maxLength: 3 },
    );
    const facts = fc.record({ lastId: ids, firstId: ids, maxDeletedId: ids, entriesAdded: uint64 });
    const newer = fc.constantFrom(...GOALS.filter(({ redis }) => redis >= 9));
    fc.assert(
      fc.property(entries, facts, groups, newer, (unsorted, known, all, goal) => {
        const sorted = [...unsorted].sort(([a], [b]) => byId(a, b));
        const play: Play = (sink) => {
          sink.begin('stream', null);
          for (const [id, pairs] of sorted) sink.streamEntry(id, pairs.flat(), pairs.length * 2);
          sink.streamFacts({ length: sorted.length, ...known });
          for (const [group, lastId, entriesRead, members, waiting] of all) {
            sink.group(group, lastId, entriesRead);
            members.forEach(([consumer, seenMs, activeMs], index) => {
              sink.consumer(consumer, seenMs, activeMs);
              waiting
                .filter((_, i) => i % members.length === index)
                .sort(byId)
                .forEach((id, i) => {
                  sink.pending(id, seenMs + i, i);
                });
            });
          }
          sink.end();
        };
        const { calls, losses } = roundTrip(play, goal);
        expect(calls).toEqual(played(play).map((call) => inVersion(call, goal.redis)));
        expect(losses.includes('entries-read')).toBe(goal.redis < 10);
        const active = played(play).some((call) => call[0] === 'consumer' && call.length === 4 && call[2] !== call[3]);
        expect(losses.includes('consumer-activity')).toBe(goal.redis < 11 && active);
      }),
      { numRuns: 60 },
    );
  });

  it('but for released entries, which have no owner', () => {
    const losses: Loss[] = [];
    const encoder = new ValueEncoder({ onLoss: (loss) => losses.push(loss) });
    const id = { ms: 1n, seq: 1n };
    encoder.begin('stream');
    encoder.streamFacts({ length: 0, lastId: id, firstId: null, maxDeletedId: null, entriesAdded: 1n });
    encoder.group(slice(Buffer.from('g')), id, 0n);
    for (let i = 0; i < 3; i++) encoder.pending(id, 5, 1);
    encoder.end();
    const notes = new Notes();
    decodeWhole(encoder.type, 'redis', new WholeView(encoder.bytes.subarray(0, encoder.length)), notes);
    expect(notes.calls.filter(([what]) => what === 'pending')).toEqual([]);
    expect(losses).toEqual(['released-entries']);
  });
});

function byId(a: StreamId, b: StreamId): number {
  const [x, y] = a.ms === b.ms ? [a.seq, b.seq] : [a.ms, b.ms];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** What an older version keeps of a call. */
function inVersion(call: Call, redis: number): Call {
  const [what] = call;
  if (what === 'facts' && redis < 10) return [...call.slice(0, 3), null, null, null];
  if (what === 'group' && call.length === 4 && redis < 10) return [...call.slice(0, 3), null];
  if (what === 'consumer' && call.length === 4 && redis < 11) return [...call.slice(0, 3), null];
  return call;
}

it('a hash of which nothing is left is empty, a string without bytes is not', () => {
  const encoder = new ValueEncoder({ goal: { redis: 9, valkey: 0 }, nowMs: () => NOW });
  encoder.begin('hash');
  encoder.field(slice(Buffer.from('f')), slice(Buffer.from('v')), NOW);
  encoder.end();
  expect(encoder.empty).toBe(true);
  encoder.begin('string');
  encoder.end();
  expect(encoder.empty).toBe(false);
});

it('what is lost is told once for each value', () => {
  const losses: Loss[] = [];
  const encoder = new ValueEncoder({ goal: { redis: 9, valkey: 0 }, onLoss: (loss) => losses.push(loss) });
  for (let value = 1; value <= 3; value++) {
    encoder.begin('hash');
    for (let i = 0; i < 5; i++) encoder.field(slice(Buffer.from([i])), slice(Buffer.from('v')), NOW * 2);
    encoder.end();
    expect(losses.length).toBe(value);
  }
});

it('a stream for a server without streams is an error, and for the rewriter impossible', () => {
  const goal = { redis: 8, valkey: 0 };
  expect(() => new ValueEncoder({ goal }).begin('stream')).toThrow('5.0');
  expect(new Reencoder(goal, () => {}).rewrite(15, 'redis', new WholeView(Buffer.alloc(10)))).toBe(null);
});

it('a hash whose field names stand in a template becomes a plain one', () => {
  const templates = new HashTemplates();
  templates.define(
    5,
    ['a', 'b'].map((name) => Buffer.from(name)),
  );
  const view = new WholeView(Buffer.from('050331323302fffe', 'hex'));
  const rewritten = new Reencoder({ redis: 15, valkey: 0 }, () => {}).rewrite(32, 'redis', view, templates);
  expect(rewritten).toMatchObject({ type: 4, version: 6, empty: false });
  const value = rewritten?.bytes.subarray(0, rewritten.length).toString('latin1');
  expect(value).toBe('\x02\x01a\x03123\x01b\x02\xff\xfe');
});

if (corpusFolder === null) console.log('the corpus of RDB files is absent: its values are left out');

describe.runIf(corpusFolder !== null)('every value of the corpus, rewritten,', () => {
  const values = walkedFiles()
    .filter(({ end }) => end.includes('error=None'))
    .flatMap(({ name, path, values }) => {
      const file = readFileSync(path);
      const dialect = file.toString('latin1', 0, 5) === 'REDIS' ? ('redis' as const) : ('valkey' as const);
      return values
        .filter(
          ({ type }) =>
            canDecode(type, dialect) && type !== TYPE.hashTemplateListpackRef && type !== TYPE.hashTemplateArrayRef,
        )
        .map(({ type, offset, length }) => ({ name, dialect, type, bytes: file.subarray(offset, offset + length) }));
    });

  it.each(GOALS.map((goal) => [`${goal.redis}/${goal.valkey}`, goal] as const))('for %s is the same', (_, goal) => {
    expect(new Set(values.map(({ type }) => type)).size).toBeGreaterThan(18);
    const losses: Loss[] = [];
    const reencoder = new Reencoder(goal, (loss) => losses.push(loss));
    for (const { name, dialect, type, bytes } of values) {
      losses.length = 0;
      const rewritten = reencoder.rewrite(type, dialect, new WholeView(bytes));
      const [was, is] = [new Notes(), new Notes()];
      decodeWhole(type, dialect, new WholeView(bytes), was);
      if (was.calls[0]?.[0] === 'stream' && goal.redis < 9) {
        expect(rewritten).toBe(null);
        continue;
      }
      if (rewritten === null) throw new Error(`${name}: type ${type} is impossible`);
      expect(rewritten.version).toBeLessThanOrEqual(rewritten.version >= 80 ? goal.valkey : goal.redis);
      const target = rewritten.version >= 80 ? 'valkey' : 'redis';
      decodeWhole(rewritten.type, target, new WholeView(rewritten.bytes.subarray(0, rewritten.length)), is);
      if (losses.some((loss) => loss === 'released-entries' || loss === 'field-expiry')) continue;
      const expected =
        was.calls[0]?.[0] === 'stream' ? was.calls.map((call) => inVersion(call, goal.redis)) : was.calls;
      expect(is.calls, `${name}, type ${type}`).toEqual(expected);
    }
  });
});
