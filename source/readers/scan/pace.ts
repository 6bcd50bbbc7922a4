// Holds a reader to so many keys a second.

/** What was not used for a while is not made up for beyond this. */
const MOST_CREDIT_MS = 100;

export class Pace {
  readonly #keysPerSecond: number | null;
  /** When the next turn may begin, by performance.now(). */
  #nextMs = 0;

  /** @param keysPerSecond null for as fast as it goes. */
  constructor(keysPerSecond: number | null) {
    this.#keysPerSecond = keysPerSecond;
  }

  /** Resolves when it is time. */
  async turn(): Promise<void> {
    const waitMs = this.#nextMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }

  took(keys: number): void {
    if (this.#keysPerSecond === null) return;
    const from = Math.max(this.#nextMs, performance.now() - MOST_CREDIT_MS);
    this.#nextMs = from + (keys / this.#keysPerSecond) * 1000;
  }
}
