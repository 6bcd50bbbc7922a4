// Which keys of the target this run has written, where keys of others were there before: a hash of 64 bits a key, so that
// two of ten million keys are taken for one another once in 370,000 runs.
const FIRST_SLOTS = 1 << 12;
/** Of the slots in use; more would make the search long. */
const MOST_LOAD = 0.7;

export class OwnKeys {
  #low = new Uint32Array(FIRST_SLOTS);
  #high = new Uint32Array(FIRST_SLOTS);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  has(low: number, high: number): boolean {
    return this.#high[this.#place(low, high)] !== 0;
  }

  /** @param high never 0, which marks an empty slot. */
  add(low: number, high: number): void {
    const at = this.#place(low, high);
    if (this.#high[at] !== 0) return;
    this.#low[at] = low;
    this.#high[at] = high;
    if (++this.#count > this.#low.length * MOST_LOAD) this.#grow();
  }

  #place(low: number, high: number): number {
    const mask = this.#low.length - 1;
    let at = low & mask;
    while (this.#high[at] !== 0 && (this.#high[at] !== high || this.#low[at] !== low)) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const [low, high] = [this.#low, this.#high];
    this.#low = new Uint32Array(low.length * 2);
    this.#high = new Uint32Array(low.length * 2);
    for (let i = 0; i < low.length; i++) {
      if (high[i] === 0) continue;
      const at = this.#place(low[i] as number, high[i] as number);
      this.#low[at] = low[i] as number;
      this.#high[at] = high[i] as number;
    }
  }
}
