// Listpacks (listpack.c, Redis 5 on): total bytes in 32 bits, count in 16, entries, 0xFF. An entry is its encoding, its
// data, and its own length written backwards, which only matters to whoever goes from back to front.
import { ContainerCursor } from './decode-cursor.ts';
import { int64At } from './decode-number.ts';

/** First bytes from here on name the larger encodings. */
const STRING_32 = 0xf0;
const INTEGER_16 = 0xf1;
const INTEGER_24 = 0xf2;
const INTEGER_32 = 0xf3;
/** Bytes of the length of STRING_32, and of the integers behind the bytes after it; the last is of 64 bits. */
const LARGE_BYTES = [4, 2, 3, 4, 8];

export class ListpackCursor extends ContainerCursor {
  protected readonly kind = 'listpack';
  protected readonly headerBytes = 6;

  next(): boolean {
    const { bytes, at, last } = this;
    if (at >= last) return this.finish();
    const first = bytes[at] as number;
    let end = at + 1;
    this.isInteger = true;
    // An entry that the container cuts off may be read beyond it here; the check behind is before anybody sees it.
    if (first < 0x80) {
      this.value = first;
    } else if (first < 0xc0) {
      this.isInteger = false;
      this.start = end;
      end += first & 0x3f;
    } else if (first < 0xe0) {
      const bits = ((first & 0x1f) << 8) | (bytes[at + 1] as number);
      this.value = (bits << 19) >> 19;
      end++;
    } else if (first < 0xf0) {
      this.isInteger = false;
      this.start = at + 2;
      end = this.start + (((first & 0x0f) << 8) | (bytes[at + 1] as number));
    } else {
      end = this.#large(first, at);
    }
    const next = end + backlengthBytes(end - at, bytes[end] as number);
    if (next > last) throw this.error('with an entry that reaches outside');
    this.end = end;
    this.at = next;
    this.seen++;
    return true;
  }

  #large(first: number, at: number): number {
    const { bytes, last } = this;
    const size = LARGE_BYTES[first - STRING_32];
    if (size === undefined) throw this.error(`with an entry of the unknown encoding ${first}`);
    const end = at + 1 + size;
    if (end > last) throw this.error('with an entry that reaches outside');
    switch (first) {
      case STRING_32:
        this.isInteger = false;
        this.start = end;
        return end + bytes.readUInt32LE(at + 1);
      case INTEGER_16:
        this.value = bytes.readInt16LE(at + 1);
        return end;
      case INTEGER_24:
        this.value = bytes.readIntLE(at + 1, 3);
        return end;
      case INTEGER_32:
        this.value = bytes.readInt32LE(at + 1);
        return end;
      default:
        this.value = int64At(bytes, at + 1);
        return end;
    }
  }
}

/**
 * Bytes in which the length of an entry is written behind it, seven bits in each. The longest length of each width has
 * two forms: one byte more than it needs, with 0 in front, and since 2026 the one that it needs
 * (redis/redis#15151, valkey-io/valkey#3601).
 * @param first the byte behind the entry.
 */
function backlengthBytes(length: number, first: number): number {
  if (length < 128) return 1;
  const counted = first === 0 ? length + 1 : length;
  if (counted < 16384) return 2;
  if (counted < 2097152) return 3;
  return counted < 268435456 ? 4 : 5;
}
