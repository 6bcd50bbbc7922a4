// The consumers of a group, one behind the other in a buffer: some groups have a consumer for every process that ever was.
import { withRoom } from './decode-growing.ts';
import type { MutableSlice } from './decode-slice.ts';
import type { Slice } from './value-sink.ts';

/** Behind one another: seen, active, entries (doubles), bytes of the name; then the name. */
const SEEN = 0;
const ACTIVE = 8;
const ENTRIES = 16;
const NAME_BYTES = 24;
const HEADER_BYTES = 28;
const INITIAL_BYTES = 512;

/** Consumers are added in the order of the snapshot, and then read in the same. */
export class ConsumerList {
  seenMs = 0;
  activeMs = 0;
  /** How many pending entries it has. */
  entries = 0;
  #records: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  /** The record that was added or read last, and the place behind it. */
  #record = 0;
  #next = 0;
  #end = 0;

  /** Adds a consumer; the rest of it is set behind. */
  add({ bytes, start, end }: Slice): void {
    const size = HEADER_BYTES + end - start;
    this.#records = withRoom(this.#records, this.#end, size);
    this.#record = this.#end;
    this.#records.writeUInt32LE(end - start, this.#record + NAME_BYTES);
    bytes.copy(this.#records, this.#record + HEADER_BYTES, start, end);
    this.#end += size;
  }

  /** Of the consumer added last. */
  setSeen(ms: number): void {
    this.#records.writeDoubleLE(ms, this.#record + SEEN);
  }
  setActive(ms: number): void {
    this.#records.writeDoubleLE(ms, this.#record + ACTIVE);
  }
  setEntries(count: number): void {
    this.#records.writeDoubleLE(count, this.#record + ENTRIES);
  }

  /** Reads the next consumer; false when there is none. */
  next(name: MutableSlice): boolean {
    if (this.#next === this.#end) return false;
    const records = this.#records;
    this.#record = this.#next;
    this.seenMs = records.readDoubleLE(this.#record + SEEN);
    this.activeMs = records.readDoubleLE(this.#record + ACTIVE);
    this.entries = records.readDoubleLE(this.#record + ENTRIES);
    const start = this.#record + HEADER_BYTES;
    this.#next = start + records.readUInt32LE(this.#record + NAME_BYTES);
    name.set(records, start, this.#next);
    return true;
  }
}
