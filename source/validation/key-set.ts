// Which keys have been drawn already: 64-bit hashes in an open table, 16 to 32 bytes a key. Two keys of one hash are taken
// for one, which leaves a key out of a sample once in 10^19 pairs.

const FIRST_SLOTS = 1024;
/** Full to this share it is doubled. */
const MOST_FULL = 0.5;

export class KeySet {
  #high = new Uint32Array(FIRST_SLOTS);
  #low = new Uint32Array(FIRST_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** false when it was there already. */
  add(key: Uint8Array): boolean {
    let high = 0x811c9dc5;
    let low = 0x9747b28c;
    for (let i = 0; i < key.length; i++) {
      const byte = key[i] as number;
      high = Math.imul(high ^ byte, 0x01000193);
      low = Math.imul((low << 5) ^ (low >>> 27) ^ byte, 0x5bd1e995);
    }
    high = scatter(high ^ low);
    // Never 0, which marks a free place.
    low = scatter(low + high) || 1;
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

/** The finish of MurmurHash3: every bit reaches every other. */
function scatter(hash: number): number {
  let mixed = hash;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
