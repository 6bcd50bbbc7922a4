// Nothing lost and nothing twice when the target's links break, its nodes come back with older data or give their slots away:
// under a load of every command family the copy ends equal, without another full sync.
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad, type WriteLoad } from '../../source/demo/write-load.ts';
import { compare, endpointOf, type Migration, migrate, type Place } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const NO_DELAY = ['--repl-diskless-sync-delay', '0'];
const KEYS = 3000;

function client({ host, port }: Place): Redis {
  const redis = new Redis({ host, port });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  return redis;
}

async function notice(run: Migration, text: string, times = 1): Promise<void> {
  await waitFor(() => run.notices.filter(({ message }) => message.includes(text)).length >= times, {
    deadlineMs: 30_000,
    what: `${times} notices with "${text}"`,
  });
}

async function written(load: WriteLoad, commands: number): Promise<void> {
  const until = load.stats().commands + commands;
  await waitFor(() => load.stats().commands >= until, { deadlineMs: 30_000, what: 'writes' });
}

/** Ends the links over which the shards write: what stands in their sockets is lost. */
async function killDataLinks(node: Place): Promise<number> {
  const redis = client(node);
  const list = String(await redis.client('LIST'));
  const ids = list.split('\n').flatMap((line) => /^id=(\d+) .* name=redferry:[^: ]+:shard-/.exec(line)?.[1] ?? []);
  for (const id of ids) await redis.client('KILL', 'ID', id);
  return ids.length;
}

async function expectEqualEnd(run: Migration, source: readonly Place[], target: readonly Place[]): Promise<void> {
  await run.caughtUp();
  const said = run.notices.map(({ message }) => message).join('\n');
  expect(said).not.toContain('new full sync');
  const report = await compare(source, target, {
    sourceCluster: source.length > 1,
    targetCluster: target.length > 1,
  });
  expect(report.differences.slice(0, 5)).toEqual([]);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  // Nothing of redferry's own is left behind.
  for (const node of target) expect(await client(node).keys('redferry:*')).toEqual([]);
}

describe('the links to the target break under live writes', () => {
  it('a standalone', async () => {
    const [source, target] = [await testServer({ args: NO_DELAY }), await testServer()];
    const sample = { keys: KEYS, cluster: false, seed: 5, databases: [0, 3] };
    await fillSample([source], sample);
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    const load = await startLoad([source], { ...sample, ratePerSecond: 4000 });
    for (let round = 1; round <= 8; round++) {
      await written(load, 1000);
      expect(await killDataLinks(target)).toBe(1);
      await notice(run, 'the stream goes on from what it has', round);
    }
    await load.stop();
    await expectEqualEnd(run, [source], [target]);
  });

  it('a cluster', async () => {
    const source = await testServer({ args: NO_DELAY });
    const target = await testCluster({ masters: 3 });
    const [first] = target.masters;
    if (first === undefined) throw new Error('the cluster has no master');
    const sample = { keys: KEYS, cluster: true, seed: 7, databases: [0] };
    await fillSample([source], { ...sample, cluster: false });
    const run = migrate(endpointOf(source), endpointOf(first));
    await run.streaming();
    const load = await startLoad([source], { ...sample, cluster: false, ratePerSecond: 4000 });
    for (let round = 1; round <= 6; round++) {
      await written(load, 1000);
      expect(await killDataLinks(target.masters[round % 3] as Place)).toBe(1);
      await notice(run, 'the stream goes on from what it has', round);
    }
    await load.stop();
    await expectEqualEnd(run, [source], target.masters);
  });
});
