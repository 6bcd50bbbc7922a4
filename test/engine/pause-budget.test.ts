// The countdown of a pause: until the queue is full, until the source gives the link up, and what is said on the way.
import { expect, test } from 'vitest';
import type { PauseBudget } from '../../source/engine/contract/shard-snapshot.ts';
import { BudgetAlarm } from '../../source/engine/run/budget-alarm.ts';
import { DrainClock } from '../../source/engine/run/drain-clock.ts';
import { BudgetClock, type BudgetFacts, countsDown, parseBufferLimits } from '../../source/engine/run/pause-budget.ts';

const MB = 1_000_000;
const LIMITS = { hardBytes: 256 * MB, softBytes: 64 * MB, softSeconds: 60 };

/** Ten seconds of 10 MB/s, all of which is queued up to `room`; then the facts of the last second. */
const after = (seconds: number, room: number, limits: BudgetFacts['limits'] = LIMITS, perSecond = 10 * MB) => {
  const clock = new BudgetClock();
  const at = (second: number): BudgetFacts => {
    const written = 5000 * MB + second * perSecond;
    const queued = Math.min(room, second * perSecond);
    return { queued, room, bytesReceived: queued, written, received: 5000 * MB + queued, limits };
  };
  for (let second = 0; second <= seconds; second++) clock.second(at(second), second * 1000);
  return clock.budget(at(seconds));
};

test('counts down to the full queue, and from there to the end of the source’s patience', () => {
  // 900 MB are free at 10 MB/s; the soft limit is passed after 6.4 s, and 60 s after that the link is closed.
  expect(after(10, 1000 * MB, { ...LIMITS, hardBytes: 0 })).toEqual({
    isFull: false,
    secondsToFull: 90,
    secondsToFullSync: 160,
  });
  // The hard limit comes first: 256 MB are 25.6 s.
  expect(after(10, 1000 * MB)).toMatchObject({ secondsToFull: 90, secondsToFullSync: 116 });
  expect(after(10, 1000 * MB, { hardBytes: 0, softBytes: 0, softSeconds: 0 }).secondsToFullSync).toBeNull();
  expect(after(10, 1000 * MB, null).secondsToFullSync).toBeNull();
});

test('a full queue counts what the source holds for us already', () => {
  // Full after 5 s, then 5 s in the source: 50 of 256 MB.
  const budget = after(10, 50 * MB);
  expect(budget).toEqual({ isFull: true, secondsToFull: 0, secondsToFullSync: 21 });
});

test('without writes it lasts for ever', () => {
  expect(after(10, 1000 * MB, LIMITS, 0)).toEqual({ isFull: false, secondsToFull: null, secondsToFullSync: null });
});

test.each([
  ['normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60', [268_435_456, 67_108_864, 60]],
  ['normal 0 0 0 replica 0 0 0', [0, 0, 0]],
])('"%s" tells what the source may hold', (text, [hardBytes, softBytes, softSeconds]) => {
  expect(parseBufferLimits(text)).toEqual({ hardBytes, softBytes, softSeconds });
  expect(parseBufferLimits('normal 0 0 0')).toBeNull();
});

test('each step is said once, and again when there was room between', () => {
  const alarm = new BudgetAlarm();
  const look = (secondsToFull: number | null, isFull = false): string | null => {
    const budget: PauseBudget = { isFull, secondsToFull, secondsToFullSync: 30 };
    return alarm.look({ id: 1, name: 'shard-1', budget })?.level ?? null;
  };
  expect([900, 301, 300, 290, 61, 60, 30, 1].map((left) => look(left))).toEqual([
    ...[null, null, 'warn', null, null, 'error', null, null],
  ]);
  expect(look(0, true)).toBe('error');
  expect(look(0, true)).toBeNull();
  expect(alarm.look({ id: 1, name: 'shard-1', budget: null })).toBeNull();
  expect(look(50)).toBe('error');
  expect(look(null)).toBeNull();
  expect(look(0, true)).toBe('error');
  expect(
    alarm.look({ id: 2, name: 'shard-2', budget: { isFull: true, secondsToFull: 0, secondsToFullSync: 8 } })?.message,
  ).toMatch(/^The queue of shard-2 is full: .* gives the link up in about 8 s\. Resume it, or take its rate away\.$/);
});

test('the way back to lag 0 is estimated from what shrinks, not from what has grown before', () => {
  const clock = new DrainClock();
  clock.second(0, 0);
  clock.second(50 * MB, 1000);
  clock.second(100 * MB, 2000);
  expect(clock.etaSeconds).toBeNull();
  clock.second(80 * MB, 3000);
  expect(clock.etaSeconds).toBe(4);
  clock.second(60 * MB, 4000);
  expect(clock.etaSeconds).toBe(3);
  clock.second(100, 5000);
  expect(clock.etaSeconds).toBeNull();
  clock.second(null, 6000);
  expect(clock.etaSeconds).toBeNull();
});

test('a snapshot that comes faster than it goes is no countdown until a quarter of the queue is full', () => {
  expect(countsDown({ queued: 24 * MB, room: 100 * MB }, false)).toBe(false);
  expect(countsDown({ queued: 25 * MB, room: 100 * MB }, false)).toBe(true);
  expect(countsDown({ queued: 0, room: 100 * MB }, true)).toBe(true);
});
