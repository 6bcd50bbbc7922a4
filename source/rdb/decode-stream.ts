// Streams (types 15, 19, 21, 26, 27): listpacks of entries, what the stream remembers, then its groups. Each version adds
// a few fields to the one before. Source: rdbSaveObject of Redis 5.0, 7.0, 7.2, 8.6; the format reference for 8.8.
import { StreamEntries } from './decode-stream-entries.ts';
import { decodeGroup } from './decode-stream-group.ts';
import type { DecodeTask, Decoding } from './decode-task.ts';
import type { ValueReader } from './value-reader.ts';

/** 1: Redis 5.0; 2: 7.0; 3: 7.2 and Valkey; 4: 8.6; 5: 8.8. */
export type StreamVersion = 1 | 2 | 3 | 4 | 5;

export function* decodeStream(version: StreamVersion, task: DecodeTask): Decoding {
  const { reader, sink, pace } = task;
  while (!reader.count()) yield 'hungry';
  const nodes = reader.value;
  // How many entries there are stands behind them.
  sink.begin('stream', null);
  const entries = new StreamEntries();
  for (let i = 0; i < nodes; i++) {
    while (!reader.pair()) yield 'hungry';
    entries.give(reader, sink);
    while (pace.saturated) yield 'blocked';
  }
  yield* decodeFacts(version, task);
  while (!reader.count()) yield 'hungry';
  const groups = reader.value;
  for (let i = 0; i < groups; i++) yield* decodeGroup(version, task);
  if (version >= 4) yield* passIdempotency(reader);
  sink.end();
}

function* decodeFacts(version: StreamVersion, { reader, sink, pace }: DecodeTask): Decoding {
  while (!reader.count()) yield 'hungry';
  const length = reader.value;
  const numbers: bigint[] = [];
  for (let left = version === 1 ? 2 : 7; left > 0; left--) {
    while (!reader.unsigned()) yield 'hungry';
    numbers.push(reader.big);
  }
  const [lastMs = 0n, lastSeq = 0n, firstMs, firstSeq, deletedMs, deletedSeq, entriesAdded = null] = numbers;
  sink.streamFacts({
    length,
    lastId: { ms: lastMs, seq: lastSeq },
    firstId: idOrNull(firstMs, firstSeq),
    maxDeletedId: idOrNull(deletedMs, deletedSeq),
    entriesAdded,
  });
  while (pace.saturated) yield 'blocked';
}

function idOrNull(ms: bigint | undefined, seq: bigint | undefined): { ms: bigint; seq: bigint } | null {
  return ms === undefined || seq === undefined ? null : { ms, seq };
}

/** Who sent what lately, so that nothing is added twice (Redis 8.6): no command writes it, so nobody gets it. */
function* passIdempotency(reader: ValueReader): Decoding {
  yield* passLengths(2, reader);
  while (!reader.count()) yield 'hungry';
  const producers = reader.value;
  for (let i = 0; i < producers; i++) {
    while (!reader.string()) yield 'hungry';
    while (!reader.count()) yield 'hungry';
    const ids = reader.value;
    for (let j = 0; j < ids; j++) {
      while (!reader.string()) yield 'hungry';
      yield* passLengths(2, reader);
    }
  }
  yield* passLengths(2, reader);
}

function* passLengths(count: number, reader: ValueReader): Decoding {
  for (let i = 0; i < count; i++) while (!reader.length()) yield 'hungry';
}
