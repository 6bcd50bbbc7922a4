// The streams of a scanned source, fetched again now and then: nothing tells what consumers do to their groups.

import { StreamNames } from '../../readers/scan/stream-names.ts';

/** How old what is known of a stream's groups may become. */
const PERIOD_MS = 30_000;

export interface StreamsHost {
  /** The key is to be fetched again. */
  again(database: number, key: Buffer): void;
  /** Keys wait to be fetched. */
  pull(): void;
  once(level: 'warn', message: string): void;
}

export class ScanStreams {
  readonly #host: StreamsHost;
  readonly #names = new StreamNames();
  #timer: NodeJS.Timeout | null = null;

  constructor(host: StreamsHost) {
    this.#host = host;
  }

  /** A stream was met. */
  add(database: number, key: Buffer): void {
    this.#names.add(database, key);
  }

  /** All of them are fetched again from time to time. */
  start(): void {
    this.#timer = setInterval(() => this.fetch(), PERIOD_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** All that were met are fetched again. */
  fetch(): void {
    this.#names.each((database, key) => this.#host.again(database, key));
    if (this.#names.incomplete)
      this.#host.once('warn', 'The source has too many streams to look at all their groups again: docs/scan.md.');
    this.#host.pull();
  }
}
