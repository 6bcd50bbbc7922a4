// A connection that asks a source for keys and values: one request of many commands at a time, whose replies come back as
// the bytes they are.
import { FerryError } from '../../engine/errors.ts';
import { Connection, type ConnectionOptions } from '../../protocol/connection.ts';
import { encodeCommand } from '../../protocol/resp-encode.ts';
import { ReplyMeter } from './reply-meter.ts';

/** Replies one after the other: `bytes` up to, and not including, `end`. */
export interface Replies {
  readonly bytes: Buffer;
  readonly end: number;
}

export interface SourceLinkOptions extends ConnectionOptions {
  readonly clientName: string;
  /** A replica of a cluster answers only whoever says READONLY. */
  readonly readsReplica: boolean;
}

const FIRST_BYTES = 64 * 1024;
/** Buffers above this are not kept for the next request. */
const KEPT_BYTES = 4 * 1024 * 1024;
const KEPT_BUFFERS = 4;
const MINUS = 45;

export class SourceLink {
  readonly address: string;
  /** Bytes of replies, for the rate. */
  received = 0;
  readonly #options: SourceLinkOptions;
  readonly #connection: Connection;
  readonly #meter = new ReplyMeter();
  readonly #spare: Buffer[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #held = 0;
  #database = 0;
  #resolve: ((replies: Replies) => void) | null = null;
  #reject: ((error: Error) => void) | null = null;

  constructor(options: SourceLinkOptions) {
    this.#options = options;
    this.#connection = new Connection(options);
    this.address = this.#connection.address;
  }

  /** @throws FerryError */
  async open(): Promise<void> {
    await this.#connection.open();
    await this.#connection.request(['CLIENT', 'SETNAME', this.#options.clientName]);
    if (this.#options.readsReplica) await this.#connection.request(['READONLY']);
    // What is copied is not more recently used for it (7.2; older servers say that they do not know it).
    await this.#connection.request(['CLIENT', 'NO-TOUCH', 'ON']);
    this.#connection.listen(
      (bytes) => {
        this.#take(bytes);
        return true;
      },
      (error) => this.#fail(error),
    );
  }

  /**
   * Sends `request`, which holds `count` commands, in that database; one at a time. The replies are the caller's until it
   * releases them. @throws FerryError `lost`
   */
  ask(request: Buffer, count: number, database: number): Promise<Replies> {
    if (this.#connection.closed) return Promise.reject(this.#lost(null));
    const selects = database !== this.#database;
    this.#database = database;
    this.#bytes = this.#spare.pop() ?? Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.#held = 0;
    this.#meter.begin(count, selects);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (selects) this.#connection.write(encodeCommand(['SELECT', String(database)]));
      this.#connection.write(request);
    });
  }

  /** Gives the buffer back: nobody may look at it any more. */
  release({ bytes }: Replies): void {
    const whole = bytes.byteOffset === 0 ? bytes : Buffer.from(bytes.buffer);
    if (whole.length <= KEPT_BYTES && this.#spare.length < KEPT_BUFFERS) this.#spare.push(whole);
  }

  close(): void {
    this.#connection.destroy();
    const reject = this.#reject;
    this.#resolve = null;
    this.#reject = null;
    reject?.(this.#lost(null));
  }

  #take(chunk: Buffer): void {
    this.received += chunk.length;
    const wanted = this.#held + chunk.length;
    if (wanted > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.#held);
      this.#bytes = grown;
    }
    chunk.copy(this.#bytes, this.#held);
    this.#held = wanted;
    if (!this.#meter.advance(this.#bytes, this.#held)) return;
    const { start, at } = this.#meter;
    if (start > 0 && this.#bytes[0] === MINUS) {
      // Whatever follows would be read from another database.
      this.#fail(new Error(`SELECT: ${this.#bytes.toString('latin1', 1, start - 2)}`));
      this.#connection.destroy();
      return;
    }
    const resolve = this.#resolve;
    this.#resolve = null;
    this.#reject = null;
    resolve?.({ bytes: start === 0 ? this.#bytes : this.#bytes.subarray(start), end: at - start });
  }

  #fail(error: Error | null): void {
    const reject = this.#reject;
    this.#resolve = null;
    this.#reject = null;
    reject?.(this.#lost(error));
  }

  #lost(error: Error | null): FerryError {
    const why = error === null ? '' : ` (${error.message})`;
    return new FerryError(`The link to the source ${this.address} broke${why}.`, { code: 'lost', retriable: true });
  }
}
