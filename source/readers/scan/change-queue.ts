// Keys that changed and wait to be fetched: each once, first in, first out, in bounded memory and without an object per key.
// Two pages of bytes with a hash table each: one is taken from, the other is filled. What does not fit goes to a queue on
// disk; a key that is there already may be put there once more, and is told apart when it comes back.
import { ByteWindow } from '../byte-window.ts';
import { ChangePage } from './change-page.ts';
import { KeyHash } from './key-hash.ts';

/** Where keys go that do not fit. */
export interface OverflowQueue {
  readonly size: number;
  push(bytes: Buffer): void;
  read(into: Uint8Array, offset: number, length: number): number;
}

/** Database (2 bytes) and length (4 bytes) stand before a key. */
export const RECORD_HEAD = 6;
/** Keys put on disk since the last time that some were taken back: one that is among them is not put there again. */
const RECENT = 1 << 18;

export class ChangeQueue {
  /** Keys that were put in and taken out, counted from the start; the same key once more is none. */
  added = 0;
  taken = 0;
  readonly #pageBytes: number;
  readonly #overflow: OverflowQueue;
  readonly #hash = new KeyHash();
  readonly #window = new ByteWindow();
  #draining: ChangePage;
  #filling: ChangePage;
  /** What is put on disk next; the queue there copies it. */
  #record = Buffer.allocUnsafeSlow(1024);
  #recentLow: Uint32Array | null = null;
  #recentHigh: Uint32Array | null = null;

  /** @param memoryBytes for both pages together. */
  constructor(memoryBytes: number, overflow: OverflowQueue) {
    this.#pageBytes = memoryBytes >> 1;
    this.#overflow = overflow;
    this.#draining = new ChangePage(this.#pageBytes);
    this.#filling = new ChangePage(this.#pageBytes);
  }

  /** Keys that wait; those on disk may be counted more than once. */
  get size(): number {
    return this.added - this.taken;
  }

  /** @param bytes are copied. */
  add(database: number, bytes: Buffer, start: number, length: number): void {
    this.#hash.of(database, bytes, start, length);
    const { low, high } = this.#hash;
    if (this.#draining.has(low, database, bytes, start, length)) return;
    if (this.#filling.has(low, database, bytes, start, length)) return;
    if (this.#onDisk === 0 && this.#filling.add(low, database, bytes, start, length)) this.added++;
    else this.#spill(low, high, database, bytes, start, length);
  }

  /** Takes the next key, a view that holds until the next call; false when there is none for now. */
  take(give: (database: number, bytes: Buffer, start: number, length: number) => void): boolean {
    if (this.#draining.empty) this.#turnPages();
    if (this.#draining.empty) return false;
    this.#draining.take(give);
    this.taken++;
    return true;
  }

  get #onDisk(): number {
    return this.#overflow.size + this.#window.length;
  }

  #turnPages(): void {
    [this.#draining, this.#filling] = [this.#filling, this.#draining];
    this.#filling.clear();
    if (this.#onDisk === 0) return;
    // What is put on disk from here on stands behind what is read now.
    this.#recentLow?.fill(0);
    this.#recentHigh?.fill(0);
    this.#load();
  }

  #load(): void {
    const window = this.#window;
    for (;;) {
      const { bytes, start } = window;
      const length = window.length < RECORD_HEAD ? 0 : bytes.readUInt32LE(start + 2);
      if (window.length < RECORD_HEAD + length || window.length < RECORD_HEAD) {
        if (window.fill(this.#overflow) === 0) return;
        continue;
      }
      const database = bytes.readUInt16LE(start);
      const key = start + RECORD_HEAD;
      this.#hash.of(database, bytes, key, length);
      const { low } = this.#hash;
      const known =
        this.#draining.has(low, database, bytes, key, length) || this.#filling.has(low, database, bytes, key, length);
      if (known) this.taken++;
      else if (!this.#filling.add(low, database, bytes, key, length)) return;
      window.start += RECORD_HEAD + length;
    }
  }

  #spill(low: number, high: number, database: number, bytes: Buffer, start: number, length: number): void {
    this.#recentLow ??= new Uint32Array(RECENT);
    this.#recentHigh ??= new Uint32Array(RECENT);
    const place = low & (RECENT - 1);
    if (this.#recentHigh[place] === high && this.#recentLow[place] === low) return;
    this.#recentLow[place] = low;
    this.#recentHigh[place] = high;
    if (this.#record.length < RECORD_HEAD + length) this.#record = Buffer.allocUnsafeSlow((RECORD_HEAD + length) * 2);
    const record = this.#record.subarray(0, RECORD_HEAD + length);
    record.writeUInt16LE(database, 0);
    record.writeUInt32LE(length, 2);
    bytes.copy(record, RECORD_HEAD, start, start + length);
    this.#overflow.push(record);
    this.added++;
  }
}
