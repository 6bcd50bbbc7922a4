// Finds where the replies of one request end, in any chunking: counts heads, and the elements that an array's head announces.

const CR = 13;
const MINUS = 45;
const ZERO = 48;
const BULK = 36;
const ARRAY = 42;

export class ReplyMeter {
  /** Behind the last whole reply. */
  at = 0;
  /** Behind the reply of a SELECT that went before. */
  start = 0;
  #remaining = 0;
  #preamble = false;

  /** @param preamble one more reply, that of a SELECT, comes first. */
  begin(replies: number, preamble: boolean): void {
    this.at = 0;
    this.start = 0;
    this.#remaining = replies;
    this.#preamble = preamble;
  }

  /** Goes on over bytes[0, held); true when all replies are there. */
  advance(bytes: Buffer, held: number): boolean {
    while (this.#remaining > 0 || this.#preamble) {
      let at = this.at;
      if (at >= held) return false;
      const kind = bytes[at] as number;
      let lineEnd = ++at;
      while (lineEnd < held && bytes[lineEnd] !== CR) lineEnd++;
      if (lineEnd + 1 >= held) return false;
      let next = lineEnd + 2;
      let elements = 0;
      if ((kind === BULK || kind === ARRAY) && bytes[at] !== MINUS) {
        let value = 0;
        for (; at < lineEnd; at++) value = value * 10 + (bytes[at] as number) - ZERO;
        if (kind === ARRAY) elements = value;
        else next += value + 2;
      }
      this.at = next;
      if (this.#preamble) {
        this.#preamble = false;
        this.start = next;
      } else this.#remaining += elements - 1;
    }
    return this.at <= held;
  }
}
