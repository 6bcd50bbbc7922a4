// Decides when to leave a fast source's bytes in the kernel for a moment: a source sends its snapshot in pieces of 16 KiB,
// and taking each by itself costs more than what is done with it. Measured on a full sync: see `npm run bench`.

/** A read of this size was worth its cost. */
const WORTHWHILE_BYTES = 128 * 1024;
/** How long the bytes may gather. On an idle link nothing waits. */
export const GATHER_MS = 1;
/** Above this rate the source is fast: 512 KiB in 10 ms are 50 MB/s. */
const PERIOD_MS = 10;
const FAST_BYTES = 512 * 1024;

export class ReadGatherer {
  #periodBegan = 0;
  #periodBytes = 0;
  #fast = false;

  /** Takes note of a read; true when the next one should wait for GATHER_MS. */
  shouldWait(bytes: number, nowMs: number): boolean {
    if (nowMs - this.#periodBegan >= PERIOD_MS) {
      this.#fast = this.#periodBytes >= FAST_BYTES && nowMs - this.#periodBegan < 2 * PERIOD_MS;
      this.#periodBegan = nowMs;
      this.#periodBytes = 0;
    }
    this.#periodBytes += bytes;
    return this.#fast && bytes < WORTHWHILE_BYTES;
  }
}
