// When a backlog of the stream will be worked off: it shrinks by what is applied more than is written. Pure.

/** Below this it is gone before anybody has read the estimate. */
const LEAST_BYTES = 256 * 1024;
/** How far the rate follows each second. */
const FOLLOW = 0.3;

export class DrainClock {
  #last: { readonly lagBytes: number; readonly atMs: number } | null = null;
  #shrinkRate: number | null = null;

  /** Once a second. @param lagBytes null before the stream. @param nowMs milliseconds that never go back. */
  second(lagBytes: number | null, nowMs: number): void {
    const before = this.#last;
    this.#last = lagBytes === null ? null : { lagBytes, atMs: nowMs };
    if (lagBytes === null || before === null || nowMs <= before.atMs || lagBytes < LEAST_BYTES) {
      this.#shrinkRate = null;
      return;
    }
    const rate = (before.lagBytes - lagBytes) / ((nowMs - before.atMs) / 1000);
    // What grows and then shrinks is a pause that has ended: the growth says nothing about the way back.
    this.#shrinkRate =
      this.#shrinkRate === null || this.#shrinkRate <= 0 ? rate : this.#shrinkRate + (rate - this.#shrinkRate) * FOLLOW;
  }

  /** Seconds until nothing waits; null while it does not shrink. */
  get etaSeconds(): number | null {
    const rate = this.#shrinkRate;
    if (this.#last === null || rate === null || rate <= 0) return null;
    return Math.round(this.#last.lagBytes / rate);
  }
}
