// How long a verdict may be relied upon, and when a shard has come far enough to be read.
import { expect, test } from 'vitest';
import { waitForApplied } from '../../source/engine/comparing/applied-offsets.ts';
import { ShardVerdicts } from '../../source/engine/comparing/shard-verdicts.ts';
import type { ShardSnapshot } from '../../source/engine/contract/shard-snapshot.ts';
import { createFakeEngine } from '../support/fake-engine.ts';

const HOUR_MS = 3600 * 1000;
const VERDICT = { atMs: 1000, checked: 300, different: 2, fraction: 0.01 };

test('a verdict is stale after a day, and from the moment on at which the shard begins anew', () => {
  const verdicts = new ShardVerdicts();
  expect(verdicts.of({ id: 0, state: 'streaming' }, 0)).toBeNull();
  verdicts.put(0, VERDICT);
  verdicts.put(1, VERDICT);
  expect(verdicts.of({ id: 0, state: 'streaming' }, 23 * HOUR_MS)).toMatchObject({ stale: false, different: 2 });
  expect(verdicts.of({ id: 0, state: 'streaming' }, 25 * HOUR_MS)).toMatchObject({ stale: true });
  expect(verdicts.of({ id: 1, state: 'retrying' }, HOUR_MS)).toMatchObject({ stale: false });
  expect(verdicts.of({ id: 1, state: 'full-sync' }, HOUR_MS)).toMatchObject({ stale: true });
  // What it streams then is another copy than the one that was compared.
  expect(verdicts.of({ id: 1, state: 'streaming' }, HOUR_MS)).toMatchObject({ stale: true });
  verdicts.put(1, { ...VERDICT, different: 0 });
  expect(verdicts.of({ id: 1, state: 'streaming' }, HOUR_MS)).toMatchObject({ stale: false, different: 0 });
});

test('what is repaired is no difference any more', () => {
  const verdicts = new ShardVerdicts();
  verdicts.put(3, VERDICT);
  for (let times = 0; times < 3; times++) verdicts.repaired(3);
  verdicts.repaired(4);
  expect(verdicts.of({ id: 3, state: 'done' }, 2000)).toMatchObject({ different: 0 });
});

test('only shards that have applied the offset pass; a paused one and one that nobody knows hold up nobody', async () => {
  const fake = createFakeEngine({ shards: 3 });
  fake.advance(60_000);
  const [first, second, third] = fake.engine.snapshot().shards;
  if (first === undefined || second === undefined || third === undefined) throw new Error('no shards');
  const at = (shard: ShardSnapshot, applied: number, paused = false): ShardSnapshot => ({
    ...shard,
    paused,
    offset: { received: 100, applied },
  });
  let looks = 0;
  const shards = (): readonly ShardSnapshot[] => {
    looks += 1;
    return [at(first, 100), at(second, looks < 3 ? 90 : 100), at(third, 90, true)];
  };
  const offsets = new Map([first, second, third].map(({ address }) => [address, 100]));
  offsets.set('192.0.2.1:6379', 100);
  expect(await waitForApplied(offsets, shards)).toEqual(new Set([first.address, second.address]));
  expect(looks).toBe(3);
  const never = (): readonly ShardSnapshot[] => [at(first, 99), at(second, 100), at(third, 100)];
  expect(await waitForApplied(offsets, never, 50)).toEqual(new Set([second.address, third.address]));
});
