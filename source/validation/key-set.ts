// Which keys have been drawn already: their hashes in an open table, 16 to 32 bytes a key. Two keys of one hash are taken
// for one, which leaves a key out of a sample once in 10^19 pairs.
import { KeyHash } from './key-hash.ts';

const FIRST_SLOTS = 1024;
/** Full to this share it is doubled. */
const MOST_FULL = 0.5;

export class KeySet {
  readonly #hash = new KeyHash();
  #high = new Uint32Array(FIRST_SLOTS);
  /** 0 marks a free place. */
  #low = new Uint32Array(FIRST_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** false when it was there already. */
  add(key: Uint8Array): boolean {
    const { high, low } = this.#hash.of(key, 0, key.length, 0);
    if (!insert(this.#high, this.#low, high, low)) return false;
    this.#size += 1;
    if (this.#size > this.#low.length * MOST_FULL) this.#grow();
    return true;
  }

  #grow(): void {
    const high = new Uint32Array(this.#high.length * 2);
    const low = new Uint32Array(high.length);
    for (let i = 0; i < this.#low.length; i++) {
      const mark = this.#low[i] as number;
      if (mark !== 0) insert(high, low, this.#high[i] as number, mark);
    }
    this.#high = high;
    this.#low = low;
  }
}

function insert(highs: Uint32Array, lows: Uint32Array, high: number, low: number): boolean {
  const mask = lows.length - 1;
  for (let at = high & mask; ; at = (at + 1) & mask) {
    const there = lows[at] as number;
    if (there === 0) {
      highs[at] = high;
      lows[at] = low;
      return true;
    }
    if (there === low && highs[at] === high) return false;
  }
}
