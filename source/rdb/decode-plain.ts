// Values whose elements stand one behind the other in the snapshot: types 1 to 5. The decoder can stop at each.
import type { DecodeTask, Decoding } from './decode-task.ts';
import { RdbError } from './rdb-error.ts';

/** Types 1 and 2: a count and that many strings. */
export function* decodeElements(kind: 'list' | 'set', { reader, sink, pace }: DecodeTask): Decoding {
  while (!reader.count()) yield 'hungry';
  const count = reader.value;
  sink.begin(kind, count);
  for (let i = 0; i < count; i++) {
    while (!reader.string()) yield 'hungry';
    sink.element(reader.first);
    while (pace.saturated) yield 'blocked';
  }
  sink.end();
}

/** Type 4: a count and that many fields with their values. */
export function* decodeFields({ reader, sink, pace }: DecodeTask): Decoding {
  while (!reader.count()) yield 'hungry';
  const count = reader.value;
  sink.begin('hash', count);
  for (let i = 0; i < count; i++) {
    while (!reader.pair()) yield 'hungry';
    sink.field(reader.first, reader.second, -1);
    while (pace.saturated) yield 'blocked';
  }
  sink.end();
}

/** Type 5: a count and that many members with their scores in binary. */
export function* decodeScored({ reader, sink, pace }: DecodeTask): Decoding {
  while (!reader.count()) yield 'hungry';
  const count = reader.value;
  sink.begin('zset', count);
  for (let i = 0; i < count; i++) {
    while (!reader.scored()) yield 'hungry';
    // As rdbLoadObject does: a sorted set that has no order would crash the server.
    if (Number.isNaN(reader.number)) throw new RdbError('A score that is no number', reader.position - 8);
    sink.scored(reader.first, reader.number);
    while (pace.saturated) yield 'blocked';
  }
  sink.end();
}

/** Type 3: as type 5, with the scores as text. */
export function* decodeTextScored({ reader, sink, pace }: DecodeTask): Decoding {
  while (!reader.count()) yield 'hungry';
  const count = reader.value;
  sink.begin('zset', count);
  for (let i = 0; i < count; i++) {
    while (!reader.textScored()) yield 'hungry';
    if (Number.isNaN(reader.number)) throw new RdbError('A score that is no number', reader.position);
    sink.scored(reader.first, reader.number);
    while (pace.saturated) yield 'blocked';
  }
  sink.end();
}
