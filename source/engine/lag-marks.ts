// When each part of the stream was received, so that the age of the oldest unapplied byte can be told without asking the
// source or writing to it. A bounded ring: under a long backlog the marks are thinned, never the truth about the oldest.

const MOST_MARKS = 4096;
/** Marks closer together than this add nothing that a person could see. */
const LEAST_GAP_MS = 5;

export class LagMarks {
  #offsets: number[] = [];
  #times: number[] = [];

  /** The stream was received up to `offset` at `nowMs`. */
  received(offset: number, nowMs: number): void {
    const last = this.#times.length - 1;
    if (last >= 0 && nowMs - (this.#times[last] as number) < LEAST_GAP_MS) return;
    if (this.#times.length === MOST_MARKS) this.#thin();
    this.#offsets.push(offset);
    this.#times.push(nowMs);
  }

  /** Seconds since the first byte behind `applied` was received; 0 when there is none. */
  ageSeconds(applied: number, received: number, nowMs: number): number {
    let passed = 0;
    while (passed < this.#offsets.length && (this.#offsets[passed] as number) <= applied) passed++;
    if (passed > 0) {
      this.#offsets.splice(0, passed);
      this.#times.splice(0, passed);
    }
    if (applied >= received) return 0;
    const oldest = this.#times[0];
    return oldest === undefined ? 0 : Math.max(0, nowMs - oldest) / 1000;
  }

  /** Keeps every second mark; the oldest stays. */
  #thin(): void {
    this.#offsets = this.#offsets.filter((_, index) => index % 2 === 0);
    this.#times = this.#times.filter((_, index) => index % 2 === 0);
  }
}
