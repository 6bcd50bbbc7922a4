// The account of both sides' keys: it is even when the target has no key of its own, and names those that may be.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyBalance } from '../../source/validation/key-balance.ts';
import { batchOf } from '../../source/validation/key-batch.ts';

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 200 });
const batch = (keys: readonly string[]) => batchOf(keys.map((key) => Buffer.from(key)));

test('is even when the target has what was found on both sides, in any order', () => {
  fc.assert(
    fc.property(names, (keys) => {
      const balance = new KeyBalance(undefined, keys.length);
      balance.onTarget(0, batch(keys.toReversed()));
      expect(balance.isEven).toBe(false);
      balance.onBoth(0, batch(keys), []);
      expect(balance.isEven).toBe(true);
      expect(balance.openIn(0, batch(keys))).toEqual([]);
    }),
  );
});

test('names every key that is only on the target', () => {
  fc.assert(
    fc.property(names, fc.nat(), (keys, seed) => {
      const own = keys.filter((_, index) => (index * 2_654_435_761 + seed) % 3 === 0);
      const common = keys.filter((key) => !own.includes(key));
      const balance = new KeyBalance(undefined, keys.length);
      balance.onBoth(0, batch(common), []);
      balance.onTarget(0, batch(keys));
      expect(balance.isEven).toBe(own.length === 0);
      const open = balance.openIn(0, batch(keys)).map((index) => keys[index]);
      expect(open).toEqual(expect.arrayContaining(own));
    }),
  );
});

test('keys that were left out are none that both have, until they are said to be', () => {
  const keys = ['a', 'b', 'c', 'd'];
  const balance = new KeyBalance(undefined, 4);
  balance.onBoth(0, batch(keys), [1, 3]);
  balance.onTarget(0, batch(keys));
  expect(balance.openIn(0, batch(keys))).toEqual([1, 3]);
  balance.oneOnBoth(0, Buffer.from('b'));
  expect(balance.openIn(0, batch(keys))).toEqual([3]);
  balance.oneOnBoth(0, Buffer.from('d'));
  expect(balance.isEven).toBe(true);
});

test('a database of the source counts as the one that it has on the target', () => {
  const balance = new KeyBalance({ '3': 7 }, 2);
  balance.onBoth(3, batch(['a']), []);
  balance.onBoth(0, batch(['a']), []);
  balance.onTarget(7, batch(['a']));
  expect(balance.isEven).toBe(false);
  balance.onTarget(0, batch(['a']));
  expect(balance.isEven).toBe(true);
});

test('a key that was given twice leaves its account open, and is asked for', () => {
  const balance = new KeyBalance(undefined, 3);
  balance.onBoth(0, batch(['a', 'b', 'a']), []);
  balance.onTarget(0, batch(['b', 'a']));
  expect(balance.openIn(0, batch(['a', 'b']))).toEqual([0]);
});
