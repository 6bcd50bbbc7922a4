// One page of the queue of changed keys: records one after the other, and a table that finds a key among those not taken.
import { RECORD_HEAD } from './change-queue.ts';

const FIRST_BYTES = 64 * 1024;
const FIRST_SLOTS = 4096;
/** Of the table's slots; more would make the search long. */
const MOST_LOAD = 0.6;

export class ChangePage {
  readonly #mostBytes: number;
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #end = 0;
  #next = 0;
  /** Where a record begins, plus one; 0 for an empty slot. */
  #table = new Uint32Array(FIRST_SLOTS);
  #hashes = new Uint32Array(FIRST_SLOTS);
  #count = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = Math.max(FIRST_BYTES, mostBytes);
  }

  get empty(): boolean {
    return this.#next === this.#end;
  }

  has(hash: number, database: number, bytes: Buffer, start: number, length: number): boolean {
    if (this.empty) return false;
    const mask = this.#table.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const at = (this.#table[slot] as number) - 1;
      if (at < 0) return false;
      if (this.#hashes[slot] === hash && at >= this.#next && this.#is(at, database, bytes, start, length)) return true;
    }
  }

  /** false when there is no room. The key must not be there. */
  add(hash: number, database: number, bytes: Buffer, start: number, length: number): boolean {
    const wanted = this.#end + RECORD_HEAD + length;
    // Half of a page's memory is its table.
    if (wanted + this.#count * 8 > this.#mostBytes && this.#count > 0) return false;
    if (wanted > this.#bytes.length) this.#growBytes(wanted);
    if (this.#count + 1 > this.#table.length * MOST_LOAD) this.#growTable();
    const at = this.#end;
    this.#bytes.writeUInt16LE(database, at);
    this.#bytes.writeUInt32LE(length, at + 2);
    bytes.copy(this.#bytes, at + RECORD_HEAD, start, start + length);
    this.#end = wanted;
    this.#count++;
    this.#put(hash, at);
    return true;
  }

  take(give: (database: number, bytes: Buffer, start: number, length: number) => void): void {
    const at = this.#next;
    const length = this.#bytes.readUInt32LE(at + 2);
    this.#next = at + RECORD_HEAD + length;
    give(this.#bytes.readUInt16LE(at), this.#bytes, at + RECORD_HEAD, length);
  }

  /** Everything in it was taken. */
  clear(): void {
    this.#end = 0;
    this.#next = 0;
    this.#count = 0;
    if (this.#bytes.length > FIRST_BYTES) {
      this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
      this.#table = new Uint32Array(FIRST_SLOTS);
      this.#hashes = new Uint32Array(FIRST_SLOTS);
    } else this.#table.fill(0);
  }

  #is(at: number, database: number, bytes: Buffer, start: number, length: number): boolean {
    if (this.#bytes.readUInt32LE(at + 2) !== length || this.#bytes.readUInt16LE(at) !== database) return false;
    const key = at + RECORD_HEAD;
    for (let i = 0; i < length; i++) if (this.#bytes[key + i] !== bytes[start + i]) return false;
    return true;
  }

  #put(hash: number, at: number): void {
    const mask = this.#table.length - 1;
    let slot = hash & mask;
    while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
    this.#table[slot] = at + 1;
    this.#hashes[slot] = hash;
  }

  #growBytes(wanted: number): void {
    const size = Math.max(wanted, Math.min(this.#bytes.length * 2, this.#mostBytes));
    const grown = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(grown, 0, 0, this.#end);
    this.#bytes = grown;
  }

  #growTable(): void {
    const [table, hashes] = [this.#table, this.#hashes];
    this.#table = new Uint32Array(table.length * 2);
    this.#hashes = new Uint32Array(table.length * 2);
    for (let i = 0; i < table.length; i++) {
      const at = (table[i] as number) - 1;
      // What was taken is not looked for.
      if (at >= this.#next) this.#put(hashes[i] as number, at);
    }
  }
}
