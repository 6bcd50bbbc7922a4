// Writes RDB primitives one behind another into a buffer that grows and is used again: no object per primitive. Strings
// are written plain, never compressed or as integers, which every server reads. Layouts: rdb.c of Redis 2.6 to 8.
import { putBytes } from '../protocol/resp-encode.ts';
import type { StreamId } from './value-sink.ts';

const INITIAL_BYTES = 4096;
/** A larger buffer is not kept for the next value. */
const KEPT_BYTES = 4 * 1024 * 1024;

const LENGTH_14BIT = 0x40;
const LENGTH_32BIT = 0x80;
const LENGTH_64BIT = 0x81;
const UINT_32 = 2 ** 32;
const UINT_64 = 2 ** 64;
/** The highest double below 2^63. */
const HIGHEST_INT64 = 2 ** 63 - 1024;

/** Bytes of the length that `reserveLength` leaves room for. */
const RESERVED_LENGTH_BYTES = 5;

const SCORE = { notANumber: 253, infinity: 254, negativeInfinity: 255 } as const;

export class RdbOutput {
  /** Holds what was written in its first `length` bytes; another one when it had to grow. */
  bytes: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  length = 0;

  /** Begins again; what was written is given up. */
  reset(): void {
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  }

  putByte(value: number): void {
    this.#makeRoom(1);
    this.bytes[this.length++] = value;
  }

  putUint16LE(value: number): void {
    this.#makeRoom(2);
    this.length = this.bytes.writeUInt16LE(value, this.length);
  }

  putUint32LE(value: number): void {
    this.#makeRoom(4);
    this.length = this.bytes.writeUInt32LE(value, this.length);
  }

  /** The range of bytes as it is, no length before it. */
  putBytes(bytes: Buffer, start: number, end: number): void {
    this.#makeRoom(end - start);
    this.length = putBytes(this.bytes, this.length, bytes, start, end - start);
  }

  /** A length or count in its shortest form. Below 0 (a counter that is not known) and above 2^64: the highest of 64 bits. */
  putLength(value: number | bigint): void {
    if (typeof value === 'bigint') {
      this.#putBigLength(value);
      return;
    }
    this.#makeRoom(9);
    const bytes = this.bytes;
    if (value >= 0 && value < 64) {
      bytes[this.length++] = value;
    } else if (value >= 0 && value < 16384) {
      bytes[this.length++] = LENGTH_14BIT | (value >> 8);
      bytes[this.length++] = value & 255;
    } else if (value >= 0 && value < UINT_32) {
      bytes[this.length++] = LENGTH_32BIT;
      this.length = bytes.writeUInt32BE(value, this.length);
    } else {
      this.putLongLength(value);
    }
  }

  /** A length in the form of nine bytes, whatever its size. */
  putLongLength(value: number): void {
    const known = value >= 0 && value < UINT_64;
    this.#makeRoom(9);
    this.bytes[this.length++] = LENGTH_64BIT;
    this.length = this.bytes.writeUInt32BE(known ? Math.floor(value / UINT_32) : UINT_32 - 1, this.length);
    this.length = this.bytes.writeUInt32BE(known ? value % UINT_32 : UINT_32 - 1, this.length);
  }

  #putBigLength(value: bigint): void {
    if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
      this.putLength(Number(value));
      return;
    }
    this.#makeRoom(9);
    this.bytes[this.length++] = LENGTH_64BIT;
    this.length = this.bytes.writeBigUInt64BE(BigInt.asUintN(64, value), this.length);
  }

  /** Leaves room for a length that is known later; gives its place. */
  reserveLength(): number {
    const at = this.length;
    this.#makeRoom(RESERVED_LENGTH_BYTES);
    this.length += RESERVED_LENGTH_BYTES;
    return at;
  }

  /** Writes a length into the room left for it, in the form of five bytes: below 2^32, as is all that fits into memory. */
  patchLength(at: number, value: number): void {
    this.bytes[at] = LENGTH_32BIT;
    this.bytes.writeUInt32BE(value, at + 1);
  }

  /** A string: its length and its bytes. */
  putString(bytes: Buffer, start: number, end: number): void {
    this.putLength(end - start);
    this.putBytes(bytes, start, end);
  }

  /** A string that is a program's own word, in ASCII. */
  putText(text: string): void {
    this.putLength(text.length);
    this.#makeRoom(text.length);
    this.length += this.bytes.write(text, this.length, 'latin1');
  }

  putDoubleLE(value: number): void {
    this.#makeRoom(8);
    this.length = this.bytes.writeDoubleLE(value, this.length);
  }

  /** A score of type 3: the shortest text that strtod reads as the same number (17 digits at the most). */
  putScoreText(score: number): void {
    if (Number.isNaN(score)) this.putByte(SCORE.notANumber);
    else if (score === Number.POSITIVE_INFINITY) this.putByte(SCORE.infinity);
    else if (score === Number.NEGATIVE_INFINITY) this.putByte(SCORE.negativeInfinity);
    else {
      const text = Object.is(score, -0) ? '-0' : String(score);
      this.putByte(text.length);
      this.#makeRoom(text.length);
      this.length += this.bytes.write(text, this.length, 'latin1');
    }
  }

  /** A time as a signed number of 64 bits, little endian. */
  putMs(value: number): void {
    const ms = Math.min(Math.max(value, -HIGHEST_INT64), HIGHEST_INT64);
    const high = Math.floor(ms / UINT_32);
    this.#makeRoom(8);
    this.length = this.bytes.writeUInt32LE(ms - high * UINT_32, this.length);
    this.length = this.bytes.writeInt32LE(high, this.length);
  }

  /** A stream's ID as sixteen bytes without a length. */
  putStreamIdRaw(id: StreamId): void {
    this.#makeRoom(16);
    this.length = this.bytes.writeBigUInt64BE(id.ms, this.length);
    this.length = this.bytes.writeBigUInt64BE(id.seq, this.length);
  }

  #makeRoom(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, needed));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
