// Sets of integers (intset.c): width in 32 bits, count in 32 bits, then the members, ascending.

import { int64At } from './decode-number.ts';
import type { MutableSlice } from './decode-slice.ts';
import { RdbError } from './rdb-error.ts';
import type { Slice, ValueSink } from './value-sink.ts';

const HEADER_BYTES = 8;

/**
 * Gives the members of an intset as decimal text, behind `begin`.
 * @param member what to put each into.
 * @param offset place of the intset in the snapshot, for errors.
 * @throws RdbError when its size is not what width and count make.
 */
export function decodeIntset(blob: Slice, offset: number, member: MutableSlice, sink: ValueSink): void {
  const { bytes, start, end } = blob;
  const size = end - start;
  if (size < HEADER_BYTES) throw new RdbError(`An intset of only ${size} bytes`, offset);
  const width = bytes.readUInt32LE(start);
  const count = bytes.readUInt32LE(start + 4);
  if (width !== 2 && width !== 4 && width !== 8) throw new RdbError(`An intset of ${width} bytes per member`, offset);
  if (size !== HEADER_BYTES + width * count) {
    throw new RdbError(`An intset that says it has ${count} members of ${width} bytes and has ${size} bytes`, offset);
  }
  sink.begin('set', count);
  for (let at = start + HEADER_BYTES; at < end; at += width) {
    const value = width === 8 ? int64At(bytes, at) : bytes.readIntLE(at, width);
    if (Number.isSafeInteger(value)) member.integer(value);
    else member.bigInteger(bytes.readBigInt64LE(at));
    sink.element(member);
  }
}
