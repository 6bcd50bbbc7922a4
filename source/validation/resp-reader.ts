// Reads RESP2 replies out of a byte stream that may be cut anywhere. It belongs to the comparer alone: the engine has
// its own parser, and a fault in one must not be able to hide a fault in the other.
// Grammar: https://redis.io/docs/latest/develop/reference/protocol-spec/ (RESP2 part).

/** An error reply, as a value: one refused command of a batch must not throw the others away. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
}

export type Reply = Buffer | number | null | ReplyError | Reply[];

const CR = 0x0d;
const MINUS = 0x2d;
const TYPE = { simple: 0x2b, error: 0x2d, integer: 0x3a, bulk: 0x24, array: 0x2a } as const;

interface OpenArray {
  readonly items: Reply[];
  remaining: number;
}

/** Feed it chunks; it calls back once for each complete reply. Strings are views into the chunk they came in. */
export class RespReader {
  readonly #onReply: (reply: Reply) => void;
  readonly #open: OpenArray[] = [];
  #chunks: Buffer[] = [];
  #held = 0;
  /** Bytes that must be there before another attempt can succeed: a bulk of 8 MB is joined once, not 128 times. */
  #needed = 0;

  constructor(onReply: (reply: Reply) => void) {
    this.#onReply = onReply;
  }

  /** Throws on bytes that are not RESP2: the connection is of no use then. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#held);
    const used = this.#readAll(bytes);
    this.#held = bytes.length - used;
    this.#chunks = this.#held === 0 ? [] : [bytes.subarray(used)];
  }

  /** Reads elements until the bytes run out; returns how many bytes are done with. */
  #readAll(bytes: Buffer): number {
    let position = 0;
    for (;;) {
      this.#needed = 0;
      const lineEnd = findLineEnd(bytes, position + 1);
      if (lineEnd < 0) return position;
      const start = position + 1;
      switch (bytes[position]) {
        case TYPE.simple:
          this.#complete(bytes.subarray(start, lineEnd));
          position = lineEnd + 2;
          break;
        case TYPE.error:
          this.#complete(new ReplyError(bytes.toString('latin1', start, lineEnd)));
          position = lineEnd + 2;
          break;
        case TYPE.integer:
          this.#complete(parseInteger(bytes, start, lineEnd));
          position = lineEnd + 2;
          break;
        case TYPE.bulk: {
          const length = parseInteger(bytes, start, lineEnd);
          if (length < 0) {
            this.#complete(null);
            position = lineEnd + 2;
            break;
          }
          const end = lineEnd + 2 + length;
          if (end + 2 > bytes.length) {
            this.#needed = end + 2 - position;
            return position;
          }
          this.#complete(bytes.subarray(lineEnd + 2, end));
          position = end + 2;
          break;
        }
        case TYPE.array: {
          const count = parseInteger(bytes, start, lineEnd);
          if (count < 0) this.#complete(null);
          else if (count === 0) this.#complete([]);
          else this.#open.push({ items: [], remaining: count });
          position = lineEnd + 2;
          break;
        }
        default:
          throw new Error(`byte ${bytes[position]} is not the beginning of a RESP2 reply`);
      }
    }
  }

  /** Hands a finished value to the array that waits for it, or out when none does. */
  #complete(value: Reply): void {
    let done = value;
    for (;;) {
      const top = this.#open.at(-1);
      if (top === undefined) {
        this.#onReply(done);
        return;
      }
      top.items.push(done);
      top.remaining -= 1;
      if (top.remaining > 0) return;
      this.#open.pop();
      done = top.items;
    }
  }
}

function findLineEnd(bytes: Buffer, from: number): number {
  const at = bytes.indexOf(CR, from);
  return at < 0 || at + 1 >= bytes.length ? -1 : at;
}

function parseInteger(bytes: Buffer, from: number, to: number): number {
  const negative = bytes[from] === MINUS;
  let value = 0;
  for (let i = negative ? from + 1 : from; i < to; i++) value = value * 10 + ((bytes[i] ?? 0) - 0x30);
  return negative ? -value : value;
}
