// A value above the memory limit on its way to whoever takes it: decoded element by element, as undecoded parts, or
// passed over. What was kept of it so far goes first, then what comes through the window.
import { WholeView } from '../rdb/byte-view.ts';
import { type Decoding, decodeValue, type ValueReader } from '../rdb/decode.ts';
import type { Dialect } from '../rdb/format.ts';
import { freePart } from '../rdb/free-part.ts';
import type { HashTemplates } from '../rdb/hash-templates.ts';
import type { ValueWalker } from '../rdb/value-walker.ts';
import type { ByteWindow } from './byte-window.ts';
import type { BigValueTaker } from './snapshot-sink.ts';

export type BigValueProgress = 'hungry' | 'blocked' | 'done';

/** Undecoded parts leave the window when they are this long. */
const PART_BYTES = 256 * 1024;

/** What goes on with a big value, whatever its taker wants. */
export interface BigValue {
  /** Goes on with the bytes in the window. @throws RdbError */
  advance(): BigValueProgress;
}

/**
 * @param parts the value's first bytes, already out of the window and walked.
 * @param saturated whether undecoded parts have to wait; a decoded value's own sink tells.
 */
export function takeBigValue(
  taker: BigValueTaker,
  parts: Buffer[],
  window: ByteWindow,
  walker: ValueWalker,
  decoding: {
    readonly type: number;
    readonly dialect: Dialect;
    readonly templates: HashTemplates;
    readonly reader: ValueReader;
  },
  saturated: () => boolean,
): BigValue {
  switch (taker.kind) {
    case 'decoded': {
      const { type, dialect, templates, reader } = decoding;
      return new DecodedValue(parts, window, reader, decodeValue(type, dialect, reader, taker.sink, templates));
    }
    case 'raw':
      return new RawValue(taker, parts, window, walker, saturated);
    case 'skip': {
      const before = parts.reduce((sum, part) => sum + part.length, 0);
      return new SkippedValue(taker, window, walker, before);
    }
  }
}

class DecodedValue implements BigValue {
  readonly #parts: Buffer[];
  readonly #window: ByteWindow;
  readonly #reader: ValueReader;
  readonly #decoding: Decoding;

  constructor(parts: Buffer[], window: ByteWindow, reader: ValueReader, decoding: Decoding) {
    this.#parts = parts;
    this.#window = window;
    this.#reader = reader;
    this.#decoding = decoding;
    const first = parts.shift();
    reader.view = first === undefined ? window : new WholeView(first);
  }

  advance(): BigValueProgress {
    for (;;) {
      const step = this.#decoding.next();
      if (step.done === true) return 'done';
      if (step.value === 'blocked') return 'blocked';
      if (this.#reader.view === this.#window) return 'hungry';
      this.#nextView();
    }
  }

  /** A primitive may lie across two parts, or across the last part and the window: they are joined. */
  #nextView(): void {
    const { bytes, start, end } = this.#reader.view;
    const rest = bytes.subarray(start, end);
    const part = this.#parts.shift();
    if (part === undefined) {
      this.#window.unread(rest);
      this.#reader.view = this.#window;
    } else {
      this.#reader.view = new WholeView(rest.length === 0 ? part : Buffer.concat([rest, part]));
      if (rest.length > 0) freePart(part);
    }
    freePart(bytes);
  }
}

class RawValue implements BigValue {
  readonly #taker: Extract<BigValueTaker, { kind: 'raw' }>;
  readonly #parts: Buffer[];
  readonly #window: ByteWindow;
  readonly #walker: ValueWalker;
  readonly #saturated: () => boolean;

  constructor(
    taker: Extract<BigValueTaker, { kind: 'raw' }>,
    parts: Buffer[],
    window: ByteWindow,
    walker: ValueWalker,
    saturated: () => boolean,
  ) {
    this.#taker = taker;
    this.#parts = parts;
    this.#window = window;
    this.#walker = walker;
    this.#saturated = saturated;
  }

  advance(): BigValueProgress {
    for (let part = this.#parts.shift(); part !== undefined; part = this.#parts.shift()) {
      this.#taker.part(part);
      if (this.#saturated()) return 'blocked';
    }
    if (this.#saturated()) return 'blocked';
    const window = this.#window;
    const walked = this.#walker.advance(window.bytes, window.start, window.end);
    const part = window.bytes.subarray(window.start, walked);
    if (part.length >= PART_BYTES) window.detach(walked);
    else window.start = walked;
    if (part.length > 0) this.#taker.part(part.length >= PART_BYTES ? part : Buffer.from(part));
    if (!this.#walker.done) return 'hungry';
    this.#taker.end();
    return 'done';
  }
}

class SkippedValue implements BigValue {
  readonly #taker: Extract<BigValueTaker, { kind: 'skip' }>;
  readonly #window: ByteWindow;
  readonly #walker: ValueWalker;
  #bytes: number;

  constructor(
    taker: Extract<BigValueTaker, { kind: 'skip' }>,
    window: ByteWindow,
    walker: ValueWalker,
    bytesBefore: number,
  ) {
    this.#taker = taker;
    this.#window = window;
    this.#walker = walker;
    this.#bytes = bytesBefore;
  }

  advance(): BigValueProgress {
    const window = this.#window;
    const walked = this.#walker.advance(window.bytes, window.start, window.end);
    this.#bytes += walked - window.start;
    window.start = walked;
    if (!this.#walker.done) return 'hungry';
    this.#taker.skipped(this.#bytes);
    return 'done';
  }
}
