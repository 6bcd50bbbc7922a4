// Writes the entries of a listpack: integers in their shortest form, everything else as strings. Source: listpack.c of
// Redis 7.0, whose servers check the form of each entry when they load one.
import type { RdbOutput } from './rdb-output.ts';

/** Bytes before the first entry: all bytes of the listpack, and how many entries. */
export const LISTPACK_HEAD_BYTES = 6;
/** Stands behind the last entry. */
export const LISTPACK_END = 0xff;
/** So many entries and more are not counted in the head. */
export const LISTPACK_UNCOUNTED = 0xffff;

/**
 * How many bytes the length behind an entry takes where both forms exist (encode-border.ts): `wide` one more than needed,
 * as servers since Redis 5.0 have it, `narrow` as Valkey 9.1 has it.
 */
export type BorderForm = 'wide' | 'narrow';

const INT_13 = 0xc0;
const INT_16 = 0xf1;
const INT_24 = 0xf2;
const INT_32 = 0xf3;
const INT_64 = 0xf4;
const STRING_6BIT = 0x80;
const STRING_12BIT = 0xe0;
const STRING_32BIT = 0xf0;

/** A whole number of 32 bits. */
export function putPackedInteger(out: RdbOutput, value: number): void {
  const begin = out.length;
  if (value >= 0 && value <= 127) {
    out.putByte(value);
  } else if (value >= -4096 && value <= 4095) {
    out.putByte(INT_13 | ((value >> 8) & 0x1f));
    out.putByte(value & 255);
  } else if (value >= -(2 ** 15) && value < 2 ** 15) {
    out.putByte(INT_16);
    out.putUint16LE(value & 0xffff);
  } else if (value >= -(2 ** 23) && value < 2 ** 23) {
    out.putByte(INT_24);
    out.putUint16LE(value & 0xffff);
    out.putByte((value >> 16) & 255);
  } else {
    out.putByte(INT_32);
    out.putUint32LE(value >>> 0);
  }
  putBackLength(out, out.length - begin);
}

/** A number that is taken as one of 64 bits with a sign. */
export function putPackedBigInteger(out: RdbOutput, value: bigint): void {
  const signed = BigInt.asIntN(64, value);
  if (BigInt.asIntN(32, signed) === signed) {
    putPackedInteger(out, Number(signed));
    return;
  }
  out.putByte(INT_64);
  out.putUint32LE(Number(BigInt.asUintN(32, signed)));
  out.putUint32LE(Number(BigInt.asUintN(32, signed >> 32n)));
  putBackLength(out, 9);
}

/** The bytes from start to end as a string. */
export function putPackedString(out: RdbOutput, bytes: Buffer, start: number, end: number, form: BorderForm): void {
  const begin = out.length;
  const length = end - start;
  if (length < 64) {
    out.putByte(STRING_6BIT | length);
  } else if (length < 4096) {
    out.putByte(STRING_12BIT | (length >> 8));
    out.putByte(length & 255);
  } else {
    out.putByte(STRING_32BIT);
    out.putUint32LE(length);
  }
  out.putBytes(bytes, start, end);
  putBackLength(out, out.length - begin, form);
}

/** Behind each entry: its bytes so far, seven bits a byte, to be read backwards. */
function putBackLength(out: RdbOutput, length: number, form: BorderForm = 'wide'): void {
  if (length <= 127) {
    out.putByte(length);
    return;
  }
  const last = form === 'wide' ? length + 1 : length;
  const groups = last < 2 ** 14 ? 2 : last < 2 ** 21 ? 3 : last < 2 ** 28 ? 4 : 5;
  out.putByte(Math.floor(length / 2 ** (7 * (groups - 1))));
  for (let group = groups - 2; group >= 0; group--) out.putByte(((length >>> (7 * group)) & 127) | 128);
}
