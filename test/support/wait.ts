// Waiting in tests: never for a time, always for a condition with a deadline.
import { setTimeout as delay } from 'node:timers/promises';

const DEFAULT_DEADLINE_MS = 15_000;
const DEFAULT_INTERVAL_MS = 10;

export interface WaitOptions {
  /** What is waited for, for the message: `the lag to reach 0`. */
  readonly what: string;
  readonly deadlineMs?: number | undefined;
  readonly intervalMs?: number | undefined;
}

/** Thrown by a condition that can never be met any more: the wait ends with it at once. */
export class InVain extends Error {}

type Falsy = false | null | undefined | 0 | '';

/**
 * Repeats `condition` until it gives something truthy, and gives that back. A throw counts as not yet, unless it is InVain.
 * @throws Error naming what was waited for, how long, and what the condition said last.
 */
export async function waitFor<T>(condition: () => T | Promise<T>, options: WaitOptions): Promise<Exclude<T, Falsy>> {
  const { what, deadlineMs = DEFAULT_DEADLINE_MS, intervalMs = DEFAULT_INTERVAL_MS } = options;
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await condition();
      if (isTruthy(value)) return value;
      last = value;
    } catch (error) {
      if (error instanceof InVain) throw error;
      last = error;
    }
    if (Date.now() >= deadline) {
      throw new Error(`Waited ${deadlineMs} ms for ${what}; the last answer was ${String(last)}`, { cause: last });
    }
    await delay(intervalMs);
  }
}

function isTruthy<T>(value: T): value is Exclude<T, Falsy> {
  return Boolean(value);
}
