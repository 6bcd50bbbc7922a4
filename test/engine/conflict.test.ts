// Keys that are on the target before the run, under each policy.
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../source/engine/errors.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate, type Place } from '../support/migration.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const KEYS = 5000;
const TAKEN = 200;
const MANY = 80_000;

/** A source with strings, hashes and a list; every 25th key is on the target already, with another value. */
async function stage(): Promise<{ source: Place; target: Place; from: Redis; to: Redis }> {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const [from, to] = [client(source), client(target)];
  const fill = from.pipeline();
  for (let i = 0; i < KEYS; i++) {
    if (i % 3 === 0) fill.hset(`key:${i}`, 'field', `source ${i}`);
    else if (i % 3 === 1) fill.set(`key:${i}`, `source ${i}`, 'PX', 3_600_000);
    else fill.set(`key:${i}`, `source ${i}`);
  }
  await fill.exec();
  const taken = to.pipeline();
  for (let i = 0; i < KEYS; i += KEYS / TAKEN) taken.set(`key:${i}`, 'target');
  await taken.exec();
  return { source, target, from, to };
}

describe('the conflict policy', () => {
  it('rewrite replaces what is there, and counts it', async () => {
    const { source, target } = await stage();
    const run = migrate(endpointOf(source), endpointOf(target), { conflictPolicy: 'rewrite', snapshotOnly: true });
    const result = await run.engine.ended;
    expect(result).toMatchObject({
      outcome: 'completed',
      exitCode: 0,
      keys: KEYS,
      conflicts: { rewritten: TAKEN, ignored: 0 },
    });
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
  });

  it('ignore keeps what is there, and counts it', async () => {
    const { source, target, to } = await stage();
    const run = migrate(endpointOf(source), endpointOf(target), { conflictPolicy: 'ignore', snapshotOnly: true });
    const result = await run.engine.ended;
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, conflicts: { rewritten: 0, ignored: TAKEN } });
    expect(await to.get('key:0')).toBe('target');
    expect(await to.get('key:1')).toBe('source 1');
    expect(await to.dbsize()).toBe(KEYS);
  });

  it('panic ends the run with the key and what to do', async () => {
    const { source, target, to } = await stage();
    const run = migrate(endpointOf(source), endpointOf(target), { snapshotOnly: true });
    const result = await run.engine.ended;
    expect(result).toMatchObject({ outcome: 'conflict', exitCode: EXIT.conflict });
    expect(result.message).toMatch(
      /The key "key:\d+" \(database 0\) is on the target already, with another value: empty the target, choose/,
    );
    expect(await to.get('key:0')).toBe('target');
  });

  it('many of them are said to be what the shard is at', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    for (const place of [source, target]) {
      const value = `at ${place.port}`;
      await client(place).mset(Array.from({ length: MANY }, (_, i) => [`key:${i}`, value]).flat());
    }
    const run = migrate(endpointOf(source), endpointOf(target), { conflictPolicy: 'rewrite', snapshotOnly: true });
    const sentences = new Set<string | null>();
    await waitFor(
      () => {
        const { result, shards } = run.engine.snapshot();
        for (const { waitingFor } of shards) sentences.add(waitingFor);
        return result !== null;
      },
      { what: 'the end of the run' },
    );
    expect([...sentences].join()).toContain('each is compared with what is there');
    expect((await run.engine.ended).conflicts.rewritten).toBe(MANY);
    // What is done moves nothing any more.
    expect(run.engine.snapshot().shards).toMatchObject([{ opsPerSecond: 0, bytesPerSecond: 0, movedPerSecond: 0 }]);
  });
});
