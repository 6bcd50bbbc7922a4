// Counts the replies of a pipelined connection, in any chunking, and points at the few that are not plain success.
// Hot path: a run of `+OK` costs a comparison each and makes no object.

const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const ZERO = 48;
const DOLLAR = 36;
const STAR = 42;
const LF = 10;
const CR = 13;

/** An error among the elements of an array reply. */
export interface PartError {
  /** Number of the element, from 0. */
  readonly index: number;
  readonly text: string;
}

export interface ReplyListener {
  /** `count` replies in a row that need no look. */
  succeeded(count: number): void;
  /** One error reply, its text without the minus sign. */
  failed(text: string): void;
  /** One null bulk string: what SET NX answers when the key is there. */
  nothing(): void;
  /** One array reply (EXEC) that holds these errors, in order of their elements. */
  partlyFailed(errors: readonly PartError[]): void;
  /** Before one of the two for an array reply (EXEC): the numbers of its elements that are 0. They hold until it returns. */
  zeros(elements: readonly number[]): void;
}

export class ReplyReader {
  readonly #listener: ReplyListener;
  /** Successes that the listener has not been told of yet: one call for a whole run. */
  #succeeded = 0;
  /** The rest of a line that a chunk border cut. */
  #line = '';
  #bodyBytesLeft = 0;
  /** Elements still to come of nested arrays; empty outside of one. */
  readonly #nesting: number[] = [];
  #arrayErrors: PartError[] = [];
  /** Numbers of the elements that are 0; used again. */
  readonly #zeros: number[] = [];
  /** Elements of the outermost array. */
  #elements = 0;

  constructor(listener: ReplyListener) {
    this.#listener = listener;
  }

  /** Reads on over the next bytes. @throws Error for bytes that are no reply. */
  feed(bytes: Uint8Array): void {
    const end = bytes.length;
    let at = 0;
    while (at < end) {
      if (this.#bodyBytesLeft > 0) {
        const taken = Math.min(this.#bodyBytesLeft, end - at);
        at += taken;
        this.#bodyBytesLeft -= taken;
        if (this.#bodyBytesLeft === 0) this.#elementDone();
        continue;
      }
      if (this.#line === '' && this.#nesting.length < 2) {
        const behind = this.#nesting.length === 0 ? this.#run(bytes, at, end) : this.#runInside(bytes, at, end);
        if (behind > at) {
          at = behind;
          continue;
        }
      }
      const lineEnd = bytes.indexOf(LF, at);
      if (lineEnd < 0) {
        this.#line += latin1(bytes, at, end);
        break;
      }
      const line = this.#line + latin1(bytes, at, lineEnd);
      this.#line = '';
      at = lineEnd + 1;
      this.#takeLine(line.charCodeAt(line.length - 1) === CR ? line.slice(0, -1) : line);
    }
    this.#report();
  }

  /** Passes over `+OK\r\n`, `+QUEUED\r\n` and integers in one piece; gives the place behind them. */
  #run(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    let count = 0;
    for (;;) {
      const behind = behindSimple(bytes, at, end);
      if (behind === at) break;
      at = behind;
      count++;
    }
    this.#succeeded += count;
    return at;
  }

  /** The same inside EXEC's array, but for its last element, which ends the reply. */
  #runInside(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    let left = this.#nesting[0] as number;
    while (left > 1) {
      const behind = behindSimple(bytes, at, end);
      if (behind === at) break;
      if (behind === at + 4 && bytes[at] === COLON && bytes[at + 1] === ZERO) this.#zeros.push(this.#elements - left);
      at = behind;
      left--;
    }
    this.#nesting[0] = left;
    return at;
  }

  #takeLine(line: string): void {
    switch (line.charCodeAt(0)) {
      case COLON:
        if (line === ':0' && this.#nesting.length === 1)
          this.#zeros.push(this.#elements - (this.#nesting[0] as number));
        this.#elementDone();
        return;
      case PLUS:
        this.#elementDone();
        return;
      case DOLLAR: {
        const length = Number(line.slice(1));
        if (length >= 0) {
          this.#bodyBytesLeft = length + 2;
        } else if (this.#nesting.length > 0) {
          this.#elementDone();
        } else {
          this.#report();
          this.#listener.nothing();
        }
        return;
      }
      case STAR: {
        const count = Number(line.slice(1));
        if (this.#nesting.length === 0) this.#elements = count;
        if (count > 0) this.#nesting.push(count);
        else this.#elementDone();
        return;
      }
      case MINUS:
        if (this.#nesting.length > 0) {
          this.#arrayErrors.push({ index: this.#elements - (this.#nesting[0] as number), text: line.slice(1) });
          this.#elementDone();
        } else {
          this.#report();
          this.#listener.failed(line.slice(1));
        }
        return;
      default:
        throw new Error(`no reply begins with "${line.slice(0, 20)}"`);
    }
  }

  #report(): void {
    if (this.#succeeded === 0) return;
    const count = this.#succeeded;
    this.#succeeded = 0;
    this.#listener.succeeded(count);
  }

  /** One element ended, and with it perhaps the arrays it stands in, and the reply. */
  #elementDone(): void {
    const nesting = this.#nesting;
    while (nesting.length > 0) {
      const left = (nesting.pop() as number) - 1;
      if (left > 0) {
        nesting.push(left);
        return;
      }
    }
    if (this.#zeros.length > 0) {
      this.#report();
      this.#listener.zeros(this.#zeros);
      this.#zeros.length = 0;
    }
    if (this.#arrayErrors.length === 0) {
      this.#succeeded++;
      return;
    }
    const errors = this.#arrayErrors;
    this.#arrayErrors = [];
    this.#report();
    this.#listener.partlyFailed(errors);
  }
}

/** The place behind the one-line success that stands at `at`; `at` itself when none stands there whole. */
function behindSimple(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at];
  if (first === PLUS && at + 5 <= end && bytes[at + 4] === LF) return at + 5;
  if (at >= end || (first !== PLUS && first !== COLON)) return at;
  // +QUEUED, which is what most of a block's replies are.
  if (first === PLUS && at + 9 <= end && bytes[at + 8] === LF && bytes[at + 7] === CR) return at + 9;
  let line = at + 1;
  while (line < end && bytes[line] !== LF) line++;
  return line >= end ? at : line + 1;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
