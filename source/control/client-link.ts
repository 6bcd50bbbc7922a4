// The server's side of one client. A client that reads slowly gets fewer pictures, one that does not read is cut: of each,
// one picture and one answer are in memory at most, whatever it asks for.
import type { Socket } from 'node:net';

export interface ClientLinkOptions {
  /** How long the client may take to read one line, milliseconds. */
  readonly stuckMs: number;
}

export class ClientLink {
  /** Whether it gets new pictures unasked. */
  isSubscribed = false;
  readonly #socket: Socket;
  readonly #options: ClientLinkOptions;
  #pushing: Promise<void> | null = null;
  #isStale = false;

  constructor(socket: Socket, options: ClientLinkOptions) {
    this.#socket = socket;
    this.#options = options;
    // The client went away in the middle: its reading loop ends by itself.
    socket.on('error', () => {});
  }

  /** Resolves when the system has taken the line, or the client is gone. Wait for it before writing the next answer. */
  write(line: string): Promise<void> {
    if (this.#socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const stuck = setTimeout(() => this.#socket.destroy(), this.#options.stuckMs);
      this.#socket.write(line, () => {
        clearTimeout(stuck);
        resolve();
      });
    });
  }

  /**
   * Sends the newest picture as soon as the last one has been read; those between are never made. Resolves when the
   * newest has been taken, or the client is gone.
   */
  push(newest: () => string): Promise<void> {
    this.#isStale = true;
    this.#pushing ??= this.#pushAll(newest);
    return this.#pushing;
  }

  async #pushAll(newest: () => string): Promise<void> {
    while (this.#isStale && !this.#socket.destroyed) {
      this.#isStale = false;
      await this.write(newest());
    }
    this.#pushing = null;
  }

  /** Ends it after what is being written; cuts it when that lasts longer than `patienceMs`. */
  async end(patienceMs: number): Promise<void> {
    if (this.#socket.closed) return;
    const impatient = setTimeout(() => this.#socket.destroy(), patienceMs);
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    await this.#pushing;
    // Nobody asks anything any more: without this the reading half would stay open.
    this.#socket.end(() => this.#socket.destroySoon());
    await closed;
    clearTimeout(impatient);
  }
}
