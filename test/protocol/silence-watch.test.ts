import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SilenceWatch } from '../../source/protocol/silence-watch.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watch(limit: () => number | null): { readonly watch: SilenceWatch; readonly told: readonly number[] } {
  const told: number[] = [];
  const made = new SilenceWatch(limit, (seconds) => told.push(seconds));
  made.start();
  return { watch: made, told };
}

it('tells once when nothing came for the limit', () => {
  const { told } = watch(() => 5);
  vi.advanceTimersByTime(4999);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(20_000);
  expect(told).toEqual([5]);
});

it('begins anew with whatever comes, and while nothing is due', () => {
  let limit: number | null = 3;
  const { watch: it, told } = watch(() => limit);
  vi.advanceTimersByTime(2000);
  it.heard();
  vi.advanceTimersByTime(2000);
  limit = null;
  vi.advanceTimersByTime(60_000);
  limit = 3;
  vi.advanceTimersByTime(2000);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(told).toEqual([3]);
});

it('goes by the limit of the moment', () => {
  let limit = 60;
  const { told } = watch(() => limit);
  vi.advanceTimersByTime(30_000);
  limit = 8;
  vi.advanceTimersByTime(1000);
  expect(told).toEqual([31]);
});

it('does not count a time in which the process itself stood still', () => {
  const { told } = watch(() => 5);
  vi.advanceTimersByTime(1000);
  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersByTime(1000);
  expect(told).toEqual([]);
});

it('says nothing once it was stopped', () => {
  const { watch: it, told } = watch(() => 2);
  it.stop();
  vi.advanceTimersByTime(10_000);
  expect(told).toEqual([]);
});
