// The bounds against published figures, against enumeration, and against simple truths.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shareOut } from '../../source/validation/sample-plan.ts';
import { DEFAULT_SAMPLE, keysToDraw, parseSample } from '../../source/validation/sample-size.ts';
import { boundOf, chanceOfAtMost, keysForBound } from '../../source/validation/statistics.ts';
import { percent, verdictSentence } from '../../source/validation/verdict.ts';

const stratum = (keys: number, drawn: number, different = 0) => ({ keys, drawn, effective: drawn, different });

test('the binomial tail is that of a table', () => {
  expect(chanceOfAtMost(5, 10, 0.5)).toBeCloseTo(0.623046875, 9);
  expect(chanceOfAtMost(0, 30_000, 1e-4)).toBeCloseTo(Math.exp(30_000 * Math.log1p(-1e-4)), 12);
  expect(chanceOfAtMost(10, 10, 0.9)).toBe(1);
  // scipy.stats.binom.cdf(3000, 10000, 0.3)
  expect(chanceOfAtMost(3000, 10_000, 0.3)).toBeCloseTo(0.504933, 6);
});

test.each([
  [0, 2.996],
  [1, 4.744],
  [2, 6.296],
  [3, 7.754],
  [5, 10.513],
  [10, 16.962],
])('with %i found the bound is that of Clopper and Pearson', (found, expected) => {
  const { keys } = boundOf([stratum(1e9, 1e6, found)], 0.95);
  expect(keys / 1000).toBeGreaterThan(expected * 0.998);
  expect(keys / 1000).toBeLessThan(expected * 1.001);
});

test('a large share of all keys bounds the rest', () => {
  expect(boundOf([stratum(1e6, 5e5)], 0.95).keys).toBe(4);
  expect(boundOf([stratum(1e6, 9e5)], 0.95).keys).toBe(1);
  expect(boundOf([stratum(1e6, 9.9e5)], 0.95).keys).toBe(0);
  expect(boundOf([stratum(1e6, 1e6, 7)], 0.95).keys).toBe(7);
});

test('a shard that was not looked at may be all wrong', () => {
  const bound = boundOf([stratum(1e6, 3e5), stratum(500, 0)], 0.95);
  expect(bound.keys).toBeGreaterThanOrEqual(500);
  expect(boundOf([], 0.95)).toEqual({ confidence: 0.95, keys: 0, fraction: 0 });
});

/** The chance of at most `found` differing keys in a simple sample, exactly. */
function hypergeometricAtMost(found: number, keys: number, bad: number, drawn: number): number {
  const choose = (n: number, k: number): number => {
    if (k < 0 || k > n) return 0;
    let value = 1;
    for (let i = 1; i <= k; i++) value *= (n - k + i) / i;
    return value;
  };
  let sum = 0;
  for (let i = 0; i <= found; i++) sum += choose(bad, i) * choose(keys - bad, drawn - i);
  return sum / choose(keys, drawn);
}

test('over all ways to spread bad keys on two strata, at least 95 % of samples have a bound that holds', () => {
  const strata = [
    { keys: 12, drawn: 5 },
    { keys: 9, drawn: 6 },
  ] as const;
  for (let first = 0; first <= 12; first++) {
    for (let second = 0; second <= 9; second++) {
      let held = 0;
      for (let x = 0; x <= 5; x++) {
        for (let y = 0; y <= 6; y++) {
          const chance =
            (hypergeometricAtMost(x, 12, first, 5) - hypergeometricAtMost(x - 1, 12, first, 5)) *
            (hypergeometricAtMost(y, 9, second, 6) - hypergeometricAtMost(y - 1, 9, second, 6));
          if (chance <= 0) continue;
          const bound = boundOf([stratum(12, strata[0].drawn, x), stratum(9, strata[1].drawn, y)], 0.95);
          if (bound.keys >= first + second) held += chance;
        }
      }
      expect(held, `${first} and ${second} bad`).toBeGreaterThanOrEqual(0.95 - 1e-9);
    }
  }
});

test('more draws never loosen the bound, more differences never tighten it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 10, max: 1e6 }), fc.nat(), fc.nat({ max: 20 }), (keys, draws, found) => {
      const drawn = 1 + (draws % keys);
      const different = Math.min(found, drawn);
      const bound = boundOf([stratum(keys, drawn, different)], 0.95).keys;
      expect(bound).toBeGreaterThanOrEqual(different);
      expect(bound).toBeLessThanOrEqual(keys);
      if (drawn < keys)
        expect(boundOf([stratum(keys, drawn + 1, different)], 0.95).keys).toBeLessThanOrEqual(bound + 1);
      if (different < drawn) {
        expect(boundOf([stratum(keys, drawn, different + 1)], 0.95).keys).toBeGreaterThanOrEqual(bound);
      }
    }),
    { numRuns: 300 },
  );
});

test('the sample for a wanted bound gives it, and one key fewer hardly would', () => {
  for (const total of [1, 40, 1000, 10_000_000]) {
    for (const fraction of [0.0001, 0.001, 0.05, 1]) {
      const drawn = keysForBound(fraction, 0.95, total);
      if (drawn > 0) expect(boundOf([stratum(total, drawn)], 0.95).fraction).toBeLessThanOrEqual(fraction);
      if (drawn > 2) expect(boundOf([stratum(total, drawn - 2)], 0.95).fraction).toBeGreaterThan(fraction);
    }
  }
  expect(keysForBound(0.0001, 0.95, 10_000_000)).toBe(29_883);
});

describe('sizes', () => {
  test('are read as people write them', () => {
    expect(parseSample('30000')).toEqual({ kind: 'keys', keys: 30_000 });
    expect(parseSample('30,000')).toEqual({ kind: 'keys', keys: 30_000 });
    expect(parseSample('5%')).toEqual({ kind: 'share', share: 0.05 });
    expect(parseSample('0.01%@95')).toEqual({ kind: 'bound', fraction: 0.0001, confidence: 0.95 });
    for (const wrong of ['', '0', '-1', '1.5', '0%', '101%', '1%@50', '1%@100', 'all']) {
      expect(() => parseSample(wrong), wrong).toThrow('is no sample');
    }
  });

  test('become numbers of keys, shared out with a floor', () => {
    expect(keysToDraw({ kind: 'share', share: 0.05 }, 1001)).toBe(51);
    expect(keysToDraw({ kind: 'keys', keys: 50 }, 20)).toBe(20);
    expect(keysToDraw(DEFAULT_SAMPLE, 10_000_000)).toBeGreaterThan(2900);
    expect(shareOut({ kind: 'keys', keys: 3000 }, [1_000_000, 10_000, 0, 100])).toEqual([2971, 300, 0, 100]);
    expect(shareOut({ kind: 'keys', keys: 30 }, [1_000_000, 10_000, 100])).toEqual([30, 10, 10]);
  });
});

test('the verdict is a sentence to act on', () => {
  const judged = {
    total: 10_000_000,
    checked: 30_000,
    different: 0,
    unstable: 0,
    expiring: 0,
    skipped: 0,
    full: false,
  };
  const bound = { confidence: 0.95, keys: 1000, fraction: 0.0001 };
  expect(verdictSentence({ ...judged, bound })).toBe(
    '30,000 of 10,000,000 keys checked, all equal; with 95 % confidence at most 1,000 keys (0.01 %) differ.',
  );
  expect(
    verdictSentence({
      ...judged,
      checked: 10_000_000,
      different: 1,
      unstable: 2,
      expiring: 1,
      full: true,
      bound: null,
    }),
  ).toBe('All 10,000,000 keys checked, 1 differs. In none of these counts: 2 kept changing, 1 was about to expire.');
  expect([percent(0.0000997), percent(0.5), percent(0.123456), percent(1), percent(0.99)]).toEqual([
    '0.01 %',
    '50 %',
    '12.4 %',
    '100 %',
    '99 %',
  ]);
});
