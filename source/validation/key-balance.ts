// Whether the target has other keys than those that were found on both sides, without asking the source for each of them.
// Both sides' keys go through this ledger, in any order: the hash of a key that both have is added to the account it falls
// into, that of a key of the target is taken off. An account that comes to nothing has no key of the target alone; in the
// others a key may be one, or has only come, gone or been given twice by SCAN meanwhile, and the source is asked.
// An extra key goes unseen when its hash and others of its account add up to nothing: once in 10^13 such accounts at least.
import { type DatabaseNumbers, targetOf } from './database-numbers.ts';
import { type KeyBatch, keyEnd, keyStart } from './key-batch.ts';
import { KeyHash } from './key-hash.ts';

/** About so many keys to an account: one that does not come to nothing costs a question for each. */
const KEYS_AN_ACCOUNT = 64;
const FEWEST_ACCOUNTS = 1 << 10;
/** 2 MB: with few keys they stay in the processor's cache. */
const MOST_ACCOUNTS = 1 << 18;

export class KeyBalance {
  readonly #numbers: DatabaseNumbers | undefined;
  readonly #hash = new KeyHash();
  /** Two numbers an account, each modulo 2^32. */
  readonly #accounts: Uint32Array;
  readonly #mask: number;

  /**
   * @param numbers databases of the source that have another number on the target.
   * @param keys about how many there are; it decides how fine the ledger is.
   */
  constructor(numbers: DatabaseNumbers | undefined, keys: number) {
    let accounts = FEWEST_ACCOUNTS;
    while (accounts < MOST_ACCOUNTS && accounts * KEYS_AN_ACCOUNT < keys) accounts *= 2;
    this.#numbers = numbers;
    this.#accounts = new Uint32Array(2 * accounts);
    this.#mask = accounts - 1;
  }

  /** Keys of a batch of the source that both sides have: all but those at `except`, which are in rising order. */
  onBoth(database: number, batch: KeyBatch, except: readonly number[]): void {
    const salt = targetOf(this.#numbers, database);
    let next = 0;
    for (let index = 0; index < batch.count; index++) {
      if (index === except[next]) next += 1;
      else this.#add(1, batch.bytes, keyStart(batch, index), keyEnd(batch, index), salt);
    }
  }

  /** One key that both sides have. @param database the source's number. */
  oneOnBoth(database: number, key: Uint8Array): void {
    this.#add(1, key, 0, key.length, targetOf(this.#numbers, database));
  }

  /** Keys of the target. @param database the target's number. */
  onTarget(database: number, batch: KeyBatch): void {
    for (let index = 0; index < batch.count; index++) {
      this.#add(-1, batch.bytes, keyStart(batch, index), keyEnd(batch, index), database);
    }
  }

  /** Every account comes to nothing: no key of the target is its own. */
  get isEven(): boolean {
    return this.#accounts.every((sum) => sum === 0);
  }

  /** Those of a batch of the target whose account does not come to nothing. @param database the target's number. */
  openIn(database: number, batch: KeyBatch): number[] {
    const open: number[] = [];
    for (let index = 0; index < batch.count; index++) {
      const { high } = this.#hash.of(batch.bytes, keyStart(batch, index), keyEnd(batch, index), database);
      const account = 2 * (high & this.#mask);
      if (this.#accounts[account] !== 0 || this.#accounts[account + 1] !== 0) open.push(index);
    }
    return open;
  }

  #add(sign: 1 | -1, bytes: Uint8Array, from: number, to: number, salt: number): void {
    const { high, low } = this.#hash.of(bytes, from, to, salt);
    const account = 2 * (high & this.#mask);
    this.#accounts[account] = (this.#accounts[account] as number) + sign * high;
    this.#accounts[account + 1] = (this.#accounts[account + 1] as number) + sign * low;
  }
}
