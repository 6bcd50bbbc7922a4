// LZF decompression, as Redis compresses strings of more than 20 bytes (lzf_d.c of LibLZF by Marc Lehmann is the
// reference for the format; this is written from the format alone).

/** Three bytes, a reference of the longest form, stand for at most 264: nothing inflates to more. */
const MOST_INFLATED_PER_BYTE = 264 / 3;
/** Two bytes, a run of one literal, stand for at least one. */
const MOST_PACKED_PER_BYTE = 2;

/** Whether that many compressed bytes can stand for that many: a check of announced lengths, before anything is read. */
export function lzfIsPlausible(packed: number, inflated: number): boolean {
  return inflated <= packed * MOST_INFLATED_PER_BYTE && packed <= inflated * MOST_PACKED_PER_BYTE;
}

/** How many bytes the `length` bytes at `start` inflate to, without inflating them; -1 when the data ends early. */
export function lzfLength(source: Uint8Array, start: number, length: number): number {
  const end = start + length;
  let from = start;
  let inflated = 0;
  while (from < end) {
    const control = source[from++] as number;
    if (control < 32) {
      from += control + 1;
      inflated += control + 1;
    } else {
      inflated += (control >> 5) + 2;
      // 7 is the most that three bits hold: one more byte of length follows.
      if (control >= 224) inflated += source[from++] as number;
      from++;
    }
  }
  return from === end ? inflated : -1;
}

/**
 * Decompresses `length` bytes at `start` into exactly `target.length` bytes.
 * @returns false when the data is not a valid compression of that many bytes.
 */
export function lzfDecompress(source: Uint8Array, start: number, length: number, target: Uint8Array): boolean {
  const end = start + length;
  const room = target.length;
  let from = start;
  let to = 0;
  while (from < end) {
    const control = source[from++] as number;
    if (control < 32) {
      // A run of control + 1 literal bytes. Byte by byte: a view of 32 bytes costs more than they do.
      const runEnd = from + control + 1;
      if (runEnd > end || to + control + 1 > room) return false;
      while (from < runEnd) target[to++] = source[from++] as number;
      continue;
    }
    // A reference back: 3 bits of length (7 = one more byte follows), 13 bits of distance.
    let run = control >> 5;
    if (run === 7) {
      if (from >= end) return false;
      run += source[from++] as number;
    }
    if (from >= end) return false;
    const distance = ((control & 31) << 8) + (source[from++] as number) + 1;
    run += 2;
    if (distance > to || to + run > room) return false;
    // Byte by byte: the two ranges may overlap, which is how a repetition is written.
    for (const runEnd = to + run; to < runEnd; to++) target[to] = target[to - distance] as number;
  }
  return to === room;
}
