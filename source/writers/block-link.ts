// A connection on which one block of commands is under way at a time, with its replies read in full: for big values,
// whose last step must know what the target answered. The hot path only counts replies (node-writer.ts).
import { FerryError } from '../engine/errors.ts';
import { Connection, type ConnectionOptions } from '../protocol/connection.ts';
import { becomeImportSource } from './import-source.ts';
import { watchReplies } from './reply-silence.ts';

/** An error reply of the target. */
export class TargetRefusal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Bulk and simple strings as latin1 text. */
export type BlockReply = string | number | null | TargetRefusal | readonly BlockReply[];

const REPLY_BUFFER_BYTES = 64 * 1024;
const CR = 0x0d;
const STAR = 0x2a;
const MINUS = 0x2d;
const DOLLAR = 0x24;
const COLON = 0x3a;
const ZERO = 0x30;
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n');

interface Waiting {
  readonly count: number;
  readonly resolve: (replies: readonly BlockReply[]) => void;
  readonly reject: (error: FerryError) => void;
}

export class BlockLink {
  readonly #connection: Connection;
  readonly #clientName: string;
  readonly #importSource: boolean;
  #received: Buffer[] = [];
  /** In the order of sending. */
  readonly #waiting: Waiting[] = [];
  #database = 0;
  readonly #watch = watchReplies(
    () => this.#waiting.length > 0,
    (seconds) => this.#silent(seconds),
  );

  /** @param importSource the target is in import-mode. */
  constructor(options: ConnectionOptions, clientName: string, importSource: boolean) {
    this.#connection = new Connection({ ...options, readBufferBytes: REPLY_BUFFER_BYTES });
    this.#clientName = clientName;
    this.#importSource = importSource;
  }

  get closed(): boolean {
    return this.#connection.closed;
  }

  get address(): string {
    return this.#connection.address;
  }

  /** @throws FerryError when the target can not be reached. */
  async open(): Promise<void> {
    await this.#connection.open();
    await this.#connection.request(['CLIENT', 'SETNAME', this.#clientName]);
    if (this.#importSource) await becomeImportSource(this.#connection);
    this.#watch.start();
    this.#connection.listen(
      (bytes) => {
        this.#watch.heard();
        this.#take(bytes);
        return true;
      },
      (error) => this.#lost(error),
    );
  }

  /** @throws FerryError when the link breaks. */
  async select(database: number): Promise<void> {
    if (database === this.#database) return;
    await this.run([Buffer.from(`*2\r\n$6\r\nSELECT\r\n$${String(database).length}\r\n${database}\r\n`)], 1);
    this.#database = database;
  }

  /**
   * Sends whole commands and waits for their replies.
   * @param parts bytes that nobody changes until this resolves. @param count how many commands they are.
   * @throws FerryError `target-lost` when the link breaks first.
   */
  run(parts: readonly Buffer[], count: number): Promise<readonly BlockReply[]> {
    return new Promise((resolve, reject) => {
      if (this.#connection.closed) {
        reject(this.#brokenLink(null));
        return;
      }
      this.#waiting.push({ count, resolve, reject });
      this.#watch.heard();
      this.#connection.writeAll(parts);
    });
  }

  /** Keeps a target with `timeout` from closing a link that nobody uses for long. What is wrong shows at its next use. */
  keepAlive(): void {
    if (this.#waiting.length === 0) this.run([PING], 1).catch(() => {});
  }

  destroy(): void {
    this.#watch.stop();
    this.#connection.destroy();
  }

  #take(view: Buffer): void {
    // The connection reads into one buffer: what is kept is copied.
    this.#received.push(Buffer.from(view));
    const bytes = Buffer.concat(this.#received);
    const cursor = { at: 0 };
    for (let waiting = this.#waiting[0]; waiting !== undefined; waiting = this.#waiting[0]) {
      const begin = cursor.at;
      const replies: BlockReply[] = [];
      while (replies.length < waiting.count) {
        const reply = readReply(bytes, cursor);
        if (reply === undefined) {
          this.#received = [bytes.subarray(begin)];
          return;
        }
        replies.push(reply);
      }
      this.#waiting.shift();
      waiting.resolve(replies);
    }
    this.#received = [];
  }

  #silent(seconds: number): void {
    this.#connection.destroy();
    this.#lost(new Error(`no answer for ${seconds} s`));
  }

  #lost(error: Error | null): void {
    this.#watch.stop();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#brokenLink(error));
  }

  #brokenLink(error: Error | null): FerryError {
    const why = error === null ? '' : ` (${error.message})`;
    return new FerryError(`The link to the target ${this.address} broke${why}.`, { code: 'target-lost', cause: error });
  }
}

/** One reply from the cursor on; undefined when it is not whole. */
function readReply(bytes: Buffer, cursor: { at: number }): BlockReply | undefined {
  const begin = cursor.at + 1;
  let lineEnd = begin;
  while (lineEnd < bytes.length && bytes[lineEnd] !== CR) lineEnd++;
  if (lineEnd + 1 >= bytes.length) return undefined;
  const kind = bytes[cursor.at];
  cursor.at = lineEnd + 2;
  switch (kind) {
    case MINUS:
      return new TargetRefusal(bytes.toString('latin1', begin, lineEnd));
    case COLON:
      return integerIn(bytes, begin, lineEnd);
    case DOLLAR: {
      const length = integerIn(bytes, begin, lineEnd);
      if (length < 0) return null;
      const start = cursor.at;
      if (start + length + 2 > bytes.length) return undefined;
      cursor.at = start + length + 2;
      return bytes.toString('latin1', start, start + length);
    }
    case STAR: {
      const count = integerIn(bytes, begin, lineEnd);
      if (count < 0) return null;
      const items: BlockReply[] = [];
      for (let i = 0; i < count; i++) {
        const item = readReply(bytes, cursor);
        if (item === undefined) return undefined;
        items.push(item);
      }
      return items;
    }
    default:
      return bytes.toString('latin1', begin, lineEnd);
  }
}

/** A decimal number, with a sign or without. */
function integerIn(bytes: Buffer, from: number, to: number): number {
  const negative = bytes[from] === MINUS;
  let value = 0;
  for (let at = negative ? from + 1 : from; at < to; at++) value = value * 10 + (bytes[at] as number) - ZERO;
  return negative ? -value : value;
}
