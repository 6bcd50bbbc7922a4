import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LagMarks } from '../../source/engine/shard/lag-marks.ts';

const UNKNOWN = Number.NaN;

/** A read of `bytes`, `gapMs` after the one before it. */
const reads = (most: number) =>
  fc.array(fc.record({ gapMs: fc.nat({ max: 60 }), bytes: fc.integer({ min: 1, max: 5000 }) }), {
    minLength: 1,
    maxLength: most,
  });

describe('LagMarks', () => {
  it('tells when a byte was received, and that it does not know', () => {
    const marks = new LagMarks();
    expect(marks.receivedAtMs(1, UNKNOWN)).toBeNaN();
    marks.received(100, 1000);
    marks.received(300, 61_000);
    expect(marks.receivedAtMs(1)).toBe(1000);
    expect(marks.receivedAtMs(100)).toBe(1000);
    expect(marks.receivedAtMs(101)).toBe(61_000);
    expect(marks.receivedAtMs(301, UNKNOWN)).toBeNaN();
    // The wall clock as the steady one tells it has fractions of a millisecond.
    const before = Date.now() - 1;
    expect(marks.receivedAtMs(301)).toBeGreaterThanOrEqual(before);
  });

  it('does not give the bytes of a read the time of one long after it', () => {
    // Two reads 1 ms apart, then a silence: the second is near the first, not where the silence ends.
    const marks = new LagMarks();
    marks.received(10, 1000);
    marks.received(20, 1001);
    marks.received(30, 11_000);
    expect(marks.receivedAtMs(20)).toBe(1000.5);
    expect(marks.receivedAtMs(30)).toBe(11_000);
  });

  it('keeps what is not applied and forgets what is', () => {
    const marks = new LagMarks();
    for (let i = 1; i <= 10; i++) marks.received(i * 100, i * 1000);
    expect(marks.ageSeconds(450, 1000, 20_000)).toBe(15);
    expect(marks.receivedAtMs(451)).toBe(5000);
    expect(marks.receivedAtMs(900)).toBe(9000);
    expect(marks.ageSeconds(1000, 1000, 20_000)).toBe(0);
    expect(marks.receivedAtMs(1000, UNKNOWN)).toBeNaN();
    marks.received(1100, 21_000);
    expect(marks.receivedAtMs(1001)).toBe(21_000);
  });

  it('begins anew when the offsets do, and takes no time from a read of nothing', () => {
    const marks = new LagMarks();
    marks.received(5000, 1000);
    marks.received(5000, 9000);
    expect(marks.receivedAtMs(5000)).toBe(1000);
    marks.received(70, 10_000);
    expect(marks.receivedAtMs(70)).toBe(10_000);
    expect(marks.receivedAtMs(5000, UNKNOWN)).toBeNaN();
  });

  it('stays right when the clock is set back', () => {
    const marks = new LagMarks();
    marks.received(10, 50_000);
    marks.received(20, 20_000);
    marks.received(30, 21_000);
    expect([10, 20, 30].map((offset) => marks.receivedAtMs(offset))).toEqual([50_000, 20_000, 21_000]);
    expect(marks.ageSeconds(0, 30, 21_000)).toBe(0);
  });

  it('is within 2.5 ms for any reads and any progress of what is applied', () => {
    fc.assert(
      fc.property(reads(600), fc.infiniteStream(fc.nat({ max: 9000 })), (steps, progress) => {
        const marks = new LagMarks();
        const truth: { offset: number; atMs: number }[] = [];
        let offset = 0;
        let atMs = 1_000_000;
        let applied = 0;
        for (const { gapMs, bytes } of steps) {
          offset += bytes;
          atMs += gapMs;
          truth.push({ offset, atMs });
          marks.received(offset, atMs);
          applied = Math.min(offset, applied + (progress.next().value ?? 0));
          const oldest = truth.find((read) => read.offset > applied);
          const age = marks.ageSeconds(applied, offset, atMs);
          // The oldest byte may share its mark with one that is applied.
          expect(Math.abs(age * 1000 - (oldest === undefined ? 0 : atMs - oldest.atMs))).toBeLessThan(5);
        }
        let from = 0;
        for (const read of truth) {
          for (const byte of [from + 1, read.offset]) {
            if (byte > applied) expect(Math.abs(marks.receivedAtMs(byte) - read.atMs)).toBeLessThanOrEqual(2.5);
          }
          from = read.offset;
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is within a 6000th of the backlog’s age, under a second after a pause of an hour', () => {
    const HOUR_MS = 3_600_000;
    // Steady reads, reads in bursts with silence between, and the worst spacing for joining: just above its limits.
    const spacings: readonly ((i: number) => number)[] = [
      () => 5,
      () => 7.3,
      () => 11,
      (i) => (i % 40 === 0 ? 900 : 5),
      (i) => (i % 2 === 0 ? 5 : 640),
      () => 41,
    ];
    for (const spacing of spacings) {
      const marks = new LagMarks();
      const times: number[] = [];
      let atMs = 0;
      let worstShare = 0;
      for (let i = 0; atMs < HOUR_MS; i++) {
        atMs += spacing(i);
        times.push(atMs);
        marks.received(times.length, atMs);
        if (i % 50_000 !== 49_999) continue;
        for (let read = 0; read < times.length; read += 97) {
          const error = Math.abs(marks.receivedAtMs(read + 1) - (times[read] as number));
          worstShare = Math.max(worstShare, (error - 2.5) / atMs);
        }
      }
      let worst = 0;
      for (const [read, time] of times.entries()) {
        worst = Math.max(worst, Math.abs(marks.receivedAtMs(read + 1) - time));
      }
      expect(worst).toBeLessThanOrEqual(HOUR_MS / 6000);
      expect(worstShare).toBeLessThanOrEqual(1 / 6000);
      expect(marks.ageSeconds(0, times.length, atMs)).toBeCloseTo((atMs - (times[0] as number)) / 1000, 2);
    }
  });

  it('is exact again once the backlog is gone', () => {
    const marks = new LagMarks();
    for (let i = 1; i <= 100_000; i++) marks.received(i, i * 10);
    expect(marks.ageSeconds(100_000, 100_000, 1_000_000)).toBe(0);
    for (let i = 1; i <= 100; i++) marks.received(100_000 + i, 1_000_000 + i * 10);
    for (let i = 1; i <= 100; i++) expect(marks.receivedAtMs(100_000 + i)).toBe(1_000_000 + i * 10);
  });
});
