// LZF of any size, inflated in pieces: a reference reaches back at most 8192 bytes, so that much of what was given is
// kept and the rest can go. lzf.ts has the format, and does what fits in memory in one go.
import type { MutableSlice } from './decode-slice.ts';

/** A piece is given when it is this long. */
export const PIECE_BYTES = 256 * 1024;
/** How far a reference reaches back: 13 bits. */
const HISTORY_BYTES = 8192;
/** The most that one instruction gives. */
const LONGEST_RUN_BYTES = 264;

/** One compressed string on its way: `inflate` until `full` or `done`, then `take`. */
export class LzfStream {
  readonly #window: Buffer;
  /** What was not taken yet. */
  #start = 0;
  #end = 0;
  #packedLeft: number;
  #inflatedLeft: number;

  /** @param packed bytes in the snapshot. @param inflated bytes of the string. */
  constructor(packed: number, inflated: number) {
    this.#packedLeft = packed;
    this.#inflatedLeft = inflated;
    this.#window = Buffer.allocUnsafeSlow(HISTORY_BYTES + PIECE_BYTES + LONGEST_RUN_BYTES);
  }

  /** A piece waits to be taken before more is inflated. */
  get full(): boolean {
    return this.#end - this.#start >= PIECE_BYTES;
  }

  /** Everything is inflated; what waits is the last piece. */
  get done(): boolean {
    return this.#packedLeft === 0;
  }

  /**
   * Inflates what stands from `at` to `end`, until it is full; gives the place up to which it has read: an instruction
   * that `end` cuts stays. Gives -1 when the data is not a valid compression of the announced length.
   */
  inflate(source: Uint8Array, at: number, end: number): number {
    this.#makeRoom();
    const window = this.#window;
    const until = this.#start + PIECE_BYTES;
    const limit = Math.min(end, at + this.#packedLeft);
    // Whether an instruction that the limit cuts goes on in bytes that are yet to come.
    const more = this.#packedLeft > end - at;
    let from = at;
    let to = this.#end;
    while (from < limit && to < until) {
      const control = source[from] as number;
      const size = control < 32 ? control + 2 : control < 224 ? 2 : 3;
      if (from + size > limit) {
        if (!more) return -1;
        break;
      }
      if (control < 32) {
        for (const runEnd = from + size; ++from < runEnd; ) window[to++] = source[from] as number;
        continue;
      }
      const run = (control < 224 ? control >> 5 : 7 + (source[from + 1] as number)) + 2;
      from += size;
      const distance = ((control & 31) << 8) + (source[from - 1] as number) + 1;
      if (distance > to) return -1;
      for (const runEnd = to + run; to < runEnd; to++) window[to] = window[to - distance] as number;
    }
    this.#inflatedLeft -= to - this.#end;
    this.#packedLeft -= from - at;
    this.#end = to;
    if (this.#inflatedLeft < 0 || (this.#packedLeft === 0 && this.#inflatedLeft > 0)) return -1;
    return from;
  }

  /** Gives what waits; it holds until `inflate` is called again. */
  take(into: MutableSlice): void {
    into.set(this.#window, this.#start, this.#end);
    this.#start = this.#end;
  }

  /** Makes room when everything was taken: only what a reference can reach stays. */
  #makeRoom(): void {
    if (this.#start < this.#end || this.#end <= HISTORY_BYTES) return;
    this.#window.copyWithin(0, this.#end - HISTORY_BYTES, this.#end);
    this.#start = HISTORY_BYTES;
    this.#end = HISTORY_BYTES;
  }
}
