// The connection on which a source tells what changes: keyspace events, or where those can not be had every key that a
// client wrote (CLIENT TRACKING ON BCAST, of 6.0), which names no database. Either way the tracking tells of a flush, of
// which there is no event.
import { FerryError } from '../../engine/errors.ts';
import { Connection, type ConnectionOptions } from '../../protocol/connection.ts';
import { encodeCommand } from '../../protocol/resp-encode.ts';
import { ChangeMessages } from './change-messages.ts';

export type FollowedBy = 'keyevent' | 'keyspace' | 'tracking';

export interface ChangeFeedHost {
  /** @param database -1 where only the key is known. */
  changed(database: number, bytes: Buffer, start: number, length: number): void;
  flushed(): void;
  /** No more is taken for now: the source keeps what it has to tell, until `relieve`. */
  full(): boolean;
  lost(error: FerryError): void;
}

/** No key begins so: with this prefix the tracking tells of nothing but flushes. */
const NO_KEY = 'redferry:no-key-begins-so:';
const MINUS = 45;
const ANSWER_MS = 10_000;

interface Waiting {
  readonly resolve: (refusal: string | null) => void;
}

export class ChangeFeed {
  received = 0;
  readonly #connection: Connection;
  readonly #options: ConnectionOptions & { readonly clientName: string };
  readonly #host: ChangeFeedHost;
  #waiting: Waiting | null = null;
  #closed = false;

  constructor(options: ConnectionOptions & { readonly clientName: string }, host: ChangeFeedHost) {
    this.#options = options;
    this.#connection = new Connection(options);
    this.#host = host;
  }

  /** Connects and subscribes; resolves when the source has confirmed it. @throws FerryError */
  async open(how: FollowedBy): Promise<void> {
    await this.#connection.open();
    await this.#connection.request(['CLIENT', 'SETNAME', this.#options.clientName]);
    const messages = new ChangeMessages({
      key: (database, bytes, start, length) => this.#host.changed(database, bytes, start, length),
      flushed: () => this.#host.flushed(),
      reply: (kind, text) => this.#replied(kind, text),
    });
    this.#connection.listen(
      (bytes) => {
        this.received += bytes.length;
        messages.feed(bytes);
        return !this.#host.full();
      },
      (error) => this.#lost(error?.message ?? 'it was closed'),
    );
    const modern = (await this.#ask(['HELLO', '3'])) === null;
    const alarm = how === 'tracking' ? [] : ['PREFIX', NO_KEY];
    const refusal = modern ? await this.#ask(['CLIENT', 'TRACKING', 'ON', 'BCAST', ...alarm]) : 'it is older than 6.0';
    if (how === 'tracking') {
      if (refusal !== null) throw this.#refused('CLIENT TRACKING', refusal);
      return;
    }
    const denied = await this.#ask(['PSUBSCRIBE', how === 'keyevent' ? '__keyevent@*__:*' : '__keyspace@*__:*']);
    if (denied !== null) throw this.#refused('PSUBSCRIBE', denied);
  }

  /** Resolves when everything that the source had to tell by now has been told. @throws FerryError */
  async caughtUp(): Promise<void> {
    await this.#ask(['PING']);
  }

  /** There is room again. */
  relieve(): void {
    this.#connection.resume();
  }

  close(): void {
    this.#closed = true;
    this.#connection.destroy();
    this.#waiting?.resolve('it was closed');
  }

  /** @returns null, or the error that was the answer. */
  #ask(args: readonly string[]): Promise<string | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#lost('it does not answer');
        resolve('no answer');
      }, ANSWER_MS);
      this.#waiting = {
        resolve: (refusal) => {
          clearTimeout(timer);
          this.#waiting = null;
          resolve(refusal);
        },
      };
      this.#connection.write(encodeCommand(args));
    });
  }

  #replied(kind: number, text: string): void {
    this.#waiting?.resolve(kind === MINUS ? text : null);
  }

  #lost(why: string): void {
    if (this.#closed) return;
    this.close();
    this.#host.lost(
      new FerryError(`The subscription to the changes of ${this.#connection.address} broke (${why}).`, {
        code: 'lost',
        retriable: true,
      }),
    );
  }

  #refused(command: string, refusal: string): FerryError {
    return new FerryError(`The source ${this.#connection.address} refuses ${command} (${refusal}).`, {
      code: 'feed-refused',
    });
  }
}
