// Commands built argument by argument in one growing buffer: for what is written by elements and not copied whole.
import { digitCount, putBulk, putBulkNumber, putDecimal, putLineEnd } from './resp-encode.ts';

const STAR = 42;
/** `*`, `$` or `\r\n` around a number, and a number of 2^53. */
const FRAME_BYTES = 24;

export class RespBuilder {
  bytes: Buffer;
  length = 0;
  readonly #keptBytes: number;

  /** @param keptBytes the size that the buffer begins with, and goes back to when it is emptied. */
  constructor(keptBytes: number) {
    this.#keptBytes = keptBytes;
    this.bytes = Buffer.allocUnsafeSlow(keptBytes);
  }

  clear(): void {
    this.length = 0;
    if (this.bytes.length > this.#keptBytes * 4) this.bytes = Buffer.allocUnsafeSlow(this.#keptBytes);
  }

  /** The head of a command of `count` arguments, its name included. */
  command(count: number): void {
    this.#room(FRAME_BYTES);
    this.bytes[this.length] = STAR;
    this.length = putLineEnd(this.bytes, putDecimal(this.bytes, this.length + 1, count));
  }

  argument(from: Buffer, start: number, end: number): void {
    this.#room(FRAME_BYTES + end - start);
    this.length = putBulk(this.bytes, this.length, from, start, end - start);
  }

  /** @param text ASCII. */
  text(text: string): void {
    this.#room(FRAME_BYTES + text.length);
    this.bytes[this.length] = 36;
    const body = putLineEnd(this.bytes, putDecimal(this.bytes, this.length + 1, text.length));
    this.bytes.write(text, body, 'latin1');
    this.length = putLineEnd(this.bytes, body + text.length);
  }

  /** @param value a whole number of 0 or more, up to 2^53. */
  number(value: number): void {
    this.#room(FRAME_BYTES + digitCount(value));
    this.length = putBulkNumber(this.bytes, this.length, value);
  }

  /** A whole command. */
  add(...args: readonly (string | number | Buffer)[]): void {
    this.command(args.length);
    for (const arg of args) {
      if (typeof arg === 'string') this.text(arg);
      else if (typeof arg === 'number') this.number(arg);
      else this.argument(arg, 0, arg.length);
    }
  }

  /** What was built: a view that holds until the builder is emptied. */
  written(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  #room(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}
