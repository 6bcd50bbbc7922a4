// A big stream in windows: its entries by XRANGE, then what it remembers beside them, then groups, consumers and what is
// pending, by XINFO and XPENDING.
import type { Slice, StreamId, ValueSink } from '../../rdb/value-sink.ts';
import type { BigKey } from './big-key.ts';

const ENTRIES = 500;

export async function readStream(value: BigKey, sink: ValueSink): Promise<void> {
  const { key } = value;
  sink.begin('stream', null);
  let length = 0;
  let first: StreamId | null = null;
  for (let from = '-'; ; ) {
    const replies = await value.query([['XRANGE', key, from, '+', 'COUNT', String(ENTRIES)]]);
    const count = value.array();
    for (let i = 0; i < count; i++) {
      value.array();
      const id = idOf(value.text());
      first ??= id;
      from = `${id.ms}-${id.seq + 1n}`;
      const fields: Slice[] = Array.from({ length: value.array() }, () => value.slice());
      sink.streamEntry(id, fields, fields.length);
    }
    length += count;
    value.done(replies);
    if (count < ENTRIES) break;
    await value.room(sink);
  }
  const info = await pairs(value, ['XINFO', 'STREAM', key]);
  const deleted = info.get('max-deleted-entry-id');
  const added = info.get('entries-added');
  sink.streamFacts({
    length,
    lastId: idOf(info.get('last-generated-id') ?? '0-0'),
    firstId: first,
    maxDeletedId: deleted === undefined ? null : idOf(deleted),
    entriesAdded: added === undefined ? null : BigInt(added),
  });
  await readGroups(value, sink);
}

async function readGroups(value: BigKey, sink: ValueSink): Promise<void> {
  const { key } = value;
  for (const group of await maps(value, ['XINFO', 'GROUPS', key])) {
    const name = Buffer.from(group.get('name') ?? '', 'latin1');
    const read = group.get('entries-read');
    const entriesRead = read === undefined ? null : read === '' ? -1n : BigInt(read);
    sink.group(whole(name), idOf(group.get('last-delivered-id') ?? '0-0'), entriesRead);
    const replies = await value.query([['TIME'], ['XINFO', 'CONSUMERS', key, name]]);
    const nowMs = readTime(value);
    const consumers = readMaps(value);
    value.done(replies);
    for (const consumer of consumers) {
      const consumerName = Buffer.from(consumer.get('name') ?? '', 'latin1');
      sink.consumer(whole(consumerName), nowMs - Number(consumer.get('idle') ?? 0), null);
      await readPending(value, sink, name, consumerName);
    }
  }
}

async function readPending(value: BigKey, sink: ValueSink, group: Buffer, consumer: Buffer): Promise<void> {
  for (let from = '-'; ; ) {
    const replies = await value.query([['TIME'], ['XPENDING', value.key, group, from, '+', String(ENTRIES), consumer]]);
    const nowMs = readTime(value);
    const count = value.array();
    for (let i = 0; i < count; i++) {
      value.array();
      const id = idOf(value.text());
      value.slice();
      value.cursor.next();
      const idleMs = value.cursor.number;
      value.cursor.next();
      sink.pending(id, nowMs - idleMs, value.cursor.number);
      from = `${id.ms}-${id.seq + 1n}`;
    }
    value.done(replies);
    if (count < ENTRIES) return;
    await value.room(sink);
  }
}

/** One answer of names and values in turn; values that are arrays are left out. */
async function pairs(value: BigKey, command: readonly (string | Buffer)[]): Promise<ReadonlyMap<string, string>> {
  const replies = await value.query([command]);
  const map = readPairs(value);
  value.done(replies);
  return map;
}

async function maps(
  value: BigKey,
  command: readonly (string | Buffer)[],
): Promise<readonly ReadonlyMap<string, string>[]> {
  const replies = await value.query([command]);
  const all = readMaps(value);
  value.done(replies);
  return all;
}

function readMaps(value: BigKey): readonly ReadonlyMap<string, string>[] {
  return Array.from({ length: value.array() }, () => readPairs(value));
}

/** The reply to TIME, milliseconds: how long something is idle counts back from the server's own clock. */
function readTime(value: BigKey): number {
  value.array();
  return Number(value.text()) * 1000 + Math.floor(Number(value.text()) / 1000);
}

function readPairs(value: BigKey): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (let left = value.array(); left > 0; left -= 2) {
    const name = value.text();
    const text = readAny(value);
    if (text !== null) map.set(name, text);
  }
  return map;
}

/** The text of the next reply; null for an array, which is passed over; an empty text for a null. */
function readAny(value: BigKey): string | null {
  const { cursor } = value;
  cursor.next();
  if (cursor.isNull) return '';
  if (cursor.kind !== ARRAY) return cursor.text();
  for (let left = cursor.number; left > 0; left--) readAny(value);
  return null;
}

const ARRAY = 42;

function idOf(text: string): StreamId {
  const [ms = '0', seq = '0'] = text.split('-');
  return { ms: BigInt(ms), seq: BigInt(seq) };
}

function whole(bytes: Buffer): Slice {
  return { bytes, start: 0, end: bytes.length };
}
