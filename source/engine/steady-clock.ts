// Durations and ages are measured by a clock that nobody can set. The wall clock of a jump host is stepped by NTP, by a
// hypervisor, by a person: by it a rate would stand still for an hour, and an expiry would be counted from the wrong day.

/** The same for all threads of this process, ms from some moment in the past (CLOCK_MONOTONIC). */
function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** A wall clock that is further off than this was set; less is the slow drift of two clocks. */
const STEP_MS = 1000;

const startedAtMs = Date.now() - monotonicMs();
let stepMs = 0;

/** Unix ms by the wall clock of this thread's start, and from there on by what has really passed. */
export function steadyMs(): number {
  return startedAtMs + monotonicMs();
}

/** A moment of `steadyMs` as the wall clock tells it now, unix ms; it moves only when that clock was set. */
export function wallMs(steady: number): number {
  const offMs = Date.now() - steadyMs();
  if (Math.abs(offMs - stepMs) > STEP_MS) stepMs = offMs;
  return Math.round(steady + stepMs);
}
