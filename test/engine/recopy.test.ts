// Keys that are copied again while the stream writes them: what comes out must be what the source has, to the last bit.
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import type { KeyName, RecopyCounts } from '../../source/engine/contract/command.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, type Migration, migrate } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

async function keysOf(node: Redis, database: number): Promise<KeyName[]> {
  await node.select(database);
  const keys = await node.keysBuffer('*');
  return keys.map((key) => ({ database, key: key.toString('base64') }));
}

/** Half of the keys get a value of another type, so that each command of the stream that is not held back is refused. */
async function spoil(target: Redis, keys: readonly KeyName[]): Promise<void> {
  for (const [index, { database, key }] of keys.entries()) {
    if (index % 2 === 0) continue;
    const name = Buffer.from(key, 'base64');
    await target.select(database);
    await target.multi().del(name).sadd(name, 'spoilt').exec();
  }
}

async function repair(run: Migration, keys: readonly KeyName[]): Promise<RecopyCounts> {
  const outcome = await run.engine.dispatch({ type: 'repair', keys });
  const { shards } = run.engine.snapshot();
  if (outcome.recopied === undefined) throw new Error(`${outcome.message} ${JSON.stringify(shards)}`);
  return outcome.recopied;
}

it('every key, of every type, comes out equal when it is copied again under 2,000 writes a second on it', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const sample = { keys: 500, cluster: false, seed: 3, databases: [0, 2] };
  await fillSample([source], sample);
  const run = migrate(endpointOf(source), endpointOf(target));
  await run.streaming();
  const load = await startLoad([source], { ...sample, ratePerSecond: 2000 });
  const [ask, to] = [client(source), client(target)];
  await waitFor(() => load.stats().commands > 3000, { deadlineMs: 20_000, what: 'writes' });
  let rewritten = 0;
  // Each round takes the keys that are there now: many are renamed, deleted and made again before the stream, which the
  // pause has let fall behind, comes to the values that were fetched.
  for (let round = 0; round < 5; round++) {
    await run.engine.dispatch({ type: 'pause', shards: 'all' });
    const before = load.stats().commands;
    await waitFor(() => load.stats().commands > before + 1500, { deadlineMs: 20_000, what: 'a backlog' });
    await waitFor(() => run.engine.snapshot().shards[0]?.inFlightBytes === 0, { what: 'the last replies' });
    const keys = [...(await keysOf(ask, 0)), ...(await keysOf(ask, 2))];
    await spoil(to, keys);
    const repaired = repair(run, [...keys, { database: 0, key: Buffer.from('never there').toString('base64') }]);
    await run.engine.dispatch({ type: 'resume', shards: 'all' });
    const counts = await repaired;
    expect(counts.failed).toBe(0);
    expect(counts.removed).toBeGreaterThan(0);
    rewritten += counts.rewritten;
  }
  const { errors } = await load.stop();
  expect(errors).toBe(0);
  expect(rewritten).toBeGreaterThan(5 * 500);
  await run.caughtUp();
  expect((await compare([source], [target], { sourceCluster: false, targetCluster: false })).differences).toEqual([]);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', refused: 0 });
});

it('what differs on the target is mended: other values, missing keys, and keys that the source does not have', async () => {
  const [source, target] = await Promise.all([testServer(), testCluster({ masters: 3 })]);
  const from = client(source);
  await from.mset('a', '1', 'b', '2', 'c', '3');
  await from.hset('h', 'f', 'v');
  await from.pexpire('h', 3_600_000);
  const [first] = target.masters;
  if (first === undefined) throw new Error('a cluster without masters');
  const run = migrate(endpointOf(source), endpointOf(first));
  await run.streaming();
  await run.caughtUp();
  const to = new Redis.Cluster([first]);
  onTestFinished(() => to.disconnect());
  await to.set('a', 'broken');
  await to.del('b');
  await to.hset('h', 'g', 'too much');
  await to.persist('h');
  await to.set('extra', 'of nobody');
  const names = ['a', 'b', 'c', 'h', 'extra'].map((key) => ({ database: 0, key: Buffer.from(key).toString('base64') }));
  expect(await repair(run, names)).toEqual({ rewritten: 4, removed: 1, failed: 0 });
  const report = await compare([source], target.masters, { sourceCluster: false, targetCluster: true });
  expect(report.differences).toEqual([]);
  await run.stop();
});

it('no reply to any kind of write is taken for a difference where there is none', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const sample = { keys: 500, cluster: false, seed: 4, databases: [0, 2] };
  await fillSample([source], sample);
  const run = migrate(endpointOf(source), endpointOf(target));
  await run.streaming();
  const load = await startLoad([source], { ...sample, ratePerSecond: 2500 });
  await waitFor(() => load.stats().commands > 15_000, { deadlineMs: 40_000, what: 'writes' });
  await load.stop();
  await run.caughtUp();
  expect(run.engine.snapshot().shards[0]?.diverged).toBe(0);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', refused: 0 });
});

for (const kind of ['standalone', 'cluster'] as const) {
  it(`a reply that shows that a key differs gets it copied again, towards a ${kind}`, async () => {
    const source = await testServer();
    const target = kind === 'standalone' ? [await testServer()] : (await testCluster({ masters: 3 })).masters;
    const from = client(source);
    await from.sadd('set', 'a', 'b', 'c');
    await from.hset('hash', 'f', '1', 'g', '2');
    await from.set('counter', '5');
    await from.set('{t}from', 'moves');
    await from.set('kept', 'x', 'EX', 3600);
    const [first] = target;
    if (first === undefined) throw new Error('no target');
    const run = migrate(endpointOf(source), endpointOf(first));
    await run.streaming();
    await run.caughtUp();
    const to = kind === 'standalone' ? client(first) : new Redis.Cluster([first]);
    onTestFinished(() => to.disconnect());
    for (const key of ['set', 'hash', 'counter', '{t}from', 'kept']) await to.del(key);
    await to.lpush('counter', 'of another type');
    await from.srem('set', 'a');
    await from.multi().hdel('hash', 'f').set('beside', 'it').exec();
    await from.incr('counter');
    await from.rename('{t}from', '{t}to');
    await from.persist('kept');
    // A value that is not what it was, but answers as it should, is not seen: that is what validate is for.
    await waitFor(() => run.engine.snapshot().shards[0]?.diverged === 6, { what: 'the keys to be seen' });
    await run.caughtUp();
    const report = await compare([source], target, { sourceCluster: false, targetCluster: kind === 'cluster' });
    expect(report.differences).toEqual([]);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', refused: 0 });
  });
}
