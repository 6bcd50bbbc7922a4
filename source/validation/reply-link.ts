// A connection that hands out replies as the bytes they are: a comparison of equal values needs their ends, not their
// parts. Requests are pipelined; each gets its replies in one buffer, which goes back by `release`. Parsing 1,000 values of
// 473 bytes into objects costs five times what this does (bench/validate.ts).
import type { Socket } from 'node:net';
import { type ConnectionOptions, encode, greeting } from './connection.ts';
import type { ReplyBuffers } from './reply-buffers.ts';
import { formatPlace, openSocket } from './socket.ts';

/** Replies one after the other: `bytes` up to, and not including, `end`. */
export interface Replies {
  readonly bytes: Buffer;
  readonly end: number;
}

/** The replies to one request were longer than it allowed; the link is as good as before. */
export class ReplyTooLong extends Error {
  override readonly name = 'ReplyTooLong';
}

export interface RequestOptions {
  readonly database?: number;
  /** Longer replies are received and thrown away. */
  readonly mostBytes?: number | undefined;
}

interface Request {
  /** Replies still to come, those of an array's elements too once its head has been read. */
  remaining: number;
  bytes: Buffer;
  /** What has been received of it. */
  held: number;
  /** Where the next reply begins; beyond `held` while a value is on its way. */
  at: number;
  /** Replies of the SELECT before it, to be taken off. */
  preamble: number;
  /** Where the replies begin that were asked for. */
  start: number;
  readonly mostBytes: number;
  /** Bytes of replies that were thrown away. */
  dropped: number;
  readonly resolve: (replies: Replies) => void;
  readonly reject: (error: Error) => void;
}

const READ_BYTES = 256 * 1024;
const FIRST_BYTES = 64 * 1024;
const MOST_AT_ONCE = 4 * 1024 * 1024;

const CR = 0x0d;
const MINUS = 0x2d;
const ZERO = 0x30;
const BULK = 0x24;
const ARRAY = 0x2a;

export class ReplyLink {
  readonly address: string;
  readonly #pool: ReplyBuffers;
  #socket: Socket | null = null;
  /** In wire order. Few at a time: shift() costs nothing. */
  readonly #open: Request[] = [];
  #database = 0;
  #failure: Error | null = null;

  private constructor(address: string, pool: ReplyBuffers) {
    this.address = address;
    this.#pool = pool;
  }

  /** Connects and logs in. @throws FerryError or Error naming the address. */
  static async open(options: ConnectionOptions, pool: ReplyBuffers): Promise<ReplyLink> {
    const link = new ReplyLink(formatPlace(options), pool);
    const socket = await openSocket(options, {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (count, buffer) => {
        link.#take(buffer as Uint8Array, count);
        return true;
      },
    });
    link.#socket = socket;
    // Only with TLS: `onread` takes the bytes otherwise.
    socket.on('data', (bytes: Buffer) => link.#take(bytes, bytes.length));
    socket.on('error', (error) => link.#fail(new Error(`the link to ${link.address} broke: ${error.message}`)));
    socket.on('close', () => link.#fail(new Error(`${link.address} closed the link while comparing`)));
    const { login, name } = greeting(options);
    for (const command of [login, name]) {
      if (command === null) continue;
      const { bytes, end } = await link.request([encode([command])], 1);
      if (command === login && bytes[0] === MINUS) {
        link.close();
        throw new Error(`${link.address} refused AUTH: ${bytes.toString('latin1', 1, end).trim()}`);
      }
    }
    return link;
  }

  /** Sends parts that together hold `replies` commands, in that database. */
  request(
    parts: readonly Uint8Array[],
    replies: number,
    { database = 0, mostBytes = Number.POSITIVE_INFINITY }: RequestOptions = {},
  ): Promise<Replies> {
    const socket = this.#socket;
    if (this.#failure !== null || socket === null) {
      return Promise.reject(this.#failure ?? new Error(`the link to ${this.address} is not open`));
    }
    const selecting = database !== this.#database;
    this.#database = database;
    return new Promise((resolve, reject) => {
      const preamble = selecting ? 1 : 0;
      const buffer = this.#pool.take(FIRST_BYTES);
      const progress = { remaining: replies, preamble, held: 0, at: 0, start: 0, dropped: 0 };
      this.#open.push({ ...progress, bytes: buffer, mostBytes, resolve, reject });
      socket.cork();
      if (selecting) socket.write(encode([['SELECT', database]]));
      for (const part of parts) socket.write(part);
      process.nextTick(() => socket.uncork());
    });
  }

  /** Gives the buffer back: nobody may look at it any more. */
  release({ bytes }: Replies): void {
    // The whole of it, where the reply to a SELECT was taken off its beginning.
    this.#pool.give(bytes.byteOffset === 0 ? bytes : Buffer.from(bytes.buffer));
  }

  close(): void {
    this.#failure ??= new Error(`the link to ${this.address} was closed`);
    this.#socket?.destroy();
  }

  #take(chunk: Uint8Array, count: number): void {
    let from = 0;
    while (from < count) {
      const request = this.#open[0];
      if (request === undefined) {
        this.#fail(new Error(`${this.address} sent a reply that nobody asked for`));
        return;
      }
      const part = from === 0 && count === chunk.length ? chunk : chunk.subarray(from, count);
      append(request, part, this.#pool);
      if (!this.#advance(request)) {
        if (request.held > request.mostBytes || request.at - request.held > request.mostBytes) drop(request);
        return;
      }
      // What follows its last reply belongs to the next request.
      from = count - (request.held - request.at);
      this.#open.shift();
      const { bytes, start, at, dropped } = request;
      if (dropped > 0) {
        this.release({ bytes, end: 0 });
        request.reject(new ReplyTooLong(`${this.address} sent more than ${request.mostBytes} bytes for one request`));
        continue;
      }
      request.resolve({ bytes: start === 0 ? bytes : bytes.subarray(start), end: at - start });
    }
  }

  /** Walks over whole replies; true when the last one is complete. */
  #advance(request: Request): boolean {
    const { bytes, held } = request;
    while (request.remaining + request.preamble > 0) {
      let at = request.at;
      if (at >= held) return false;
      const kind = bytes[at] as number;
      let digit = ++at;
      while (digit < held && bytes[digit] !== CR) digit++;
      // The head and its line end.
      if (digit + 1 >= held) return false;
      let next = digit + 2;
      let elements = 0;
      if (kind === BULK || kind === ARRAY) {
        const negative = bytes[at] === MINUS;
        let value = 0;
        if (!negative) for (; at < digit; at++) value = value * 10 + (bytes[at] as number) - ZERO;
        if (kind === ARRAY) elements = value;
        else if (!negative) next += value + 2;
      }
      if (request.preamble > 0) {
        if (kind === MINUS) {
          this.#fail(new Error(`${this.address} refused SELECT: ${bytes.toString('latin1', 1, digit)}`));
          return false;
        }
        request.preamble -= 1;
        request.start = next;
      } else request.remaining += elements - 1;
      request.at = next;
    }
    return request.at <= held;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const request of this.#open.splice(0)) request.reject(this.#failure);
    this.#socket?.destroy();
  }
}

/** Forgets what has been walked over; a value that is still coming is skipped when it is here. */
function drop(request: Request): void {
  const walked = Math.min(request.at, request.held);
  request.dropped += walked;
  request.bytes.copyWithin(0, walked, request.held);
  request.held -= walked;
  request.at -= walked;
  request.start = 0;
}

function append(request: Request, part: Uint8Array, pool: ReplyBuffers): void {
  const wanted = request.held + part.length;
  if (wanted > request.bytes.length) {
    // What is known to come in one step, but not more on the word of a length alone.
    const coming = Math.min(request.at, MOST_AT_ONCE);
    const grown = pool.take(Math.max(wanted, coming, request.bytes.length * 2));
    request.bytes.copy(grown, 0, 0, request.held);
    pool.give(request.bytes);
    request.bytes = grown;
  }
  request.bytes.set(part, request.held);
  request.held = wanted;
}
