// What the last comparison said of each source shard, and for how long that may be relied upon.
import type { ShardSnapshot, ShardState, ShardVerified } from '../contract/shard-snapshot.ts';

/** A day, as PlanetScale's checks have it: who cuts over wants to have looked today. */
const STALE_AFTER_MS = 24 * 3600 * 1000;

/** In these the shard's copy is being made anew: what was verified is gone. */
const BEGINS_ANEW: ReadonlySet<ShardState> = new Set(['waiting-snapshot', 'full-sync']);

interface Verdict {
  readonly atMs: number;
  readonly checked: number;
  readonly fraction: number | null;
  different: number;
  stale: boolean;
}

export class ShardVerdicts {
  /** By the number of the shard. */
  readonly #verdicts = new Map<number, Verdict>();

  put(shard: number, verdict: Omit<ShardVerified, 'stale'>): void {
    this.#verdicts.set(shard, { ...verdict, stale: false });
  }

  /** One of the shard's differences is none any more. */
  repaired(shard: number): void {
    const verdict = this.#verdicts.get(shard);
    if (verdict !== undefined) verdict.different = Math.max(0, verdict.different - 1);
  }

  /** null when it was never compared. */
  of({ id, state }: Pick<ShardSnapshot, 'id' | 'state'>, nowMs: number): ShardVerified | null {
    const verdict = this.#verdicts.get(id);
    if (verdict === undefined) return null;
    if (BEGINS_ANEW.has(state) || nowMs - verdict.atMs >= STALE_AFTER_MS) verdict.stale = true;
    return { ...verdict };
  }
}
