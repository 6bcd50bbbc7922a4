// The length encoding that stands before every string and count of an RDB. One reused reader, so that the hot path
// makes no object per length.

const RDB_64BIT = 0x81;
const RDB_32BIT = 0x80;

export const INCOMPLETE = -1;
export const INVALID = -2;

/** The last length read: its value, or the special encoding of a string. */
export class LengthReader {
  /** Exact up to 2^53; beyond that (module ids, counters of -1) only good for passing over. */
  value = 0;
  /** 0 to 3 for a specially encoded string, else -1. */
  encoding = -1;

  /** Reads at `at`; gives the place behind it, INCOMPLETE when `end` cuts it, INVALID when no server writes such a byte. */
  read(bytes: Uint8Array, at: number, end: number): number {
    if (at >= end) return INCOMPLETE;
    const first = bytes[at] as number;
    this.encoding = -1;
    if (first < 0x40) {
      this.value = first;
      return at + 1;
    }
    if (first < 0x80) {
      if (at + 2 > end) return INCOMPLETE;
      this.value = ((first & 0x3f) << 8) | (bytes[at + 1] as number);
      return at + 2;
    }
    if (first >= 0xc0) {
      this.encoding = first & 0x3f;
      return at + 1;
    }
    if (first === RDB_32BIT) {
      if (at + 5 > end) return INCOMPLETE;
      this.value = uint32(bytes, at + 1);
      return at + 5;
    }
    if (first === RDB_64BIT) {
      if (at + 9 > end) return INCOMPLETE;
      this.value = uint32(bytes, at + 1) * 2 ** 32 + uint32(bytes, at + 5);
      return at + 9;
    }
    return INVALID;
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}
