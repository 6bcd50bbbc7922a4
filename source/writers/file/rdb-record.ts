// The records of an RDB file as bytes: opcodes and what belongs to them. Source: rdbSaveRio and rdbSaveKeyValuePair of
// Redis 7.0; the format reference has the byte layouts.
import { putBytes } from '../../protocol/resp-encode.ts';
import { type Dialect, OPCODE } from '../../rdb/format.ts';
import type { SnapshotEntry } from '../../readers/snapshot-sink.ts';

/** Most bytes of everything before a key: expiry 9, idle time 10, type 1, length of the key 9. */
export const KEY_HEAD_BYTES = 32;
/** A length of any size. */
export const LENGTH_BYTES = 9;
/** First version of Valkey's own numbering, and with it of its magic. */
const FIRST_VALKEY_MAGIC = 80;
const UINT_32 = 2 ** 32;
const HIGHEST_INT64 = 2 ** 63 - 1024;

/** The first nine bytes of a file. */
export function magic(version: number, dialect: Dialect): string {
  return dialect === 'valkey' && version >= FIRST_VALKEY_MAGIC
    ? `VALKEY${String(version).padStart(3, '0')}`
    : `REDIS${String(version).padStart(4, '0')}`;
}

/** Writes a length in its shortest form; gives the place behind it. */
export function putLength(out: Uint8Array, at: number, length: number): number {
  if (length < 64) {
    out[at] = length;
    return at + 1;
  }
  if (length < 16384) {
    out[at] = 0x40 | (length >> 8);
    out[at + 1] = length & 255;
    return at + 2;
  }
  if (length < UINT_32) {
    out[at] = 0x80;
    return putUint32(out, at + 1, length);
  }
  return putLongLength(out, at, length);
}

/** Writes a length in the form of nine bytes, whatever its size, for a count that is not known yet. */
export function putLongLength(out: Uint8Array, at: number, length: number): number {
  out[at] = 0x81;
  return putUint32(out, putUint32(out, at + 1, Math.floor(length / UINT_32)), length % UINT_32);
}

/** Writes what stands before a key: its attributes, its type, and the key's length. */
export function putKeyHead(out: Buffer, from: number, entry: SnapshotEntry, type: number, attributes: boolean): number {
  let at = from;
  if (entry.expiresAtMs !== -1) {
    out[at] = OPCODE.expireTimeMs;
    at = putInt64(out, at + 1, entry.expiresAtMs);
  }
  if (attributes && entry.idleSeconds >= 0) {
    out[at] = OPCODE.idle;
    at = putLength(out, at + 1, entry.idleSeconds);
  }
  if (attributes && entry.frequency >= 0) {
    out[at] = OPCODE.freq;
    out[at + 1] = entry.frequency;
    at += 2;
  }
  out[at] = type;
  return putLength(out, at + 1, entry.keyLength);
}

/** A whole record of an opcode and strings: AUX, FUNCTION2. */
export function stringRecord(opcode: number, strings: readonly Buffer[]): Buffer {
  const bytes = strings.reduce((sum, text) => sum + LENGTH_BYTES + text.length, 1);
  const record = Buffer.allocUnsafe(bytes);
  record[0] = opcode;
  let at = 1;
  for (const text of strings) at = putBytes(record, putLength(record, at, text.length), text, 0, text.length);
  return record.subarray(0, at);
}

/** Writes a whole number as 64 bits, little endian; below 0 as well, and the highest double below 2^63 at the most. */
export function putInt64(out: Buffer, at: number, value: number): number {
  const high = Math.floor(Math.min(value, HIGHEST_INT64) / UINT_32);
  out.writeUInt32LE(Math.min(value, HIGHEST_INT64) - high * UINT_32, at);
  out.writeInt32LE(high, at + 4);
  return at + 8;
}

/** Big endian, as all lengths are. */
function putUint32(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = (value >>> 16) & 255;
  out[at + 2] = (value >>> 8) & 255;
  out[at + 3] = value & 255;
  return at + 4;
}
