// Writes that wait for their turn come out as they went in, in their order, whatever is taken between.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PendingWrites } from '../../source/engine/conflicts/pending-writes.ts';

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const write = fc.record({ database: fc.nat(15), args: fc.array(bytes, { minLength: 1, maxLength: 8 }) });
const step = fc.oneof(fc.array(write, { maxLength: 30 }), fc.integer({ min: 1, max: 40 }));

test('first in, first out', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const pending = new PendingWrites();
      const model: { database: number; args: readonly Buffer[] }[] = [];
      for (const one of steps) {
        if (typeof one === 'number') expect(pending.take(one, 1 << 20)).toEqual(model.splice(0, one));
        else {
          for (const item of one) pending.add(item);
          model.push(...one);
        }
        expect(pending.count).toBe(model.length);
      }
      expect(pending.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)).toEqual(model);
    }),
  );
});

test('what is larger than a chunk, and what goes over the border of two', () => {
  const pending = new PendingWrites();
  const items = Array.from({ length: 50 }, (_, i) => ({
    database: i,
    args: [Buffer.from('SET'), Buffer.from(`key:${i}`), Buffer.alloc(i % 7 === 0 ? 600_000 : 20_000, i)],
  }));
  for (const item of items) pending.add(item);
  const views = pending.take(10, Number.POSITIVE_INFINITY);
  for (const item of items) pending.add(item);
  expect(views).toEqual(items.slice(0, 10));
  // The bytes are reached with the first that is larger.
  expect(pending.take(100, 30_000)).toEqual(items.slice(10, 12));
  expect(pending.take(1000, Number.POSITIVE_INFINITY)).toEqual([...items.slice(12), ...items]);
});
