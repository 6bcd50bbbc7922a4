// The end of a run, when all its shards have ended: the target is given back its expiries, unless the person leaves first.
import type { ExpiryCare, Tell } from './expiry-care.ts';

const LEFT = 'Left before the expiries held on the target were settled: redferry settle does that (docs/expiry.md).';

export class ExpiryRelease {
  begun = false;
  readonly #tell: Tell;
  readonly #leaving = Promise.withResolvers<string>();
  #care: ExpiryCare | null = null;
  #left = false;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  /** What this run does about expiries; null: nothing. */
  take(care: ExpiryCare | null): void {
    this.#care = care;
  }

  /** The person wants to leave at once. */
  leave(): void {
    this.#left = true;
    this.#leaving.resolve(LEFT);
  }

  /** @returns what remains to be done by a person, or null; said as a notice already. Never rejects. */
  async release(): Promise<string | null> {
    this.begun = true;
    if (this.#care === null) return null;
    const left = this.#left
      ? LEFT
      : await Promise.race([this.#care.release(() => this.#left, this.#tell), this.#leaving.promise]);
    if (left !== null) this.#tell('error', left);
    return left;
  }
}
