// The pending entries of a group, in 36 bytes each: a group can have millions, and its consumers refer to them by ID.
import { withRoom } from './decode-growing.ts';
import { int64At } from './decode-number.ts';
import { RdbError } from './rdb-error.ts';
import type { ValueReader } from './value-reader.ts';
import type { ValueSink } from './value-sink.ts';

/** ID (two numbers, big endian), delivery time (little endian), deliveries (a double), all of eight bytes. */
const ENTRY_BYTES = 32;
const ID_BYTES = 16;
const INITIAL_ENTRIES = 16;

export class PendingEntries {
  #entries: Buffer = Buffer.allocUnsafeSlow(INITIAL_ENTRIES * ENTRY_BYTES);
  #count = 0;
  /** Indexes of entries in the order in which their owners named them. */
  #owned = new Uint32Array(INITIAL_ENTRIES);
  #ownedCount = 0;
  /** One for each entry that has an owner. */
  #taken = new Uint8Array(0);
  /** Where the last search ended: owners name their entries in the same order. */
  #hint = 0;
  readonly #id = { ms: 0n, seq: 0n };

  /** How many entries have an owner so far. */
  get owned(): number {
    return this.#ownedCount;
  }

  /** Takes an entry off the reader's view; false when it is not all there. @throws RdbError for one out of order. */
  read(reader: ValueReader): boolean {
    const { view } = reader;
    const { start } = view;
    const at = reader.raw(ID_BYTES + 8);
    if (at < 0) return false;
    if (!reader.count()) {
      view.start = start;
      return false;
    }
    const to = this.#count * ENTRY_BYTES;
    this.#entries = withRoom(this.#entries, to, ENTRY_BYTES);
    view.bytes.copy(this.#entries, to, at, at + ID_BYTES + 8);
    this.#entries.writeDoubleLE(reader.value, to + ID_BYTES + 8);
    if (this.#count > 0 && this.#compare(this.#count - 1, view.bytes, at) >= 0) {
      throw new RdbError('A pending entry out of order', reader.position);
    }
    this.#count++;
    return true;
  }

  /** Gives the entry with the ID at `at` an owner; false when there is none, or when it has one. */
  own(bytes: Buffer, at: number): boolean {
    if (this.#taken.length === 0) this.#taken = new Uint8Array(this.#count);
    const index = this.#find(bytes, at);
    if (index < 0 || this.#taken[index] === 1) return false;
    this.#taken[index] = 1;
    if (this.#ownedCount === this.#owned.length) {
      const grown = new Uint32Array(this.#ownedCount * 2);
      grown.set(this.#owned);
      this.#owned = grown;
    }
    this.#owned[this.#ownedCount++] = index;
    return true;
  }

  /** @throws RdbError when an entry is left without an owner: no command could write it. */
  checkAllOwned(offset: number): void {
    if (this.#ownedCount === this.#count) return;
    throw new RdbError(`A group with ${this.#count - this.#ownedCount} pending entries that no consumer has`, offset);
  }

  /** @param order which in the order of their owners. */
  give(order: number, sink: ValueSink): void {
    const entries = this.#entries;
    const at = (this.#owned[order] as number) * ENTRY_BYTES;
    this.#id.ms = entries.readBigUInt64BE(at);
    this.#id.seq = entries.readBigUInt64BE(at + 8);
    sink.pending(this.#id, int64At(entries, at + ID_BYTES), entries.readDoubleLE(at + ID_BYTES + 8));
  }

  #find(bytes: Buffer, at: number): number {
    if (this.#hint < this.#count && this.#compare(this.#hint, bytes, at) === 0) return this.#hint++;
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = this.#compare(middle, bytes, at);
      if (order === 0) {
        this.#hint = middle + 1;
        return middle;
      }
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Below 0 when the entry's ID is the lower one. */
  #compare(index: number, bytes: Buffer, at: number): number {
    const from = index * ENTRY_BYTES;
    return this.#entries.compare(bytes, at, at + ID_BYTES, from, from + ID_BYTES);
  }
}
