// What listpacks and ziplists have in common: entries that are strings or integers, read from front to back.

import { parseScore } from './decode-number.ts';
import type { MutableSlice } from './decode-slice.ts';
import { RdbError } from './rdb-error.ts';
import type { Slice } from './value-sink.ts';

const NOTHING = Buffer.alloc(0);
/** The count of a container that has more entries than its 16 bits can say. */
const COUNT_UNKNOWN = 65535;
/** The byte behind the last entry. */
export const CONTAINER_END = 0xff;

/** Goes over the entries of one container; used again for the next. Errors have the offset of the whole container. */
export abstract class ContainerCursor {
  /** Whether the entry is an integer; else it is the string that stands in `bytes` from `start` to `end`. */
  isInteger = false;
  /** The integer: exact up to 2^53. */
  value = 0;
  bytes: Buffer = NOTHING;
  start = 0;
  /** Behind the entry's bytes; those of an integer of 64 bits are the last eight. */
  end = 0;
  /** How many entries the container says it has; null when they are too many for it. */
  count: number | null = null;
  /** Place of the next entry, and of the end mark. */
  protected at = 0;
  protected last = 0;
  protected seen = 0;
  #offset = 0;

  /** What the container is called in errors. */
  protected abstract readonly kind: string;
  protected abstract readonly headerBytes: number;

  /**
   * Begins another container.
   * @param offset its place in the snapshot.
   * @throws RdbError when its totals or its end mark are wrong.
   */
  open(blob: Slice, offset: number): void {
    const { bytes, start, end } = blob;
    this.bytes = bytes;
    this.#offset = offset;
    const size = end - start;
    if (size < this.headerBytes + 1) throw this.error(`of only ${size} bytes`);
    const total = bytes.readUInt32LE(start);
    if (total !== size) throw this.error(`that says it has ${total} bytes and has ${size}`);
    this.last = end - 1;
    if (bytes[this.last] !== CONTAINER_END) throw this.error('without an end mark');
    this.at = start + this.headerBytes;
    const count = bytes.readUInt16LE(this.at - 2);
    this.count = count === COUNT_UNKNOWN ? null : count;
    this.seen = 0;
  }

  /** Goes to the next entry; false behind the last. @throws RdbError for an entry that reaches outside, or a wrong count. */
  abstract next(): boolean;

  /** Goes to the next entry, which must be there. @param what it is, for the error. */
  expect(what: string): void {
    if (!this.next()) throw this.error(`that ends before ${what}`);
  }

  /** The entry as a string; integers as decimal text. Holds as long as the container's bytes do. */
  text(into: MutableSlice): void {
    if (!this.isInteger) {
      into.bytes = this.bytes;
      into.start = this.start;
      into.end = this.end;
    } else if (Number.isSafeInteger(this.value)) {
      into.integer(this.value);
    } else {
      into.bigInteger(this.bytes.readBigInt64LE(this.end - 8));
    }
  }

  /** The entry as a score. @throws RdbError when it is no number. */
  score(): number {
    if (this.isInteger) return this.value;
    const score = parseScore(this.bytes, this.start, this.end);
    if (Number.isNaN(score)) throw this.error('with a score that is no number');
    return score;
  }

  /** The entry as an integer that is exact. @throws RdbError when it is none. */
  integer(): bigint {
    if (this.isInteger) {
      return Number.isSafeInteger(this.value) ? BigInt(this.value) : this.bytes.readBigInt64LE(this.end - 8);
    }
    const text = this.bytes.toString('latin1', this.start, Math.min(this.end, this.start + 21));
    if (!/^-?\d{1,20}$/.test(text)) throw this.error('with a text where an integer belongs');
    return BigInt(text);
  }

  /** The entry as an integer that a number holds. @throws RdbError when it is none. */
  number(): number {
    if (this.isInteger && Number.isSafeInteger(this.value)) return this.value;
    const exact = this.integer();
    if (BigInt.asIntN(53, exact) !== exact) throw this.error(`with the integer ${exact}`);
    return Number(exact);
  }

  /** @param what is wrong: "A listpack ..." */
  error(what: string): RdbError {
    return new RdbError(`A ${this.kind} ${what}`, this.#offset);
  }

  /** Behind the last entry: the count must be the one the header says. */
  protected finish(): false {
    if (this.count !== null && this.count !== this.seen) {
      throw this.error(`that says it has ${this.count} entries and has ${this.seen}`);
    }
    return false;
  }
}
