// Lines of JSON written byte by byte into the output's buffer: no string and no object for an element that is plain text.
// The format is described in docs/jsonl.md; readers/jsonl-parser.ts reads it.
import { isUtf8 } from 'node:buffer';
import { putBytes, putDecimal } from '../../protocol/resp-encode.ts';
import type { Slice, StreamId } from '../../rdb/value-sink.ts';
import type { FileOutput } from './file-output.ts';

/** A reader takes no longer line by default; a single element may be larger, and is written all the same. */
export const LINE_LIMIT_BYTES = 64 * 1024 * 1024;

/** Bytes encoded in one go: six times as many as escapes still fit what the output reserves. A multiple of 3 for base64. */
const STRETCH_BYTES = 48 * 1024;
const QUOTE = 34;
const BACKSLASH = 92;
const LF = 10;

const PART_1 = Buffer.from(',"part":1');
const NEXT_PART = Buffer.from('}\n{"part":');
const VALUE = Buffer.from(',"value":');
const LAST = Buffer.from(',"last":true');
const END = Buffer.from('}\n');
const BASE64_BEGIN = Buffer.from('{"base64":"');
const BASE64_END = Buffer.from('"}');
const HEX = Buffer.from('0123456789abcdef');
const BASE64 = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const PADDING = 61;

/** 1 for a byte that is not itself in a JSON string, or is no ASCII. */
const NOT_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH ? 1 : 0,
);

export class JsonlLine {
  /** Part of the value that this line carries, from 1. */
  part = 1;
  readonly #output: FileOutput;
  readonly #partBytes: number;
  #start = 0;

  /** @param partBytes from this length on a value goes on in a line of its own. */
  constructor(output: FileOutput, partBytes: number) {
    this.#output = output;
    this.#partBytes = partBytes;
  }

  get saturated(): boolean {
    return this.#output.saturated;
  }

  /** Bytes of the line so far. */
  get length(): number {
    return this.#output.position - this.#start;
  }

  /** The next element belongs in a line of its own. */
  get full(): boolean {
    return this.length >= this.#partBytes;
  }

  /** A line begins. */
  begin(): void {
    this.#start = this.#output.position;
    this.part = 1;
  }

  /** The last members before the value. */
  type(kind: string): void {
    this.ascii(`,"type":"${kind}"`);
    this.raw(VALUE);
  }

  /** The value, whose open brackets the caller has closed, goes on in the next line, where the caller opens them again. */
  nextPart(): void {
    if (this.part === 1) this.raw(PART_1);
    this.raw(NEXT_PART);
    // Behind the `}` and the line end.
    this.#start = this.#output.position - NEXT_PART.length + 2;
    this.part++;
    this.number(this.part);
    this.raw(VALUE);
  }

  /** Ends the line, and the value. */
  end(): void {
    if (this.part > 1) this.raw(LAST);
    this.raw(END);
  }

  /** Text that is JSON already. */
  raw(json: Buffer): void {
    const output = this.#output;
    const at = output.reserve(json.length);
    output.commit(putBytes(output.out, at, json, 0, json.length));
  }

  /** Short ASCII text that is JSON already. */
  ascii(json: string): void {
    const output = this.#output;
    const at = output.reserve(json.length);
    for (let i = 0; i < json.length; i++) output.out[at + i] = json.charCodeAt(i);
    output.commit(at + json.length);
  }

  /** A whole number; beyond 2^53, which JSON readers bend, as a string. */
  number(value: number | bigint): void {
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      const at = this.#output.reserve(16);
      this.#output.commit(putDecimal(this.#output.out, at, Number(value)));
    } else {
      this.ascii(value < 0 && value >= Number.MIN_SAFE_INTEGER ? String(value) : `"${BigInt(value)}"`);
    }
  }

  /** `"1.5"`, the shortest text that reads back to the same bits; infinities and -0 too. */
  score(score: number): void {
    this.ascii(`"${scoreText(score)}"`);
  }

  id(id: StreamId): void {
    this.ascii(`"${id.ms}-${id.seq}"`);
  }

  /** A binary-safe string: a JSON string when it is UTF-8 and does not get longer by it, else `{"base64":"..."}`. */
  text(slice: Slice): void {
    this.string(slice.bytes, slice.start, slice.end);
  }

  string(bytes: Buffer, start: number, end: number): void {
    if (end - start <= STRETCH_BYTES && this.#plain(bytes, start, end)) return;
    if (isUtf8(bytes.subarray(start, end)) && !longInText(bytes, start, end)) this.#escaped(bytes, start, end);
    else this.#base64Object(bytes, start, end);
  }

  /** The base64 alone, as a JSON string. */
  base64(bytes: Buffer, start: number, end: number): void {
    this.#byte(QUOTE);
    for (let at = start; at < end; at += STRETCH_BYTES) this.#base64(bytes, at, Math.min(end, at + STRETCH_BYTES));
    this.#byte(QUOTE);
  }

  /** Most text is plain ASCII and is copied; false, with nothing written, when this is not. */
  #plain(bytes: Buffer, start: number, end: number): boolean {
    const output = this.#output;
    const at = output.reserve(end - start + 2);
    const out = output.out;
    out[at] = QUOTE;
    const shift = at + 1 - start;
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number;
      if (NOT_PLAIN[byte] === 1) return false;
      out[i + shift] = byte;
    }
    out[end + shift] = QUOTE;
    output.commit(end + shift + 1);
    return true;
  }

  #escaped(bytes: Buffer, start: number, end: number): void {
    this.#byte(QUOTE);
    for (let at = start; at < end; at += STRETCH_BYTES) this.#escape(bytes, at, Math.min(end, at + STRETCH_BYTES));
    this.#byte(QUOTE);
  }

  #escape(bytes: Buffer, start: number, end: number): void {
    const output = this.#output;
    let at = output.reserve((end - start) * 6);
    const out = output.out;
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number;
      if (byte < 0x20) {
        // \u00XX, and \n for the one that people look for.
        out[at++] = BACKSLASH;
        if (byte === LF) {
          out[at++] = 110;
        } else {
          out[at++] = 117;
          out[at++] = 48;
          out[at++] = 48;
          out[at++] = HEX[byte >> 4] as number;
          out[at++] = HEX[byte & 15] as number;
        }
      } else {
        if (byte === QUOTE || byte === BACKSLASH) out[at++] = BACKSLASH;
        out[at++] = byte;
      }
    }
    output.commit(at);
  }

  #base64Object(bytes: Buffer, start: number, end: number): void {
    this.raw(BASE64_BEGIN);
    for (let at = start; at < end; at += STRETCH_BYTES) this.#base64(bytes, at, Math.min(end, at + STRETCH_BYTES));
    this.raw(BASE64_END);
  }

  #base64(bytes: Buffer, start: number, end: number): void {
    const output = this.#output;
    let at = output.reserve(Math.ceil((end - start) / 3) * 4);
    const out = output.out;
    let i = start;
    for (; i + 3 <= end; i += 3) {
      const three = ((bytes[i] as number) << 16) | ((bytes[i + 1] as number) << 8) | (bytes[i + 2] as number);
      out[at] = BASE64[three >> 18] as number;
      out[at + 1] = BASE64[(three >> 12) & 63] as number;
      out[at + 2] = BASE64[(three >> 6) & 63] as number;
      out[at + 3] = BASE64[three & 63] as number;
      at += 4;
    }
    if (i < end) {
      const second = i + 1 < end ? (bytes[i + 1] as number) : 0;
      const three = ((bytes[i] as number) << 16) | (second << 8);
      out[at] = BASE64[three >> 18] as number;
      out[at + 1] = BASE64[(three >> 12) & 63] as number;
      out[at + 2] = i + 1 < end ? (BASE64[(three >> 6) & 63] as number) : PADDING;
      out[at + 3] = PADDING;
      at += 4;
    }
    output.commit(at);
  }

  #byte(byte: number): void {
    const at = this.#output.reserve(1);
    this.#output.out[at] = byte;
    this.#output.commit(at + 1);
  }
}

/** Control characters take six bytes each: text that is full of them, such as a bitmap of zeros, is shorter in base64. */
function longInText(bytes: Buffer, start: number, end: number): boolean {
  let escapes = 0;
  for (let i = start; i < end; i++) if ((bytes[i] as number) < 0x20) escapes++;
  return 5 * escapes > (end - start) / 3 + BASE64_BEGIN.length;
}

function scoreText(score: number): string {
  if (score === 0) return Object.is(score, -0) ? '-0' : '0';
  if (score === Number.POSITIVE_INFINITY) return 'inf';
  if (score === Number.NEGATIVE_INFINITY) return '-inf';
  return Number.isNaN(score) ? 'nan' : String(score);
}
