// Ziplists (ziplist.c, Redis 2.2 to 6.2): total bytes and place of the last entry in 32 bits each, count in 16, entries,
// 0xFF. An entry begins with the length of the one before it, which only matters to whoever goes from back to front.
import { CONTAINER_END, ContainerCursor } from './decode-cursor.ts';
import { int64At } from './decode-number.ts';

/** A length before an entry that does not fit in a byte: four more follow. */
const LONG_PREVIOUS = 0xfe;
const INTEGER_16 = 0xc0;
const INTEGER_32 = 0xd0;
const INTEGER_64 = 0xe0;
const INTEGER_24 = 0xf0;
const INTEGER_8 = 0xfe;
/** From here to 0xfd the byte is the integer: 0 to 12. */
const FIRST_IMMEDIATE = 0xf1;

export class ZiplistCursor extends ContainerCursor {
  protected readonly kind = 'ziplist';
  protected readonly headerBytes = 10;

  next(): boolean {
    const { bytes, last } = this;
    if (this.at >= last) return this.finish();
    const previous = bytes[this.at] as number;
    if (previous === CONTAINER_END) throw this.error('with an end mark before its end');
    const at = this.at + (previous === LONG_PREVIOUS ? 5 : 1);
    if (at >= last) throw this.error('with an entry that reaches outside');
    const first = bytes[at] as number;
    let end: number;
    if (first < 0x40) {
      this.isInteger = false;
      this.start = at + 1;
      end = this.start + first;
    } else if (first < 0x80) {
      this.isInteger = false;
      this.start = at + 2;
      end = this.start + (((first & 0x3f) << 8) | (bytes[at + 1] as number));
    } else if (first < 0xc0) {
      this.isInteger = false;
      this.start = at + 5;
      if (this.start > last) throw this.error('with an entry that reaches outside');
      end = this.start + bytes.readUInt32BE(at + 1);
    } else {
      this.isInteger = true;
      end = this.#integer(first, at + 1);
    }
    if (end > last) throw this.error('with an entry that reaches outside');
    this.end = end;
    this.at = end;
    this.seen++;
    return true;
  }

  /** Reads the integer whose bytes begin at `at`; gives the place behind them. */
  #integer(first: number, at: number): number {
    if (first >= FIRST_IMMEDIATE && first < INTEGER_8) {
      this.value = first - FIRST_IMMEDIATE;
      return at;
    }
    const size = INTEGER_BYTES.get(first);
    if (size === undefined) throw this.error(`with an entry of the unknown encoding ${first}`);
    if (at + size > this.last) throw this.error('with an entry that reaches outside');
    this.value = size === 8 ? int64At(this.bytes, at) : this.bytes.readIntLE(at, size);
    return at + size;
  }
}

const INTEGER_BYTES: ReadonlyMap<number, number> = new Map([
  [INTEGER_8, 1],
  [INTEGER_16, 2],
  [INTEGER_24, 3],
  [INTEGER_32, 4],
  [INTEGER_64, 8],
]);
