// What the run tells the person unasked, one sentence at a time.

export type NoticeLevel = 'info' | 'warn' | 'error';

export interface Notice {
  /** Grows by one with each notice of a run; a screen remembers the last it has seen. */
  readonly id: number;
  /** Unix ms. */
  readonly timeMs: number;
  readonly level: NoticeLevel;
  /** Name of the shard, or null for the whole run. */
  readonly shard: string | null;
  /** One sentence or two. A key is named by `keyInWords` in it, so that the log can hide it (log.keys). */
  readonly message: string;
}

/** How many notices a snapshot carries; older ones are in the log file. */
export const NOTICES_KEPT = 500;
