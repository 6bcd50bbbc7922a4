// Says in time that a shard that is held back runs out of room: once at each step, and anew when there was room between.
import type { NoticeLevel } from '../contract/notice.ts';
import type { ShardSnapshot } from '../contract/shard-snapshot.ts';

/** Seconds left at which something is said. */
const STEPS = [300, 60, 0] as const;
/** So much more than a step is room again. */
const AGAIN = 2;

export interface BudgetNotice {
  readonly level: NoticeLevel;
  readonly message: string;
}

export class BudgetAlarm {
  /** The lowest step that was told of each shard. */
  readonly #told = new Map<number, number>();

  /** What is to be said of a shard now; null for nothing. */
  look({ id, name, budget }: Pick<ShardSnapshot, 'id' | 'name' | 'budget'>): BudgetNotice | null {
    const left = budget?.isFull ? 0 : (budget?.secondsToFull ?? null);
    const told = this.#told.get(id) ?? Number.POSITIVE_INFINITY;
    if (left === null || left > told * AGAIN + 1) {
      this.#told.delete(id);
      if (budget === null || left === null) return null;
    }
    const step = STEPS.findLast((seconds) => left <= seconds);
    if (step === undefined || step >= (this.#told.get(id) ?? Number.POSITIVE_INFINITY)) return null;
    this.#told.set(id, step);
    if (step > 0) {
      const message = `The queue of ${name} is full in ${left} s at the present write rate; then its source holds the writes, and in the end begins a full sync anew.`;
      return { level: step > 60 ? 'warn' : 'error', message };
    }
    const inSync = budget?.secondsToFullSync ?? null;
    const then = inSync === null ? 'in the end' : `in about ${inSync} s`;
    const message = `The queue of ${name} is full: nothing more is read from its source, which holds the writes and gives the link up ${then}. Resume it, or take its rate away.`;
    return { level: 'error', message };
  }
}
