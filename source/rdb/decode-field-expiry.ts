// Hashes whose fields may have an expiry: types 22 to 25 of Redis 7.4, 22 of Valkey 9. Redis writes the expiry before the
// field, 0 for none, and in type 24 relative to the earliest; Valkey writes it behind the value, -1 for none.
import { openContainer } from './decode-containers.ts';
import type { DecodeTask, Decoding } from './decode-task.ts';
import { RdbError } from './rdb-error.ts';

/** What the sink gets for a field that does not expire. */
const NEVER = -1;

/** Types 22 (absolute, a release candidate's) and 24 (relative) of Redis. */
export function* decodeExpiringFields(relative: boolean, { reader, sink, pace }: DecodeTask): Decoding {
  let earliest = 1;
  if (relative) {
    while (!reader.millis()) yield 'hungry';
    earliest = reader.number;
  }
  while (!reader.count()) yield 'hungry';
  const count = reader.value;
  sink.begin('hash', count);
  for (let i = 0; i < count; i++) {
    while (!reader.lengthAndPair()) yield 'hungry';
    // One more than the distance, so that 0 is left for none.
    const expiresAtMs = reader.value === 0 ? NEVER : earliest + reader.value - 1;
    sink.field(reader.first, reader.second, checked(expiresAtMs, reader.stringPosition));
    while (pace.saturated) yield 'blocked';
  }
  sink.end();
}

/** Types 23 (a release candidate's) and 25 of Redis: a listpack of field, value and expiry in turn. */
export function* decodePackedExpiringFields(withEarliest: boolean, { reader, sink }: DecodeTask): Decoding {
  // The earliest expiry stands in front for a server that only wants to know that one.
  if (withEarliest) while (!reader.millis()) yield 'hungry';
  while (!reader.string()) yield 'hungry';
  const cursor = openContainer(reader, 'listpack');
  const offset = reader.stringPosition;
  const { first, second } = reader;
  sink.begin('hash', cursor.count === null ? null : Math.floor(cursor.count / 3));
  while (cursor.next()) {
    cursor.text(first);
    cursor.expect('the value of a field');
    cursor.text(second);
    cursor.expect('the expiry of a field');
    const expiresAtMs = cursor.number();
    sink.field(first, second, expiresAtMs === 0 ? NEVER : checked(expiresAtMs, offset));
  }
  sink.end();
}

/** Type 22 of Valkey. */
export function* decodeValkeyFields({ reader, sink, pace }: DecodeTask): Decoding {
  while (!reader.count()) yield 'hungry';
  const count = reader.value;
  sink.begin('hash', count);
  for (let i = 0; i < count; i++) {
    while (!reader.pairAndMillis()) yield 'hungry';
    sink.field(reader.first, reader.second, checked(reader.number, reader.stringPosition));
    while (pace.saturated) yield 'blocked';
  }
  sink.end();
}

function checked(expiresAtMs: number, offset: number): number {
  if (Number.isSafeInteger(expiresAtMs) && expiresAtMs >= NEVER) return expiresAtMs;
  throw new RdbError(`A field with the expiry ${expiresAtMs}`, offset);
}
