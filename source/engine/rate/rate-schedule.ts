// Windows of the day with a rate of their own, as in "full speed from 01:00 to 05:00". Local time of this machine. Pure.
import type { Rate } from './rate-gate.ts';

export interface RateWindow extends Rate {
  /** `HH:MM`, the first minute of the window. */
  readonly from: string;
  /** `HH:MM`, the first minute behind it; before `from` when it goes over midnight, equal for the whole day. */
  readonly to: string;
}

/** The window that holds at `now`: the first in the list that does; null when none does. */
export function windowAt(windows: readonly RateWindow[], now: Date): RateWindow | null {
  const minute = now.getHours() * 60 + now.getMinutes();
  return windows.find(({ from, to }) => holds(minuteOf(from), minuteOf(to), minute)) ?? null;
}

function holds(from: number, to: number, minute: number): boolean {
  if (from === to) return true;
  return from < to ? from <= minute && minute < to : minute >= from || minute < to;
}

function minuteOf(clock: string): number {
  const [hours = '0', minutes = '0'] = clock.split(':');
  return Number(hours) * 60 + Number(minutes);
}
