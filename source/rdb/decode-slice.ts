// The slice that decoding uses again and again: it points into the bytes that were read where the string stands there
// as it is, and into a buffer of its own where the string had to be written out: an integer's digits, inflated LZF.
import type { Slice } from './value-sink.ts';

const NOTHING = Buffer.alloc(0);
/** The sign and the digits of the longest integer of 64 bits. */
export const DIGITS_BYTES = 20;
/** An inflated string's buffer is kept for the next one up to this size. */
const KEPT_BYTES = 1024 * 1024;

export class MutableSlice implements Slice {
  bytes: Buffer = NOTHING;
  start = 0;
  end = 0;
  #digits: Buffer | null;
  /** Behind the last digit of an integer. */
  readonly #digitsEnd: number;
  #room: Buffer | null = null;

  /** @param digits where to write integers, in the DIGITS_BYTES before `digitsEnd`; by default a buffer of its own. */
  constructor(digits: Buffer | null = null, digitsEnd = DIGITS_BYTES) {
    this.#digits = digits;
    this.#digitsEnd = digitsEnd;
  }

  set(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  /** The integer's decimal text, as a server prints it. @param value a safe integer. */
  integer(value: number): void {
    this.#digits ??= Buffer.allocUnsafe(DIGITS_BYTES);
    const digits = this.#digits;
    let at = this.#digitsEnd;
    let rest = value < 0 ? -value : value;
    while (rest >= 0x7fffffff) {
      const tenth = Math.floor(rest / 10);
      digits[--at] = 48 + (rest - tenth * 10);
      rest = tenth;
    }
    // The rest is small enough for the processor's own integers.
    do {
      const tenth = (rest / 10) | 0;
      digits[--at] = 48 + (rest - tenth * 10);
      rest = tenth;
    } while (rest > 0);
    if (value < 0) digits[--at] = 45;
    this.set(digits, at, this.#digitsEnd);
  }

  /** As `integer`, for the few that are beyond 2^53. */
  bigInteger(value: bigint): void {
    this.#digits ??= Buffer.allocUnsafe(DIGITS_BYTES);
    const start = this.#digitsEnd - DIGITS_BYTES;
    this.set(this.#digits, start, start + this.#digits.write(value.toString(), start, 'latin1'));
  }

  /** A buffer of exactly `length` bytes, of which the slice is then all; the caller writes it. */
  room(length: number): Buffer {
    let room = this.#room;
    if (room === null || room.length < length) {
      room = Buffer.allocUnsafeSlow(length);
      this.#room = length <= KEPT_BYTES ? room : null;
    }
    this.set(room, 0, length);
    return room.length === length ? room : room.subarray(0, length);
  }
}
