// Finds where a value of an RDB ends without decoding it, in any chunking: each primitive is taken whole or not at all,
// and what was passed stays passed. The layouts are in value-patterns.ts.

import { STRING_ENCODING } from './format.ts';
import { INCOMPLETE, INVALID, LengthReader } from './length.ts';
import { RdbError } from './rdb-error.ts';
import { ARRAY_ELEMENT, type Pattern } from './value-patterns.ts';

/** Bytes behind the length byte of the integer encodings. */
const INTEGER_BYTES = [1, 2, 4];
/** A score of type 3 whose first byte is one of these has no text: NaN, +inf, -inf. */
const LOWEST_SPECIAL_SCORE = 253;

const MODULE_OPCODE = { end: 0, signed: 1, unsigned: 2, float: 3, double: 4, string: 5 } as const;

const ARRAY_TAG = { string: 0, integer: 1, float: 2, smallString: 3 } as const;

interface Frame {
  pattern: Pattern;
  /** The step that comes next. */
  step: number;
  /** How many more times the pattern runs, this one included. */
  remaining: number;
}

export class ValueWalker {
  readonly #length = new LengthReader();
  readonly #frames: Frame[] = [];
  #depth = -1;
  /** Bytes to pass over before the next primitive. */
  #skip = 0;
  /** Place of the next byte in the snapshot, for error messages. */
  #offset = 0;

  /** Begins a value; `offset` is its place in the snapshot, for error messages. */
  begin(pattern: Pattern, offset: number): void {
    this.#depth = -1;
    this.#skip = 0;
    this.#offset = offset;
    this.#push(pattern, 1);
  }

  get done(): boolean {
    return this.#depth < 0 && this.#skip === 0;
  }

  /**
   * Walks over `bytes` from `at`; gives the place up to which everything is passed. When not `done`, call again with
   * more bytes from that place on.
   * @throws RdbError for bytes that no server writes.
   */
  advance(bytes: Uint8Array, at: number, end: number): number {
    const begun = at;
    let position = at;
    for (;;) {
      if (this.#skip > 0) {
        const taken = Math.min(this.#skip, end - position);
        position += taken;
        this.#skip -= taken;
        if (this.#skip > 0) break;
      }
      if (this.#depth < 0) break;
      const next = this.#step(bytes, position, end);
      if (next === INCOMPLETE) break;
      if (next === INVALID) throw new RdbError('A length that no server writes', this.#offset + position - begun);
      position = next;
    }
    this.#offset += position - begun;
    return position;
  }

  #push(pattern: Pattern, times: number): void {
    this.#depth++;
    const frame = this.#frames[this.#depth];
    if (frame === undefined) {
      this.#frames.push({ pattern, step: 0, remaining: times });
      return;
    }
    frame.pattern = pattern;
    frame.step = 0;
    frame.remaining = times;
  }

  #step(bytes: Uint8Array, at: number, end: number): number {
    const frame = this.#frames[this.#depth] as Frame;
    if (frame.step === frame.pattern.length) {
      frame.step = 0;
      if (--frame.remaining === 0) this.#depth--;
      return at;
    }
    const step = frame.pattern[frame.step] as Pattern[number];
    switch (step.kind) {
      case 'string': {
        const next = this.#string(bytes, at, end);
        if (next >= 0) frame.step++;
        return next;
      }
      case 'length': {
        const next = this.#plainLength(bytes, at, end);
        if (next >= 0) frame.step++;
        return next;
      }
      case 'raw':
        frame.step++;
        this.#skip = step.bytes;
        return at;
      case 'score': {
        if (at >= end) return INCOMPLETE;
        frame.step++;
        const first = bytes[at] as number;
        if (first < LOWEST_SPECIAL_SCORE) this.#skip = first;
        return at + 1;
      }
      case 'tagged':
        return this.#tagged(frame, bytes, at, end);
      case 'module':
        return this.#module(frame, bytes, at, end);
      case 'array':
        return this.#array(frame, bytes, at, end);
      case 'repeat': {
        const next = this.#plainLength(bytes, at, end);
        if (next < 0) return next;
        frame.step++;
        if (this.#length.value > 0) this.#push(step.pattern, this.#length.value);
        return next;
      }
    }
  }

  /** The head of an array's value: the count stands before a flag that says whether another length follows. */
  #array(frame: Frame, bytes: Uint8Array, at: number, end: number): number {
    const afterCount = this.#plainLength(bytes, at, end);
    if (afterCount < 0) return afterCount;
    const count = this.#length.value;
    const afterFlag = this.#plainLength(bytes, afterCount, end);
    if (afterFlag < 0) return afterFlag;
    const flag = this.#length.value;
    if (flag > 1) return INVALID;
    const next = flag === 0 ? afterFlag : this.#plainLength(bytes, afterFlag, end);
    if (next < 0) return next;
    frame.step++;
    if (count > 0) this.#push(ARRAY_ELEMENT, count);
    return next;
  }

  /** The tag of an array's element, and what it announces. */
  #tagged(frame: Frame, bytes: Uint8Array, at: number, end: number): number {
    const next = this.#plainLength(bytes, at, end);
    if (next < 0) return next;
    switch (this.#length.value) {
      case ARRAY_TAG.integer:
      case ARRAY_TAG.float:
        frame.step++;
        this.#skip = 8;
        return next;
      case ARRAY_TAG.string:
      case ARRAY_TAG.smallString: {
        const behind = this.#string(bytes, next, end);
        if (behind >= 0) frame.step++;
        return behind;
      }
      default:
        return INVALID;
    }
  }

  #plainLength(bytes: Uint8Array, at: number, end: number): number {
    const next = this.#length.read(bytes, at, end);
    return next >= 0 && this.#length.encoding >= 0 ? INVALID : next;
  }

  /** Passes the head of a string and leaves its body to `#skip`. */
  #string(bytes: Uint8Array, at: number, end: number): number {
    const next = this.#length.read(bytes, at, end);
    if (next < 0) return next;
    if (this.#length.encoding < 0) {
      const bodyEnd = next + this.#length.value;
      if (bodyEnd <= end) return bodyEnd;
      this.#skip = this.#length.value;
      return next;
    }
    if (this.#length.encoding === STRING_ENCODING.lzf) {
      const afterCompressed = this.#plainLength(bytes, next, end);
      if (afterCompressed < 0) return afterCompressed;
      const compressed = this.#length.value;
      const afterPlain = this.#plainLength(bytes, afterCompressed, end);
      if (afterPlain < 0) return afterPlain;
      this.#skip = compressed;
      return afterPlain;
    }
    const integer = INTEGER_BYTES[this.#length.encoding];
    if (integer === undefined) return INVALID;
    this.#skip = integer;
    return next;
  }

  #module(frame: Frame, bytes: Uint8Array, at: number, end: number): number {
    const next = this.#plainLength(bytes, at, end);
    if (next < 0) return next;
    switch (this.#length.value) {
      case MODULE_OPCODE.end:
        frame.step++;
        return next;
      case MODULE_OPCODE.signed:
      case MODULE_OPCODE.unsigned:
        return this.#plainLength(bytes, next, end);
      case MODULE_OPCODE.float:
        this.#skip = 4;
        return next;
      case MODULE_OPCODE.double:
        this.#skip = 8;
        return next;
      case MODULE_OPCODE.string:
        return this.#string(bytes, next, end);
      default:
        return INVALID;
    }
  }
}
