// Gathers what a decoder gives a ValueSink into plain data that tests can compare.
import { WholeView } from '../../source/rdb/byte-view.ts';
import { decodeWhole } from '../../source/rdb/decode.ts';
import type { Dialect } from '../../source/rdb/format.ts';
import type { HashTemplates } from '../../source/rdb/hash-templates.ts';
import type { Slice, StreamFacts, StreamId, ValueKind, ValueSink } from '../../source/rdb/value-sink.ts';

/** [id, delivered at (unix ms), deliveries] */
export type CollectedPending = [id: StreamId, deliveredAtMs: number, deliveries: number];

export interface CollectedConsumer {
  name: Buffer;
  seenMs: number;
  /** null before 7.2. */
  activeMs: number | null;
  pending: CollectedPending[];
}

export interface CollectedGroup {
  name: Buffer;
  lastId: StreamId;
  /** null before 7.0, -1n when unknown. */
  entriesRead: bigint | null;
  /** Pending entries that no consumer has (8.8). */
  unowned: CollectedPending[];
  consumers: CollectedConsumer[];
}

/** One value as plain data. Strings are Buffers of their own, scores numbers, stream IDs { ms, seq } of bigints. */
export type CollectedValue =
  | { kind: 'string'; text: Buffer }
  | { kind: 'list'; elements: Buffer[] }
  | { kind: 'set'; elements: Buffer[] }
  | { kind: 'zset'; members: [member: Buffer, score: number][] }
  | { kind: 'hash'; fields: [field: Buffer, value: Buffer, expiresAtMs: number][] }
  | {
      kind: 'stream';
      /** The fields of each: field and value in turn. */
      entries: [id: StreamId, fields: Buffer[]][];
      facts: StreamFacts;
      groups: CollectedGroup[];
    };

const NO_ID: StreamId = { ms: 0n, seq: 0n };

/**
 * A sink for one value after the other; `take` gives the last. It also holds the decoder to the order of its calls: what
 * does not belong to the value's kind, or comes outside of `begin` and `end`, throws.
 */
export class ValueCollector implements ValueSink {
  /** May be set by the test. */
  saturated = false;
  /** What `begin` announced for the value given last. */
  announced: number | null = null;
  #value: CollectedValue | null = null;
  #pieces: Buffer[] = [];
  #facts = false;
  #open = false;

  begin(kind: ValueKind, count: number | null): void {
    if (this.#open) throw new Error('begin inside of a value');
    this.#open = true;
    this.announced = count;
    this.#pieces = [];
    this.#facts = false;
    switch (kind) {
      case 'string':
        this.#value = { kind, text: Buffer.alloc(0) };
        break;
      case 'list':
      case 'set':
        this.#value = { kind, elements: [] };
        break;
      case 'zset':
        this.#value = { kind, members: [] };
        break;
      case 'hash':
        this.#value = { kind, fields: [] };
        break;
      case 'stream': {
        const facts = { length: 0, lastId: NO_ID, firstId: null, maxDeletedId: null, entriesAdded: null };
        this.#value = { kind, entries: [], facts, groups: [] };
      }
    }
  }

  text(piece: Slice): void {
    this.#of('string');
    this.#pieces.push(copy(piece));
  }

  element(element: Slice): void {
    const value = this.#opened();
    if (value.kind !== 'list' && value.kind !== 'set') throw new Error(`an element in a ${value.kind}`);
    value.elements.push(copy(element));
  }

  scored(member: Slice, score: number): void {
    this.#of('zset').members.push([copy(member), score]);
  }

  field(field: Slice, value: Slice, expiresAtMs: number): void {
    this.#of('hash').fields.push([copy(field), copy(value), expiresAtMs]);
  }

  streamEntry(id: StreamId, fields: readonly Slice[], count: number): void {
    const stream = this.#of('stream');
    if (this.#facts) throw new Error('an entry behind the facts');
    stream.entries.push([{ ...id }, fields.slice(0, count).map(copy)]);
  }

  streamFacts(facts: StreamFacts): void {
    if (this.#facts) throw new Error('facts twice');
    this.#facts = true;
    this.#of('stream').facts = structuredClone(facts);
  }

  group(name: Slice, lastId: StreamId, entriesRead: bigint | null): void {
    if (!this.#facts) throw new Error('a group before the facts');
    this.#of('stream').groups.push({
      name: copy(name),
      lastId: { ...lastId },
      entriesRead,
      unowned: [],
      consumers: [],
    });
  }

  consumer(name: Slice, seenMs: number, activeMs: number | null): void {
    this.#group().consumers.push({ name: copy(name), seenMs, activeMs, pending: [] });
  }

  pending(id: StreamId, deliveredAtMs: number, deliveries: number): void {
    const group = this.#group();
    (group.consumers.at(-1)?.pending ?? group.unowned).push([{ ...id }, deliveredAtMs, deliveries]);
  }

  end(): void {
    const value = this.#opened();
    if (value.kind === 'string') value.text = Buffer.concat(this.#pieces);
    if (value.kind === 'stream' && !this.#facts) throw new Error('a stream without facts');
    this.#open = false;
  }

  /** The value that came to its end last. */
  take(): CollectedValue {
    if (this.#value === null || this.#open) throw new Error('no value has come to its end');
    return this.#value;
  }

  #opened(): CollectedValue {
    if (this.#value === null || !this.#open) throw new Error('a call outside of begin and end');
    return this.#value;
  }

  #of<K extends ValueKind>(kind: K): Extract<CollectedValue, { kind: K }> {
    const value = this.#opened();
    if (value.kind !== kind) throw new Error(`a call for a ${kind} in a ${value.kind}`);
    return value as Extract<CollectedValue, { kind: K }>;
  }

  #group(): CollectedGroup {
    const group = this.#of('stream').groups.at(-1);
    if (group === undefined) throw new Error('a consumer or pending entry before any group');
    return group;
  }
}

/** Decodes a value that is all there. @param bytes the value without its type byte; what stands behind it is ignored. */
export function collectValue(type: number, dialect: Dialect, bytes: Buffer, templates?: HashTemplates): CollectedValue {
  const collector = new ValueCollector();
  decodeWhole(type, dialect, new WholeView(bytes), collector, templates);
  return collector.take();
}

function copy({ bytes, start, end }: Slice): Buffer {
  return Buffer.from(bytes.subarray(start, end));
}
