// Reads the lengths and strings of records that are taken whole or not at all: keys, opcodes' bodies. What it read last
// stands in its fields, so that the hot path makes no object per key.
import { STRING_ENCODING } from '../rdb/format.ts';
import { INCOMPLETE, INVALID, LengthReader } from '../rdb/length.ts';
import { lzfDecompress } from '../rdb/lzf.ts';
import { RdbError } from '../rdb/rdb-error.ts';
import type { ByteWindow } from './byte-window.ts';

/** Three bytes of LZF give 264 at the most; a higher claim would only make us allocate. */
const LZF_HIGHEST_RATIO = 264;
/** Bytes behind the length byte of the integer encodings. */
const INTEGER_BYTES = [1, 2, 4];

export class RecordStrings {
  /** The string read last: in the window's buffer, or in one of its own when it was an integer or compressed. */
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  size = 0;
  /** The length read last. */
  number = 0;
  readonly #window: ByteWindow;
  readonly #length = new LengthReader();

  constructor(window: ByteWindow) {
    this.#window = window;
  }

  /** The string read last stands in the window and moves with it. */
  get inWindow(): boolean {
    return this.bytes === this.#window.bytes;
  }

  text(): string {
    return this.bytes.toString('utf8', this.start, this.start + this.size);
  }

  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(this.start, this.start + this.size));
  }

  /** Reads a length at `at`; gives the place behind it, or INCOMPLETE. @throws RdbError */
  plainLength(at: number): number {
    const next = this.#length.read(this.#window.bytes, at, this.#window.end);
    if (next === INCOMPLETE) return INCOMPLETE;
    if (next === INVALID || this.#length.encoding >= 0) throw this.#invalid();
    this.number = this.#length.value;
    return next;
  }

  /** Reads a string at `at`; gives the place behind it, or INCOMPLETE. @throws RdbError */
  string(at: number): number {
    const window = this.#window;
    const next = this.#length.read(window.bytes, at, window.end);
    if (next === INCOMPLETE) return INCOMPLETE;
    if (next === INVALID) throw this.#invalid();
    if (this.#length.encoding >= 0) return this.#encoded(next, this.#length.encoding);
    const end = next + this.#length.value;
    if (end > window.end) return INCOMPLETE;
    this.bytes = window.bytes;
    this.start = next;
    this.size = this.#length.value;
    return end;
  }

  #encoded(at: number, encoding: number): number {
    const { bytes, end, position } = this.#window;
    if (encoding === STRING_ENCODING.lzf) return this.#compressed(at);
    const width = INTEGER_BYTES[encoding];
    if (width === undefined) throw new RdbError(`The unknown string encoding ${encoding} stands`, position);
    if (at + width > end) return INCOMPLETE;
    return this.#keep(Buffer.from(String(bytes.readIntLE(at, width))), at + width);
  }

  #compressed(at: number): number {
    const afterPacked = this.plainLength(at);
    if (afterPacked === INCOMPLETE) return INCOMPLETE;
    const packed = this.number;
    const afterPlain = this.plainLength(afterPacked);
    if (afterPlain === INCOMPLETE) return INCOMPLETE;
    const size = this.number;
    if (size > packed * LZF_HIGHEST_RATIO) throw this.#brokenCompression();
    if (afterPlain + packed > this.#window.end) return INCOMPLETE;
    const plain = Buffer.allocUnsafe(size);
    if (!lzfDecompress(this.#window.bytes, afterPlain, packed, plain)) throw this.#brokenCompression();
    return this.#keep(plain, afterPlain + packed);
  }

  #keep(text: Buffer, next: number): number {
    this.bytes = text;
    this.start = 0;
    this.size = text.length;
    return next;
  }

  #invalid(): RdbError {
    return new RdbError('A length that no server writes stands', this.#window.position);
  }

  #brokenCompression(): RdbError {
    return new RdbError('A broken compressed string stands', this.#window.position);
  }
}
