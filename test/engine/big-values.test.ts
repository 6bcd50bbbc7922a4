// Values above limits.valueInMemory: written by commands under a temporary name and moved into place.
import { describe, expect, it } from 'vitest';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate, type Place, TEST_LIMITS } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { writeTypedData } from '../support/typed-data.ts';

/** Everything that is not tiny counts as big. */
const limits = { ...TEST_LIMITS, valueInMemory: 4096 };
/** Keys of the typed data whose values are larger than that. */
const BIG_KEYS = ['list:big', 'list:wide', 'set:big', 'zset:big', 'hash:big', 'stream'];

async function ownKeys(places: readonly Place[]): Promise<string[]> {
  const found = await Promise.all(places.map((place) => client(place).keys('redferry:*')));
  return found.flat();
}

describe('a value above the memory limit', () => {
  it('arrives whole, of every type, with its expiry', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    await writeTypedData(source, { elements: 30_000 });
    const run = migrate(endpointOf(source), endpointOf(target), { limits, snapshotOnly: true });
    const result = await run.engine.ended;
    expect(result.refusals).toEqual([]);
    expect(result, result.message ?? '').toMatchObject({
      outcome: 'completed',
      exitCode: 0,
      keys: await client(source).dbsize(),
    });
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
    expect(await ownKeys([target])).toEqual([]);
    expect(run.notices.map(({ message }) => message).join('\n')).toContain('written by commands');
  });

  it('goes to the node of its slot', async () => {
    const [source, target] = await Promise.all([testServer(), testCluster({ masters: 3 })]);
    await writeTypedData(source, { elements: 5000 });
    const [entry] = target.masters;
    if (entry === undefined) throw new Error('the cluster has no master');
    const run = migrate(endpointOf(source), endpointOf(entry), { limits, snapshotOnly: true });
    const result = await run.engine.ended;
    expect(result.refusals).toEqual([]);
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0 });
    const report = await compare([source], target.masters, { sourceCluster: false, targetCluster: true });
    expect(report.differences).toEqual([]);
    expect(await ownKeys(target.masters)).toEqual([]);
  });

  it('obeys the conflict policy', async () => {
    const source = await testServer();
    await writeTypedData(source, { elements: 3000 });
    for (const conflictPolicy of ['rewrite', 'ignore', 'panic'] as const) {
      const target = await testServer();
      const there = client(target);
      for (const key of BIG_KEYS) await there.set(key, 'of the target');
      const run = migrate(endpointOf(source), endpointOf(target), { limits, conflictPolicy, snapshotOnly: true });
      const result = await run.engine.ended;
      if (conflictPolicy === 'panic') {
        expect(result).toMatchObject({ outcome: 'conflict', exitCode: 3 });
        expect(await there.mget(...BIG_KEYS)).toEqual(BIG_KEYS.map(() => 'of the target'));
        continue;
      }
      const counts = { rewritten: 0, ignored: 0, [conflictPolicy === 'rewrite' ? 'rewritten' : 'ignored']: 6 };
      expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, conflicts: counts });
      if (conflictPolicy === 'ignore') {
        expect(await there.mget(...BIG_KEYS)).toEqual(BIG_KEYS.map(() => 'of the target'));
      } else {
        const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
        expect(report.differences).toEqual([]);
      }
      expect(await ownKeys([target])).toEqual([]);
    }
  });

  it('is never seen half-written', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const elements = 200_000;
    const from = client(source);
    for (let i = 0; i < elements; i += 10_000) {
      await from.rpush('list', ...Array.from({ length: 10_000 }, (_, n) => `element ${i + n}`));
    }
    const there = client(target);
    await there.rpush('list', 'old');
    const run = migrate(endpointOf(source), endpointOf(target), {
      limits,
      conflictPolicy: 'rewrite',
      snapshotOnly: true,
    });
    const seen = new Set<number>();
    let ended = false;
    void run.engine.ended.then(() => {
      ended = true;
    });
    while (!ended) seen.add(await there.llen('list'));
    seen.add(await there.llen('list'));
    expect([...seen].sort((a, b) => a - b)).toEqual([1, elements]);
  });
});
