// What a new full sync of one shard mends: a snapshot that was cut, a backlog that no longer reaches back. In the end everything is equal, also keys that the source deleted meanwhile.
import { Cluster } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { client } from '../support/client.ts';
import { mastersNow } from '../support/cluster-masters.ts';
import { compare, endpointOf, type Migration, migrate, type Place } from '../support/migration.ts';
import { DEBUG_ALLOWED } from '../support/server-version.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

const KEYS = 5000;

async function proxyTo(server: Place): Promise<TcpProxy> {
  const proxy = await startTcpProxy(server);
  onTestFinished(() => proxy.stop());
  return proxy;
}

async function notice(run: Migration, text: string): Promise<void> {
  await waitFor(() => run.notices.some(({ message }) => message.includes(text)), {
    deadlineMs: 15_000,
    what: `a notice with "${text}"`,
  });
}

async function expectEqual(source: Place, target: Place): Promise<void> {
  const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
  expect(report.differences.slice(0, 5)).toEqual([]);
}

describe('a shard begins anew', () => {
  it('when the backlog no longer reaches back, and leaves no ghosts', async () => {
    const source = await testServer({ args: ['--repl-backlog-size', '16kb', '--repl-diskless-sync-delay', '0'] });
    const target = await testServer();
    await fillSample([source], { keys: KEYS, cluster: false, seed: 21, databases: [0, 5] });
    const from = client(source);
    await from.mset(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`ghost:${i}`, 'x'])));
    const proxy = await proxyTo(source);
    const run = migrate(endpointOf(proxy), endpointOf(target));
    await run.streaming();
    proxy.refuse(true);
    proxy.cut();
    await waitFor(() => run.engine.snapshot().shards[0]?.state === 'retrying', { deadlineMs: 10_000, what: 'the cut' });
    for (let i = 0; i < 400; i++) await from.del(`ghost:${i}`);
    await from.set('ghost:400', 'written anew');
    await from.set('large', 'y'.repeat(100_000));
    proxy.refuse(false);
    await notice(run, 'would have sufficed');
    await notice(run, 'of the attempt before were taken off the target');
    await run.streaming();
    await from.incr('after');
    await run.caughtUp();
    await expectEqual(source, target);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });

  it('when its snapshot is cut', async () => {
    const [source, target] = await Promise.all([
      testServer({ args: ['--repl-diskless-sync-delay', '0'] }),
      testServer(),
    ]);
    const from = client(source);
    await from.config('SET', 'rdbcompression', 'no');
    for (let i = 0; i < 60; i++) await from.set(`big:${i}`, Buffer.alloc(500_000, i));
    const proxy = await proxyTo(source);
    // The topology and the preflight are asked through it too, which takes far less.
    proxy.cutAfter('down', 15_000_000);
    const run = migrate(endpointOf(proxy), endpointOf(target));
    await notice(run, 'Its snapshot had not arrived in full. This shard begins a new full sync');
    await run.streaming();
    await run.caughtUp();
    await expectEqual(source, target);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });

  it('alone: the other shards go on', async () => {
    const source = await testCluster({ masters: 3, args: ['--repl-diskless-sync-delay', '0', ...DEBUG_ALLOWED] });
    const target = await testServer();
    await fillSample(source.masters, { keys: 3000, cluster: true, seed: 4, databases: [0] });
    const [entry, second] = source.masters;
    if (entry === undefined || second === undefined) throw new Error('the cluster has too few masters');
    const run = migrate(endpointOf(entry), endpointOf(target));
    await run.streaming();
    const offsets = run.engine.snapshot().shards.map(({ replid }) => replid);
    // Another history: its replicas can not go on.
    await client(second).debug('CHANGE-REPL-ID');
    await client(second).call('CLIENT', 'KILL', 'TYPE', 'replica');
    await notice(run, 'has begun another history');
    await run.streaming();
    const after = run.engine.snapshot().shards.map(({ replid }) => replid);
    expect(after.filter((replid, i) => replid !== offsets[i])).toHaveLength(1);
    await run.caughtUp();
    const report = await compare(source.masters, [target], { sourceCluster: true, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });
});

describe('a source that fails over', () => {
  it('is continued from on the promoted replica, without a new full sync', async () => {
    const args = ['--repl-diskless-sync-delay', '0'];
    const source = await testCluster({ masters: 3, replicasPerMaster: 1, nodeTimeoutMs: 2000, args });
    const target = await testServer();
    await fillSample(source.masters, { keys: 3000, cluster: true, seed: 8, databases: [0] });
    const [first, victim] = source.masters;
    if (first === undefined || victim === undefined) throw new Error('the cluster has too few masters');
    const run = migrate(endpointOf(first), endpointOf(target));
    await run.streaming();
    await run.caughtUp();
    victim.kill('SIGKILL');
    await notice(run, 'has been replaced by');
    await notice(run, 'goes on without a gap');
    await run.streaming();
    const cluster = new Cluster([first]);
    onTestFinished(() => cluster.disconnect());
    // On every master, the promoted one among them.
    for (let i = 0; i < 100; i++) await cluster.set(`after:${i}`, 'the failover');
    await run.caughtUp();
    const masters = await mastersNow(first);
    expect(masters.map(({ port }) => port)).not.toContain(victim.port);
    const report = await compare(masters, [target], { sourceCluster: true, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
    expect(run.notices.map(({ message }) => message).join()).not.toContain('new full sync');
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });
});
