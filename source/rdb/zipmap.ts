// Hashes of Redis up to 2.4 (zipmap.c): a count, then fields and values with their lengths, then 0xFF. Behind a value may
// stand bytes that an older, longer value left free.
import { CONTAINER_END } from './decode-cursor.ts';
import type { MutableSlice } from './decode-slice.ts';
import { RdbError } from './rdb-error.ts';
import type { Slice, ValueSink } from './value-sink.ts';

/** From here on the count is not known, and a length stands in the four bytes behind. */
const LONG = 254;

/**
 * Gives the fields of a zipmap, behind `begin`.
 * @param field what to put each field into; `value` its value.
 * @param offset place of the zipmap in the snapshot, for errors.
 * @throws RdbError when a length reaches outside or the count is wrong.
 */
export function decodeZipmap(
  blob: Slice,
  offset: number,
  field: MutableSlice,
  value: MutableSlice,
  sink: ValueSink,
): void {
  const { bytes, start } = blob;
  const last = blob.end - 1;
  if (last <= start || bytes[last] !== CONTAINER_END) throw new RdbError('A zipmap without an end mark', offset);
  const announced = bytes[start] as number;
  sink.begin('hash', announced < LONG ? announced : null);
  let fields = 0;
  for (let at = start + 1; at < last; fields++) {
    const fieldStart = bodyStart(bytes, at, last, offset);
    const fieldEnd = fieldStart + bodyBytes(bytes, at);
    const valueStart = bodyStart(bytes, fieldEnd, last, offset) + 1;
    const valueEnd = valueStart + bodyBytes(bytes, fieldEnd);
    at = valueEnd + (bytes[valueStart - 1] as number);
    if (at > last) throw new RdbError('A zipmap with a value that reaches outside', offset);
    field.set(bytes, fieldStart, fieldEnd);
    value.set(bytes, valueStart, valueEnd);
    sink.field(field, value, -1);
  }
  if (announced < LONG && announced !== fields) {
    throw new RdbError(`A zipmap that says it has ${announced} fields and has ${fields}`, offset);
  }
}

/** Where the string begins whose length stands at `at`. */
function bodyStart(bytes: Buffer, at: number, last: number, offset: number): number {
  const start = bytes[at] === LONG ? at + 5 : at + 1;
  if (start > last || bytes[at] === CONTAINER_END) throw new RdbError('A zipmap with a wrong length', offset);
  return start;
}

function bodyBytes(bytes: Buffer, at: number): number {
  const first = bytes[at] as number;
  return first === LONG ? bytes.readUInt32LE(at + 1) : first;
}
