// LZF decompression, as Redis compresses strings of more than 20 bytes (lzf_d.c of LibLZF by Marc Lehmann is the
// reference for the format; this is written from the format alone).

/**
 * Decompresses `length` bytes at `start` into exactly `target.length` bytes.
 * @returns false when the data is not a valid compression of that many bytes.
 */
export function lzfDecompress(source: Uint8Array, start: number, length: number, target: Uint8Array): boolean {
  const end = start + length;
  let from = start;
  let to = 0;
  while (from < end) {
    const control = source[from++] as number;
    if (control < 32) {
      // A run of control + 1 literal bytes.
      const run = control + 1;
      if (from + run > end || to + run > target.length) return false;
      target.set(source.subarray(from, from + run), to);
      from += run;
      to += run;
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
    if (distance > to || to + run > target.length) return false;
    // Byte by byte: the two ranges may overlap, which is how a repetition is written.
    for (let i = 0; i < run; i++, to++) target[to] = target[to - distance] as number;
  }
  return to === target.length;
}
