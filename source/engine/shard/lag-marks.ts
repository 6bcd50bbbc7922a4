// When each part of the stream was received, so that the age of the oldest unapplied byte can be told without asking the
// source or writing to it, and so that a relative expiry (sources before Redis 7.0) can be counted from then. A bounded
// ring: a long backlog joins neighbours, but only as far apart as the room asks for.
//
// Tolerance of receivedAtMs: 2.5 ms while the backlog is young; a backlog of A ms is never told more than A / 6000 wrong,
// which is 0.6 s after an hour. (Joining ends, at the latest, when a mark may span 4 A / KEPT_MARKS, and half of that is
// the error: two neighbours that were not joined span more than the limit of that time.)

import { steadyMs } from '../steady-clock.ts';

const FEWEST_MARKS = 256;
/** A power of two: 384 KiB, taken only by a backlog that needs it. */
const MOST_MARKS = 16_384;
/** Joining goes on until so few are left, so that it is paid for by the marks that fit in afterwards. */
const KEPT_MARKS = 12_288;
/** Reads closer together than this share a mark. */
const LEAST_SPAN_MS = 5;

export class LagMarks {
  // Mark i: the bytes behind the mark before it, up to #offsets, came from #first to #last (by steadyMs).
  #offsets = new Float64Array(FEWEST_MARKS);
  #first = new Float64Array(FEWEST_MARKS);
  #last = new Float64Array(FEWEST_MARKS);
  #head = 0;
  #count = 0;

  /** The stream was received up to `offset` at `nowMs`. An offset below an earlier one begins another history. */
  received(offset: number, nowMs: number): void {
    if (this.#count > 0) {
      const newest = this.#at(this.#count - 1);
      const known = this.#offsets[newest] as number;
      if (offset === known) return;
      const begun = this.#first[newest] as number;
      if (offset < known) this.#clear();
      else if (nowMs >= begun && nowMs - begun < LEAST_SPAN_MS) {
        this.#offsets[newest] = offset;
        this.#last[newest] = nowMs;
        return;
      }
    }
    if (this.#count === this.#offsets.length) this.#makeRoom();
    const at = this.#at(this.#count++);
    this.#offsets[at] = offset;
    this.#first[at] = nowMs;
    this.#last[at] = nowMs;
  }

  /**
   * When the byte that ends at `offset` was received, by steadyMs, to the tolerance above; `otherwise` when no mark reaches so
   * far. For offsets that are not applied yet: the marks of what is applied are forgotten.
   */
  receivedAtMs(offset: number, otherwise = steadyMs()): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#offsets[this.#at(middle)] as number) < offset) low = middle + 1;
      else high = middle;
    }
    if (low === this.#count) return otherwise;
    const at = this.#at(low);
    return ((this.#first[at] as number) + (this.#last[at] as number)) / 2;
  }

  /** Seconds since the first byte behind `applied` was received; 0 when there is none. */
  ageSeconds(applied: number, received: number, nowMs: number): number {
    this.forget(applied);
    if (applied >= received || this.#count === 0) return 0;
    return Math.max(0, nowMs - (this.#first[this.#head] as number)) / 1000;
  }

  #at(index: number): number {
    return (this.#head + index) & (this.#offsets.length - 1);
  }

  /** What was received up to `applied` is not asked for again. */
  forget(applied: number): void {
    while (this.#count > 0 && (this.#offsets[this.#head] as number) <= applied) {
      this.#head = this.#at(1);
      this.#count--;
    }
    if (this.#count === 0 && this.#offsets.length > FEWEST_MARKS) this.#resize(FEWEST_MARKS);
  }

  #clear(): void {
    this.#count = 0;
  }

  #makeRoom(): void {
    if (this.#count < MOST_MARKS) {
      this.#resize(this.#count * 2);
      return;
    }
    // Begins small each time: what came since the last time is joined first, old marks only when that is not enough.
    for (let span = LEAST_SPAN_MS * 2; this.#count > KEPT_MARKS; span *= 2) this.#join(span);
  }

  /** Joins neighbours whose bytes came within `spanMs` of each other; the oldest time stays. */
  #join(spanMs: number): void {
    let kept = this.#head;
    let count = 1;
    for (let i = 1; i < this.#count; i++) {
      const at = this.#at(i);
      if ((this.#last[at] as number) - (this.#first[kept] as number) > spanMs) {
        kept = this.#at(count++);
        this.#first[kept] = this.#first[at] as number;
      }
      this.#offsets[kept] = this.#offsets[at] as number;
      this.#last[kept] = this.#last[at] as number;
    }
    this.#count = count;
  }

  #resize(length: number): void {
    const from = { offsets: this.#offsets, first: this.#first, last: this.#last };
    const offsets = new Float64Array(length);
    const first = new Float64Array(length);
    const last = new Float64Array(length);
    for (let i = 0; i < this.#count; i++) {
      const at = this.#at(i);
      offsets[i] = from.offsets[at] as number;
      first[i] = from.first[at] as number;
      last[i] = from.last[at] as number;
    }
    this.#offsets = offsets;
    this.#first = first;
    this.#last = last;
    this.#head = 0;
  }
}
