// Names of keys of one database on their way to be fetched: bytes one after the other, no object per key.

/** Keys of one fetch: as many as keep a source busy for about a millisecond. */
export const MOST_KEYS = 512;
const FIRST_BYTES = 16 * 1024;

export class KeyList {
  database = 0;
  /** They are fetched because they changed, not because the scan met them. */
  isChange = false;
  count = 0;
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Where each key begins; one more than there are keys. */
  readonly #starts = new Float64Array(MOST_KEYS + 1);

  get full(): boolean {
    return this.count === MOST_KEYS;
  }

  /** Begins anew. */
  begin(database: number, isChange: boolean): void {
    this.database = database;
    this.isChange = isChange;
    this.count = 0;
    if (this.bytes.length > FIRST_BYTES * 4) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  add(from: Buffer, start: number, length: number): void {
    const at = this.start(this.count);
    if (at + length > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(at + length, this.bytes.length * 2));
      this.bytes.copy(grown, 0, 0, at);
      this.bytes = grown;
    }
    from.copy(this.bytes, at, start, start + length);
    this.#starts[++this.count] = at + length;
  }

  start(index: number): number {
    return this.#starts[index] as number;
  }

  end(index: number): number {
    return this.#starts[index + 1] as number;
  }

  /** A copy of the key. */
  key(index: number): Buffer {
    return Buffer.from(this.bytes.subarray(this.start(index), this.end(index)));
  }
}
