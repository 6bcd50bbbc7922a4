// The groups of a stream. The snapshot has a group's pending entries once, and behind them which of them each consumer
// has: both are read in full, compactly, and then given consumer by consumer. Source: rdbSaveStreamConsumers of Redis 7.2.
import { ConsumerList } from './decode-consumers.ts';
import { PendingEntries } from './decode-pending.ts';
import { MutableSlice } from './decode-slice.ts';
import type { StreamVersion } from './decode-stream.ts';
import type { DecodeTask, Decoding } from './decode-task.ts';
import { RdbError } from './rdb-error.ts';
import type { ValueReader } from './value-reader.ts';

/** The counter of entries read that a server has lost track of. */
const UNKNOWN = 2n ** 64n - 1n;
const ID_BYTES = 16;

export function* decodeGroup(version: StreamVersion, task: DecodeTask): Decoding {
  const { reader } = task;
  yield* giveGroup(version, task);
  const pending = new PendingEntries();
  while (!reader.count()) yield 'hungry';
  for (let left = reader.value; left > 0; left--) while (!pending.read(reader)) yield 'hungry';
  const consumers = new ConsumerList();
  yield* readConsumers(version, reader, pending, consumers);
  const ofConsumers = pending.owned;
  // In the file the entries that were released (8.8) come last; given they come first, before any consumer.
  if (version >= 5) {
    while (!reader.count()) yield 'hungry';
    yield* readOwned(reader.value, reader, pending);
  }
  pending.checkAllOwned(reader.position);
  yield* givePending(ofConsumers, pending.owned, pending, task);
  yield* giveConsumers(version, consumers, pending, task);
}

function* giveGroup(version: StreamVersion, { reader, sink, pace }: DecodeTask): Decoding {
  while (!reader.string()) yield 'hungry';
  const { first } = reader;
  const name = Buffer.from(first.bytes.subarray(first.start, first.end));
  while (!reader.unsigned()) yield 'hungry';
  const ms = reader.big;
  while (!reader.unsigned()) yield 'hungry';
  const lastId = { ms, seq: reader.big };
  let entriesRead: bigint | null = null;
  if (version >= 2) {
    while (!reader.unsigned()) yield 'hungry';
    entriesRead = reader.big === UNKNOWN ? -1n : reader.big;
  }
  sink.group({ bytes: name, start: 0, end: name.length }, lastId, entriesRead);
  while (pace.saturated) yield 'blocked';
}

function* readConsumers(
  version: StreamVersion,
  reader: ValueReader,
  pending: PendingEntries,
  consumers: ConsumerList,
): Decoding {
  while (!reader.count()) yield 'hungry';
  for (let left = reader.value; left > 0; left--) {
    while (!reader.string()) yield 'hungry';
    consumers.add(reader.first);
    while (!reader.millis()) yield 'hungry';
    consumers.setSeen(reader.number);
    if (version >= 3) {
      while (!reader.millis()) yield 'hungry';
      consumers.setActive(reader.number);
    }
    while (!reader.count()) yield 'hungry';
    consumers.setEntries(reader.value);
    yield* readOwned(reader.value, reader, pending);
  }
}

/** IDs of pending entries that have one owner. */
function* readOwned(count: number, reader: ValueReader, pending: PendingEntries): Decoding {
  for (let left = count; left > 0; left--) {
    let at = reader.raw(ID_BYTES);
    while (at < 0) {
      yield 'hungry';
      at = reader.raw(ID_BYTES);
    }
    if (!pending.own(reader.view.bytes, at)) {
      throw new RdbError('An owned entry that is not pending, or that another has,', reader.position - ID_BYTES);
    }
  }
}

function* giveConsumers(
  version: StreamVersion,
  consumers: ConsumerList,
  pending: PendingEntries,
  task: DecodeTask,
): Decoding {
  const { sink, pace } = task;
  const name = new MutableSlice();
  let given = 0;
  while (consumers.next(name)) {
    sink.consumer(name, consumers.seenMs, version >= 3 ? consumers.activeMs : null);
    while (pace.saturated) yield 'blocked';
    yield* givePending(given, given + consumers.entries, pending, task);
    given += consumers.entries;
  }
}

function* givePending(from: number, to: number, pending: PendingEntries, { sink, pace }: DecodeTask): Decoding {
  for (let i = from; i < to; i++) {
    pending.give(i, sink);
    while (pace.saturated) yield 'blocked';
  }
}
