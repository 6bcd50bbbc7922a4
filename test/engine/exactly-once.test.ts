// Nothing lost and nothing twice when the target's links break, its nodes come back with older data or give their slots away:
// under a load of every command family the copy ends equal, without another full sync.
import { describe, expect, it } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad, type WriteLoad } from '../../source/demo/write-load.ts';
import { client } from '../support/client.ts';
import { mastersNow } from '../support/cluster-masters.ts';
import { compare, endpointOf, type Migration, migrate, type Place } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const NO_DELAY = ['--repl-diskless-sync-delay', '0'];
const KEYS = 3000;

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
    const [source, target] = await Promise.all([testServer({ args: NO_DELAY }), testServer()]);
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

describe('a node of the target comes back with older data', () => {
  it('a promoted replica that lacks the last acknowledged writes', async () => {
    const source = await testServer({ args: NO_DELAY });
    const target = await testCluster({ masters: 3, replicasPerMaster: 1, nodeTimeoutMs: 2000 });
    const [first, victim] = target.masters;
    if (first === undefined || victim === undefined) throw new Error('the cluster has too few masters');
    const sample = { keys: KEYS, cluster: true, seed: 6, databases: [0] };
    await fillSample([source], { ...sample, cluster: false });
    const run = migrate(endpointOf(source), endpointOf(first));
    await run.streaming();
    const load = await startLoad([source], { ...sample, cluster: false, ratePerSecond: 3000 });
    await written(load, 3000);
    victim.kill('SIGKILL');
    await notice(run, 'the stream goes on from what it has');
    await written(load, 3000);
    await load.stop();
    const masters = await mastersNow(first);
    expect(masters.map(({ port }) => port)).not.toContain(victim.port);
    await expectEqualEnd(run, [source], masters);
  });

  it('a standalone that was killed, with an AOF that is synced once a second', async () => {
    const source = await testServer({ args: NO_DELAY });
    const target = await testServer({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });
    const sample = { keys: KEYS, cluster: false, seed: 9, databases: [0, 2] };
    await fillSample([source], sample);
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    const load = await startLoad([source], { ...sample, ratePerSecond: 3000 });
    await written(load, 3000);
    target.kill('SIGKILL');
    await target.restart();
    await notice(run, 'the stream goes on from what it has');
    await written(load, 3000);
    await load.stop();
    await expectEqualEnd(run, [source], [target]);
  });
});

describe('a slot of the target that is between two nodes', () => {
  it('keeps its own commands waiting, and no others', async () => {
    const source = await testServer({ args: NO_DELAY });
    const target = await testCluster({ masters: 2 });
    const [from, to] = target.masters;
    if (from === undefined || to === undefined) throw new Error('the cluster has too few masters');
    const writer = client(source);
    await writer.incr('{open}old');
    const run = migrate(endpointOf(source), endpointOf(from));
    await run.streaming();
    await run.caughtUp();
    const slot = Number(await client(from).call('CLUSTER', 'KEYSLOT', '{open}old'));
    const [holder, other] = (await client(from).keys('{open}*')).length > 0 ? [from, to] : [to, from];
    const [holderId, otherId] = [await nodeId(holder), await nodeId(other)];
    await client(other).call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', holderId);
    await client(holder).call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', otherId);
    for (let i = 0; i < 5; i++) await writer.incr('{open}new');
    for (let i = 0; i < 300; i++) await writer.incr(`other:${i % 30}`);
    await waitFor(() => run.engine.snapshot().shards[0]?.waitingFor?.includes('between two nodes') === true, {
      deadlineMs: 10_000,
      what: 'the sentence about the slot',
    });
    const others = Array.from({ length: 30 }, (_, i) => `other:${i}`);
    const counts = async (): Promise<number> => {
      const values = await Promise.all(
        others.map(async (key) => {
          const node =
            (await client(holder).call('CLUSTER', 'COUNTKEYSINSLOT', await keySlot(holder, key))) === 0
              ? other
              : holder;
          return Number(await client(node).get(key));
        }),
      );
      return values.reduce((sum, value) => sum + value, 0);
    };
    await waitFor(async () => (await counts()) === 300, { deadlineMs: 10_000, what: 'the other slots' });
    for (const node of [other, holder]) await client(node).call('CLUSTER', 'SETSLOT', slot, 'STABLE');
    await writer.incr('{open}new');
    await expectEqualEnd(run, [source], target.masters);
  });
});

async function keySlot(node: Place, key: string): Promise<number> {
  return Number(await client(node).call('CLUSTER', 'KEYSLOT', key));
}

async function nodeId(node: Place): Promise<string> {
  return String(await client(node).call('CLUSTER', 'MYID'));
}
