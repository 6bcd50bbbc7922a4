// How far a comparison is: what it has counted, and how fast that grows.

export interface ValidateProgress {
  readonly looking: 'source' | 'target' | 'suspects';
  /** Keys looked at, of both sides. */
  readonly done: number;
  readonly total: number;
  readonly different: number;
  readonly suspects: number;
  /** Over the last seconds; null at the start. */
  readonly keysPerSecond: number | null;
  readonly etaSeconds: number | null;
  readonly paused: boolean;
}

/** What the comparison itself can tell. */
export type Counted = Pick<ValidateProgress, 'looking' | 'done' | 'total' | 'different' | 'suspects'>;

/** The rate is that of this many of the last reports. */
const RATE_REPORTS = 10;

export class ProgressReport {
  #marks: { readonly atMs: number; readonly done: number }[] = [];

  /** One more report; they are made at even intervals. */
  next(counted: Counted, paused: boolean): ValidateProgress {
    const { done, total } = counted;
    this.#marks = [...this.#marks, { atMs: performance.now(), done }].slice(-RATE_REPORTS);
    const keysPerSecond = this.#keysPerSecond();
    return {
      ...counted,
      keysPerSecond,
      etaSeconds: keysPerSecond ? Math.max(0, total - done) / keysPerSecond : null,
      paused,
    };
  }

  #keysPerSecond(): number | null {
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    if (first === undefined || last === undefined || first.atMs === last.atMs) return null;
    return ((last.done - first.done) / (last.atMs - first.atMs)) * 1000;
  }
}
