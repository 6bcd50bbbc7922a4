// What the screen knows and when it shows it, without a terminal.
import { expect, onTestFinished, test } from 'vitest';
import { createScreenModel } from '../../source/ui/screen-model.ts';
import { createFakeEngine } from '../support/fake-engine.ts';

test('the clock that ages are counted by goes in steps of ten seconds after a while, and never back', () => {
  // Begins between two full tens, where a clock of tens would fall behind the seconds shown before.
  const startMs = Date.UTC(2026, 10, 21, 12, 0, 7);
  const fake = createFakeEngine({ startMs, isIdle: true, shards: 1 });
  const model = createScreenModel(fake.engine, {
    ...{ readOnly: false, refreshHz: 1, now: fake.now },
    ...{ bytesWritten: () => 0, isBackedUp: () => false },
  });
  onTestFinished(model.close);
  const shown: number[] = [];
  for (let second = 0; second < 90; second += 1) {
    fake.advance(1000);
    model.refresh();
    shown.push(model.get().nowMs - startMs);
  }
  expect(shown).toEqual(shown.toSorted((one, other) => one - other));
  expect(shown.slice(0, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((second) => second * 1000));
  expect(new Set(shown.slice(-30)).size).toBeLessThanOrEqual(4);
  for (const [index, ageMs] of shown.entries()) expect((index + 1) * 1000 - ageMs).toBeLessThan(10_000);
});
