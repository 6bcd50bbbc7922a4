// The primitives of RDB values, taken off the front of a view: each whole or not at all, so that whoever reads can stop
// at any byte and go on when more are there. Results stand in fields of the reader, which are used again.
import type { ByteView } from './byte-view.ts';
import { int64At, parseScore } from './decode-number.ts';
import { MutableSlice } from './decode-slice.ts';
import { STRING_ENCODING } from './format.ts';
import { INCOMPLETE, LengthReader } from './length.ts';
import { ListpackCursor } from './listpack.ts';
import { lzfDecompress, lzfIsPlausible, lzfLength } from './lzf.ts';
import { RdbError } from './rdb-error.ts';
import { ZiplistCursor } from './ziplist.ts';

/** Containers count their bytes in 32 bits, and no server takes an element that is longer. */
const LONGEST_STRING_BYTES = 2 ** 32;
/** Above this the length that LZF announces is proven before memory is taken for it. */
const TRUSTED_BYTES = 64 * 1024;
/** Bytes of the integer encodings of strings. */
const INTEGER_BYTES = [1, 2, 4];
const PLAIN = -1;
/** First bytes of a score of type 3 that have no text behind them: NaN, +inf, -inf. */
const SCORE_NAN = 253;
const SCORE_INFINITY = 254;

/** Where a string's body stands, before it is made a slice. */
interface StringHead {
  start: number;
  /** Bytes of the body in the snapshot. */
  size: number;
  /** PLAIN or one of STRING_ENCODING. */
  encoding: number;
  /** Bytes of the string, inflated. */
  length: number;
}

/**
 * Reads RDB primitives off a view. Methods that give a boolean give false when the view holds too little; nothing is
 * then taken. All throw RdbError for bytes that no server writes. What they read holds until the next call and as long
 * as the view stays as it is.
 */
export class ValueReader {
  /** May be replaced, or moved and grown, between two calls: what matters is that it goes on with the same byte. */
  view: ByteView;
  /** What `length` and `count` read: exact up to 2^53. */
  value = 0;
  /** What `unsigned` read. */
  big = 0n;
  /** A score or unix ms, of the methods that say so. */
  number = 0;
  /** What `string` read, and the first of a pair. */
  readonly first = new MutableSlice();
  /** The second of a pair. */
  readonly second = new MutableSlice();
  /** What goes over a container that was read as a string. Nothing else may be read meanwhile. */
  readonly listpack = new ListpackCursor();
  readonly ziplist = new ZiplistCursor();
  readonly #length = new LengthReader();
  /** Where in the view's bytes the string began that was read last. */
  #stringStart = 0;
  readonly #head: StringHead = { start: 0, size: 0, encoding: PLAIN, length: 0 };
  readonly #secondHead: StringHead = { start: 0, size: 0, encoding: PLAIN, length: 0 };

  constructor(view: ByteView) {
    this.view = view;
  }

  /** Place of the next byte in the snapshot, for errors. */
  get position(): number {
    return this.view.position;
  }

  /** Place in the snapshot of the string, or first of a pair, that was read last. */
  get stringPosition(): number {
    return this.view.position - (this.view.start - this.#stringStart);
  }

  /** A length or number; into `value`. */
  length(): boolean {
    const next = this.#plainLength(this.view.start);
    if (next < 0) return false;
    this.value = this.#length.value;
    this.view.start = next;
    return true;
  }

  /** How many of something follow; into `value`. A number that no snapshot has room for is an error. */
  count(): boolean {
    if (!this.length()) return false;
    if (this.value > Number.MAX_SAFE_INTEGER) throw new RdbError(`A count of ${this.value}`, this.position);
    return true;
  }

  /** A number of 64 bits; into `big`. */
  unsigned(): boolean {
    if (!this.length()) return false;
    // A number beyond 2^53 only fits behind a mark for 64 bits: it stands in the eight bytes just taken.
    this.big =
      this.value <= Number.MAX_SAFE_INTEGER ? BigInt(this.value) : this.view.bytes.readBigUInt64BE(this.view.start - 8);
    return true;
  }

  /** Bytes without a length in front: gives their place in `view.bytes`, or INCOMPLETE. */
  raw(count: number): number {
    const { start, end } = this.view;
    if (end - start < count) return INCOMPLETE;
    this.view.start = start + count;
    return start;
  }

  /** Eight bytes of a signed number, little endian; into `number`, exact up to 2^53. */
  millis(): boolean {
    const at = this.raw(8);
    if (at < 0) return false;
    this.number = int64At(this.view.bytes, at);
    return true;
  }

  /** A string; into `first`. */
  string(): boolean {
    const next = this.#stringHead(this.view.start, this.#head);
    if (next < 0) return false;
    this.#stringStart = this.view.start;
    this.#load(this.#head, this.first);
    this.view.start = next;
    return true;
  }

  /** Two strings, both or none; into `first` and `second`. */
  pair(): boolean {
    return this.#pairThen(0);
  }

  /** Two strings and unix ms; into `first`, `second` and `number`. */
  pairAndMillis(): boolean {
    return this.#pairThen(8);
  }

  /** A number and two strings; into `value`, `first` and `second`. */
  lengthAndPair(): boolean {
    const { start } = this.view;
    if (this.length() && this.#pairThen(0)) return true;
    this.view.start = start;
    return false;
  }

  /** A number and a string; into `value` and `first`. */
  lengthAndString(): boolean {
    const { start } = this.view;
    if (this.length() && this.string()) return true;
    this.view.start = start;
    return false;
  }

  /** A string and its score in binary; into `first` and `number`. */
  scored(): boolean {
    const next = this.#stringHead(this.view.start, this.#head);
    if (next < 0 || this.view.end - next < 8) return false;
    this.#load(this.#head, this.first);
    this.number = this.view.bytes.readDoubleLE(next);
    this.view.start = next + 8;
    return true;
  }

  /** A string and its score as text (type 3); into `first` and `number`, NaN for what is no number. */
  textScored(): boolean {
    const { bytes, end } = this.view;
    const next = this.#stringHead(this.view.start, this.#head);
    if (next < 0 || next >= end) return false;
    const size = bytes[next] as number;
    const textEnd = size < SCORE_NAN ? next + 1 + size : next + 1;
    if (textEnd > end) return false;
    this.#load(this.#head, this.first);
    if (size < SCORE_NAN) this.number = parseScore(bytes, next + 1, textEnd);
    else if (size === SCORE_NAN) this.number = Number.NaN;
    else this.number = size === SCORE_INFINITY ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    this.view.start = textEnd;
    return true;
  }

  /**
   * Takes the head of a string whose body is then taken in pieces: its bytes in the snapshot into `value`, inflated
   * into `number`. A string that is better read by `string` is left: an integer, or LZF of up to `mostWhole` bytes.
   */
  stringHead(mostWhole: number): 'plain' | 'packed' | 'left' | 'incomplete' {
    const head = this.#head;
    if (this.#stringShape(this.view.start, head) < 0) return 'incomplete';
    const plain = head.encoding === PLAIN;
    if (!plain && (head.encoding !== STRING_ENCODING.lzf || head.length <= mostWhole)) return 'left';
    this.value = head.size;
    this.number = head.length;
    this.view.start = head.start;
    return plain ? 'plain' : 'packed';
  }

  #pairThen(tailBytes: number): boolean {
    const { start, end } = this.view;
    const afterFirst = this.#stringHead(start, this.#head);
    if (afterFirst < 0) return false;
    const next = this.#stringHead(afterFirst, this.#secondHead);
    if (next < 0 || end - next < tailBytes) return false;
    // Only now, so that a first string is not inflated again and again while the second arrives.
    this.#stringStart = start;
    this.#load(this.#head, this.first);
    this.#load(this.#secondHead, this.second);
    if (tailBytes > 0) this.number = int64At(this.view.bytes, next);
    this.view.start = next + tailBytes;
    return true;
  }

  /** Reads a length that is no special string; gives the place behind it or INCOMPLETE. */
  #plainLength(at: number): number {
    const { bytes, end } = this.view;
    const next = this.#length.read(bytes, at, end);
    if (next === INCOMPLETE) return INCOMPLETE;
    if (next < 0 || this.#length.encoding >= 0) throw this.#errorAt('A length that no server writes', at);
    return next;
  }

  /** Gives the place behind the string that begins at `at`, or INCOMPLETE when the view does not hold all of it. */
  #stringHead(at: number, head: StringHead): number {
    const next = this.#stringShape(at, head);
    if (next <= this.view.end) return next;
    if (head.size > LONGEST_STRING_BYTES) throw this.#errorAt(`A string of ${head.size} bytes`, at);
    return INCOMPLETE;
  }

  /** As `#stringHead`, but the body may reach beyond the view. */
  #stringShape(at: number, head: StringHead): number {
    const { bytes, end } = this.view;
    const length = this.#length;
    const next = length.read(bytes, at, end);
    if (next < 0) {
      if (next === INCOMPLETE) return INCOMPLETE;
      throw this.#errorAt('A length that no server writes', at);
    }
    head.encoding = length.encoding;
    if (length.encoding === PLAIN) {
      head.start = next;
      head.size = length.value;
      head.length = length.value;
      return next + length.value;
    }
    if (length.encoding === STRING_ENCODING.lzf) return this.#compressedShape(at, next, head);
    const integerBytes = INTEGER_BYTES[length.encoding];
    if (integerBytes === undefined) {
      throw this.#errorAt(`A string of the unknown encoding ${length.encoding}`, at);
    }
    head.start = next;
    head.size = integerBytes;
    return next + integerBytes;
  }

  #compressedShape(at: number, next: number, head: StringHead): number {
    const afterPacked = this.#plainLength(next);
    if (afterPacked < 0) return INCOMPLETE;
    head.size = this.#length.value;
    head.start = this.#plainLength(afterPacked);
    if (head.start < 0) return INCOMPLETE;
    head.length = this.#length.value;
    if (!lzfIsPlausible(head.size, head.length)) {
      throw this.#errorAt(`${head.size} bytes of LZF that are said to be ${head.length} inflated`, at);
    }
    return head.start + head.size;
  }

  #load(head: StringHead, into: MutableSlice): void {
    const { bytes } = this.view;
    switch (head.encoding) {
      case PLAIN:
        into.bytes = bytes;
        into.start = head.start;
        into.end = head.start + head.size;
        return;
      case STRING_ENCODING.int8:
        into.integer(((bytes[head.start] as number) << 24) >> 24);
        return;
      case STRING_ENCODING.int16:
        into.integer(bytes.readInt16LE(head.start));
        return;
      case STRING_ENCODING.int32:
        into.integer(bytes.readInt32LE(head.start));
        return;
      default:
        this.#inflate(head, into);
    }
  }

  #inflate(head: StringHead, into: MutableSlice): void {
    const { bytes } = this.view;
    const proven = head.length <= TRUSTED_BYTES || lzfLength(bytes, head.start, head.size) === head.length;
    if (!proven || !lzfDecompress(bytes, head.start, head.size, into.room(head.length))) {
      throw this.#errorAt(`A compressed string that does not give its ${head.length} bytes`, head.start);
    }
  }

  /** @param at place in `view.bytes`. */
  #errorAt(message: string, at: number): RdbError {
    return new RdbError(message, this.view.position + (at - this.view.start));
  }
}
