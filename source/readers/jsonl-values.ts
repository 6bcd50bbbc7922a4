// Plays a value of a JSON line into a sink, call by call as a decoder would. A value in several parts is played part by
// part; of a stream the group and consumer under way are remembered from one to the next.
import type { Slice, ValueKind, ValueSink } from '../rdb/value-sink.ts';
import {
  array,
  big,
  binary,
  members,
  optionalBig,
  optionalStreamId,
  optionalWhole,
  ShapeError,
  score,
  slice,
  streamId,
  whole,
  wrong,
} from './jsonl-shape.ts';

const KINDS: ReadonlySet<unknown> = new Set<ValueKind>(['string', 'list', 'set', 'zset', 'hash', 'stream']);
/** Highest expiry of a field: EB_EXPIRE_TIME_MAX of Redis 7.4. */
const HIGHEST_FIELD_EXPIRY_MS = 2 ** 48 - 1;

export function isValueKind(type: unknown): type is ValueKind {
  return KINDS.has(type);
}

export class JsonlValues {
  #kind: ValueKind = 'string';
  #sink: ValueSink;
  /** Bytes of a string that were announced and are not there yet; null when none were. */
  #awaited: number | null = null;
  #facts = false;
  #group: Buffer | null = null;
  #consumer: Buffer | null = null;
  /** Reused for the entries of a stream. */
  readonly #fields: Slice[] = [];

  constructor(sink: ValueSink) {
    this.#sink = sink;
  }

  /** @param count bytes of a string when they are known, else null. */
  begin(kind: ValueKind, sink: ValueSink, count: number | null): void {
    this.#kind = kind;
    this.#sink = sink;
    this.#awaited = count;
    this.#facts = false;
    this.#group = null;
    this.#consumer = null;
    sink.begin(kind, count);
  }

  /** @throws ShapeError when the value is not what its type says; the sink has a part of it then. */
  part(value: unknown): void {
    switch (this.#kind) {
      case 'string':
        this.#text(slice(value, 'the value'));
        return;
      case 'list':
      case 'set':
        for (const element of array(value, 'the value')) this.#sink.element(slice(element, 'an element'));
        return;
      case 'zset':
        for (const pair of array(value, 'the value')) this.#scored(array(pair, 'a member with its score'));
        return;
      case 'hash':
        for (const field of array(value, 'the value')) this.#field(array(field, 'a field with its value'));
        return;
      case 'stream':
        this.#stream(value);
        return;
    }
  }

  /** @throws ShapeError when something of the value is missing. */
  end(): void {
    if (this.#awaited !== null && this.#awaited !== 0) {
      throw new ShapeError(`the string was announced with ${this.#awaited} bytes more`);
    }
    if (this.#kind === 'stream' && !this.#facts) throw new ShapeError('a stream has no "lastId"');
    this.#sink.end();
  }

  #text(piece: Slice): void {
    if (this.#awaited !== null) {
      this.#awaited -= piece.end;
      if (this.#awaited < 0) throw new ShapeError('the string is longer than its "bytes" announced');
    }
    this.#sink.text(piece);
  }

  #scored(pair: readonly unknown[]): void {
    if (pair.length !== 2) throw wrong(pair, 'a member with its score', 'an array of two');
    this.#sink.scored(slice(pair[0], 'a member'), score(pair[1], 'a score'));
  }

  #field(field: readonly unknown[]): void {
    if (field.length !== 2 && field.length !== 3) throw wrong(field, 'a field', 'an array of two or three');
    this.#sink.field(
      slice(field[0], 'a field'),
      slice(field[1], 'the value of a field'),
      optionalWhole(field[2], 'the expiry of a field', 0, -1, HIGHEST_FIELD_EXPIRY_MS),
    );
  }

  #stream(value: unknown): void {
    const stream = members(value, 'the value');
    const { entries, lastId, groups } = stream as { entries?: unknown; lastId?: unknown; groups?: unknown };
    if (entries !== undefined) {
      if (this.#facts) throw new ShapeError('the entries of a stream stand behind its "lastId"');
      for (const entry of array(entries, '"entries"')) this.#entry(array(entry, 'an entry'));
    }
    if (lastId !== undefined) this.#streamFacts(stream);
    if (groups === undefined) return;
    if (!this.#facts) throw new ShapeError('the groups of a stream stand before its "lastId"');
    for (const group of array(groups, '"groups"')) this.#oneGroup(members(group, 'a group'));
  }

  #entry(entry: readonly unknown[]): void {
    if (entry.length % 2 !== 1) throw wrong(entry, 'an entry', 'an id with fields and values in turn');
    const id = streamId(entry[0], 'the id of an entry');
    for (let i = 1; i < entry.length; i++) this.#fields[i - 1] = slice(entry[i], 'a field or value of an entry');
    this.#sink.streamEntry(id, this.#fields, entry.length - 1);
  }

  #streamFacts(stream: Readonly<Record<string, unknown>>): void {
    if (this.#facts) throw new ShapeError('a stream has a second "lastId"');
    this.#facts = true;
    this.#sink.streamFacts({
      length: whole(stream['length'], '"length"', 0),
      lastId: streamId(stream['lastId'], '"lastId"'),
      firstId: optionalStreamId(stream['firstId'], '"firstId"'),
      maxDeletedId: optionalStreamId(stream['maxDeletedId'], '"maxDeletedId"'),
      entriesAdded: optionalBig(stream['entriesAdded'], '"entriesAdded"', 0n),
    });
  }

  #oneGroup(group: Readonly<Record<string, unknown>>): void {
    const name = binary(group['name'], 'the name of a group');
    if (group['lastId'] !== undefined) {
      this.#group = name;
      this.#consumer = null;
      const lastId = streamId(group['lastId'], 'the last id of a group');
      this.#sink.group(sliceOf(name), lastId, optionalBig(group['entriesRead'], '"entriesRead"', -1n));
    } else if (this.#group === null || !this.#group.equals(name)) {
      throw new ShapeError('a group has no "lastId" and is not the one that the line before ended in');
    }
    if (group['pending'] !== undefined) {
      if (this.#consumer !== null) throw new ShapeError('pending entries of no consumer stand behind a consumer');
      this.#pending(group['pending']);
    }
    if (group['consumers'] === undefined) return;
    for (const consumer of array(group['consumers'], '"consumers"')) {
      this.#oneConsumer(members(consumer, 'a consumer'));
    }
  }

  #oneConsumer(consumer: Readonly<Record<string, unknown>>): void {
    const name = binary(consumer['name'], 'the name of a consumer');
    if (consumer['seenMs'] !== undefined) {
      this.#consumer = name;
      const seenMs = whole(consumer['seenMs'], '"seenMs"', Number.MIN_SAFE_INTEGER);
      this.#sink.consumer(
        sliceOf(name),
        seenMs,
        optionalWhole(consumer['activeMs'], '"activeMs"', Number.MIN_SAFE_INTEGER, null),
      );
    } else if (this.#consumer === null || !this.#consumer.equals(name)) {
      throw new ShapeError('a consumer has no "seenMs" and is not the one that the line before ended in');
    }
    if (consumer['pending'] !== undefined) this.#pending(consumer['pending']);
  }

  #pending(value: unknown): void {
    for (const item of array(value, '"pending"')) {
      const pending = array(item, 'a pending entry');
      if (pending.length !== 3) throw wrong(pending, 'a pending entry', 'an id, a time and a count');
      this.#sink.pending(
        streamId(pending[0], 'the id of a pending entry'),
        whole(pending[1], 'a delivery time', Number.MIN_SAFE_INTEGER),
        Number(big(pending[2], 'a delivery count', 0n)),
      );
    }
  }
}

function sliceOf(bytes: Buffer): Slice {
  return { bytes, start: 0, end: bytes.length };
}
