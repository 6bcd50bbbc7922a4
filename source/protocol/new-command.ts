// Looks at the arguments of a command where they stand, and builds the command that goes in its place: for the few commands
// of a stream whose expiry is written otherwise on the target.
import { putBulk, putBulkNumber, putBytes, putDecimal, putLineEnd } from './resp-encode.ts';

/** A command as the stream parser holds it. */
export interface CommandBytes {
  readonly bytes: Buffer;
  readonly offsets: Int32Array;
  readonly lengths: Int32Array;
  readonly count: number;
}

const STAR = 42;
const DOLLAR = 36;
const MINUS = 45;
const ZERO = 48;
const LOWER_CASE = 32;
/** The head of a command, and the words and the time that this file puts in. */
const FRAME_BYTES = 96;
/** `$`, a length, two line ends. */
const BULK_FRAME_BYTES = 16;
/** A number up to here is exact times a thousand and with the time of day on top. */
const LARGEST_EXACT = 9e12;
/** Of a signed 64-bit number in decimal, with its sign. */
const LONGEST_INTEGER = 20;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** Unix ms; null: no server would take it. */
export type Time = number | bigint | null;

/** What the arguments of a command need in another one. */
export function roomFor({ lengths, count }: CommandBytes): number {
  let room = 0;
  for (let i = 0; i < count; i++) room += (lengths[i] as number) + BULK_FRAME_BYTES;
  return room;
}

/** One command in the making. */
export class NewCommand {
  readonly #out: Buffer;
  #at: number;

  /** @param argumentBytes what the arguments taken over need. */
  constructor(count: number, argumentBytes: number) {
    this.#out = Buffer.allocUnsafe(argumentBytes + FRAME_BYTES);
    this.#out[0] = STAR;
    this.#at = putLineEnd(this.#out, putDecimal(this.#out, 1, count));
  }

  /** @param bulk encoded already. */
  words(bulk: Buffer): void {
    this.#at = putBytes(this.#out, this.#at, bulk, 0, bulk.length);
  }

  argument({ bytes, offsets, lengths }: CommandBytes, index: number): void {
    this.#at = putBulk(this.#out, this.#at, bytes, offsets[index] as number, lengths[index] as number);
  }

  bulk(bytes: Buffer): void {
    this.#at = putBulk(this.#out, this.#at, bytes, 0, bytes.length);
  }

  time(unixMs: number | bigint): void {
    if (typeof unixMs === 'number') {
      this.#at = putBulkNumber(this.#out, this.#at, unixMs);
      return;
    }
    const text = String(unixMs);
    this.#out[this.#at] = DOLLAR;
    const body = putLineEnd(this.#out, putDecimal(this.#out, this.#at + 1, text.length));
    this.#at = putLineEnd(this.#out, body + this.#out.write(text, body, 'latin1'));
  }

  end(): Buffer {
    return this.#out.subarray(0, this.#at);
  }
}

/** Whether the argument is that word in any case; folding by one bit is exact for letters. */
export function is(word: Buffer, { bytes, offsets, lengths }: CommandBytes, index: number): boolean {
  if (lengths[index] !== word.length) return false;
  const start = offsets[index] as number;
  for (let i = 0; i < word.length; i++) if (((bytes[start + i] as number) | LOWER_CASE) !== word[i]) return false;
  return true;
}

/**
 * The argument times `unitMs` on top of `baseMs`, exactly; 1, as long past, for what is before 1970. null: no number by the
 * servers' rules (string2ll of util.c: no plus, no leading zero, no space), or more than 64 bits.
 */
export function time({ bytes, offsets, lengths }: CommandBytes, index: number, unitMs: number, baseMs: number): Time {
  const start = offsets[index] as number;
  const length = lengths[index] as number;
  const negative = bytes[start] === MINUS;
  const digits = negative ? start + 1 : start;
  const end = start + length;
  if (digits >= end || length > LONGEST_INTEGER || (bytes[digits] === ZERO && length > 1)) return null;
  let value = 0;
  for (let i = digits; i < end; i++) {
    const digit = (bytes[i] as number) - ZERO;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  if (value <= LARGEST_EXACT) return Math.max(1, (negative ? -value : value) * unitMs + baseMs);
  const relative = BigInt(bytes.toString('latin1', start, end)) * BigInt(unitMs);
  const exact = relative + BigInt(baseMs);
  if (relative < INT64_MIN || exact > INT64_MAX) return null;
  return exact < 1n ? 1 : exact;
}
