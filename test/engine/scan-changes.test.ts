// The scan reader with live changes: whatever is written while it scans and afterwards arrives, and whatever goes, goes.
import { setImmediate } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, type Migration, migrate, TEST_LIMITS } from '../support/migration.ts';
import { following, keyspaceEvents, SCAN_ONCE } from '../support/scan.ts';
import { major } from '../support/server-version.ts';
import { testCluster, testServer } from '../support/servers.ts';

/** Changes in one go; the source tells of each. */
const BURST = 1000;
const HOT_KEYS = `
  for n = ARGV[1], ARGV[1] + ARGV[2] - 1 do
    local number = n * 7919 % 10000
    local key = 'hot:' .. string.format('%d', number)
    if n % 11 == 0 then redis.call('DEL', key)
    elseif number % 3 == 0 then redis.call('HSET', key, 'field:' .. n % 5, n)
    else redis.call('SET', key, 'value ' .. n) end
  end`;

/** An empty value is a DEL. */
const LONG_NAMES = `
  for n = ARGV[1], ARGV[1] + ARGV[2] - 1 do
    local key = 'a:key:with:quite:a:long:name:' .. string.format('%d', n)
    if ARGV[3] == '' then redis.call('DEL', key) else redis.call('SET', key, ARGV[3]) end
  end`;

const changesOf = (run: Migration) => run.engine.snapshot().shards[0]?.changes ?? null;

describe('changes during and after a scan', () => {
  it('of every kind, with deletes, renames, expiries and flushes in databases 0, 1 and 11', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const databases = [0, 1, 11];
    const sample = { keys: 6000, cluster: false, seed: 5, databases };
    await fillSample([source], sample);
    const load = await startLoad([source], { ...sample, ratePerSecond: 1500 });
    const [zero, one, eleven] = [client(source), client(source, { db: 1 }), client(source, { db: 11 })];
    await eleven.mset('during', '1', 'before:flush', '1');
    const run = migrate(endpointOf(source), endpointOf(target), {
      ...following(),
      scan: { ...SCAN_ONCE, changes: 'set', keysPerSecond: 4000 },
    });
    const shard = () => run.engine.snapshot().shards[0];
    await expect.poll(() => shard()?.keys.done ?? 0, { timeout: 20_000 }).toBeGreaterThan(500);
    await eleven.flushdb();
    await eleven.set('during', '2');
    expect(shard()?.state).toBe('full-sync');
    await run.streaming();
    await one.flushdb();
    await zero.set('to:expire', '1', 'PX', 20);
    await eleven.set('from', '1');
    await eleven.rename('from', 'to');
    await zero.set('to:move', '1');
    await zero.move('to:move', 1);
    await zero.rpush('from:full', ...Array.from({ length: 100 }, (_, i) => `element ${i}`));
    await zero.set('to:unlink', '1');
    await zero.unlink('to:unlink');
    const before = load.stats().commands;
    await expect.poll(() => load.stats().commands, { timeout: 20_000 }).toBeGreaterThan(before + 1500);
    // A flush takes away what the load counts on: some of its commands fail.
    await load.stop();
    await eleven.flushdb();
    await eleven.set('after:flush', 'here');
    // What has an expiry is evicted, and what is written after that refused.
    const volatile = async (): Promise<number> => Number(/db0:.*expires=(\d+)/.exec(await zero.info('keyspace'))?.[1]);
    expect(await volatile()).toBeGreaterThan(100);
    await zero.config('SET', 'maxmemory-policy', 'volatile-random');
    await zero.config('SET', 'maxmemory', '1');
    await expect.poll(() => zero.set('x', '1').catch(String), { timeout: 10_000 }).toContain('OOM');
    expect(await volatile()).toBe(0);
    // A source that is full takes no command into a transaction, and is read all the same.
    await zero.lpop('from:full');
    const last = client(target, { db: 11 });
    // Not DBSIZE: a target in import-mode still counts keys whose time has come.
    const left = async (): Promise<number> => (await last.keys('*')).length;
    await expect.poll(async () => [await left(), changesOf(run)?.waiting], { timeout: 30_000 }).toEqual([1, 0]);
    const result = await run.stop();
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    await zero.config('SET', 'maxmemory', '0');
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
    expect(report.checked).toBeGreaterThan(2000);
    expect(await keyspaceEvents(zero)).toBe('');
  });

  it('by SWAPDB, which has no event, are reported and found', async () => {
    const [source, target] = [await testServer(), await testServer()];
    const [from, three, there] = [client(source), client(source, { db: 3 }), client(target, { db: 3 })];
    await from.mset('one', '1', 'two', '1');
    await three.set('three', '3');
    const run = migrate(endpointOf(source), endpointOf(target), following());
    await run.streaming();
    await from.swapdb(0, 3);
    await expect.poll(() => there.exists('one'), { timeout: 15_000 }).toBe(1);
    expect(run.notices.map(({ message }) => message).join()).toContain('SWAPDB was run on the source');
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
    expect(report.checked).toBe(3);
  });

  it('of a cluster', async () => {
    const [source, target] = await Promise.all([testCluster({ masters: 3 }), testCluster({ masters: 2 })]);
    const sample = { keys: 5000, cluster: true, seed: 6, databases: [0] };
    await fillSample(source.masters, sample);
    const [from, to] = [source.masters[0], target.masters[0]];
    if (from === undefined || to === undefined) throw new Error('no node');
    const load = await startLoad(source.masters, { ...sample, ratePerSecond: 1000 });
    const run = migrate(endpointOf(from), endpointOf(to), following());
    await run.streaming();
    const before = load.stats().commands;
    await expect.poll(() => load.stats().commands, { timeout: 20_000 }).toBeGreaterThan(before + 1000);
    const stats = await load.stop();
    expect(stats.errors, stats.lastError ?? '').toBe(0);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    const report = await compare(source.masters, target.masters, { sourceCluster: true, targetCluster: true });
    expect(report.differences.slice(0, 5)).toEqual([]);
  });

  it('on 1000 hot keys are fetched once for many changes', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const from = client(source);
    const run = migrate(endpointOf(source), endpointOf(target), following());
    await run.streaming();
    await run.engine.dispatch({ type: 'pause', shards: 'all' });
    await from.config('RESETSTAT');
    for (let round = 0; round < 50; round++) {
      const batch = from.pipeline();
      for (let i = 0; i < 1000; i++) batch.incr(`hot:${i}`);
      await batch.exec();
    }
    await run.engine.dispatch({ type: 'resume', shards: 'all' });
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
    expect(report.checked).toBe(1000);
    const sizes = /cmdstat_memory(?:\|usage)?:calls=(\d+)/.exec(await from.info('commandstats'))?.[1];
    // 50,000 changes; what the paused lanes had taken already is fetched twice.
    expect(Number(sizes)).toBeLessThan(4000);
  });

  it('at 20,000 a second and more on 10,000 hot keys, until the load stops', async () => {
    const [source, target] = [await testServer(), await testServer()];
    const from = client(source);
    const run = migrate(endpointOf(source), endpointOf(target), following());
    await run.streaming();
    const startedAt = performance.now();
    const elapsed = (): number => performance.now() - startedAt;
    let changes = 0;
    for (; elapsed() < 3000; changes += BURST) {
      await from.eval(HOT_KEYS, 0, changes, BURST);
      while (changes > elapsed() * 25) await setImmediate();
    }
    expect(changes / elapsed()).toBeGreaterThan(20);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
    expect(report.checked).toBeGreaterThan(5000);
  });

  it('that the queue has no room for wait on the source, or break its buffer and are found by another scan', async () => {
    const [source, target] = [await testServer(), await testServer()];
    const [from, to] = [client(source), client(target)];
    const limits = { ...TEST_LIMITS, memory: 2 ** 20, spool: 0 };
    const run = migrate(endpointOf(source), endpointOf(target), { ...following(), limits });
    await run.streaming();
    const again = (): number => run.notices.filter(({ message }) => message.startsWith('Scanning once more')).length;
    for (const [buffer, scans] of [
      ['0 0 0', 0],
      ['1mb 1mb 0', 1],
    ] as const) {
      await from.config('SET', 'client-output-buffer-limit', `pubsub ${buffer}`);
      await run.engine.dispatch({ type: 'pause', shards: 'all' });
      for (let first = 0; first < 120_000; first += 20_000) await from.eval(LONG_NAMES, 0, first, 20_000, `${scans}`);
      await from.eval(LONG_NAMES, 0, 0, 5000, '');
      await run.engine.dispatch({ type: 'resume', shards: 'all' });
      await expect.poll(again, { timeout: 20_000 }).toBe(scans);
      // A target in import-mode has redferry's own note of it beside them.
      const copied = async (): Promise<number> => (await to.dbsize()) - (await to.keys('redferry:*')).length;
      await expect.poll(copied, { timeout: 30_000 }).toBe(115_000);
    }
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
  });

  it('of a cluster: a master that is flushed loses its keys on the target, and no other one does', async () => {
    const [source, target] = await Promise.all([testCluster({ masters: 2 }), testServer()]);
    const [flushed, other] = source.masters;
    if (flushed === undefined || other === undefined) throw new Error('no node');
    const from = new Cluster([flushed]);
    onTestFinished(() => from.disconnect());
    await Promise.all(Array.from({ length: 400 }, (_, n) => from.set(`key:{${n}}`, n)));
    const run = migrate(endpointOf(flushed), endpointOf(target), following());
    await run.streaming();
    const [kept, to] = [await client(other).dbsize(), client(target)];
    await client(flushed).flushall();
    const copied = async (): Promise<number> => (await to.dbsize()) - (await to.keys('redferry:*')).length;
    await expect.poll(copied, { timeout: 20_000 }).toBe(kept);
    await Promise.all(Array.from({ length: 50 }, (_, n) => from.set(`key:{${n}}`, 'again')));
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    const report = await compare(source.masters, [target], { sourceCluster: true, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
    expect(report.checked).toBeGreaterThan(kept);
  });

  it('missed while the subscription was cut are found by another scan and a sweep', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const from = client(source);
    await fillSample([source], { keys: 3000, cluster: false, seed: 8, databases: [0] });
    await from.mset('kept', '1', 'gone', '1');
    const run = migrate(endpointOf(source), endpointOf(target), following());
    await run.streaming();
    // The setting goes with the subscription, so that nothing tells of what follows.
    await from.config('SET', 'notify-keyspace-events', '');
    const list = String(await from.client('LIST'));
    const id = /^id=(\d+) .*name=redferry:\S+:changes /m.exec(list)?.[1] ?? '';
    await from.client('KILL', 'ID', id);
    await expect.poll(() => changesOf(run)?.followedBy, { timeout: 10_000 }).toBe(null);
    await from.del('gone');
    await from.set('kept', '2');
    expect(
      await run.engine.dispatch(
        { type: 'setKeyspaceEvents', shards: 'all', on: true },
        { confirmed: 'yes', client: 'test' },
      ),
    ).toMatchObject({ accepted: true });
    const to = client(target);
    await expect.poll(() => to.mget('kept', 'gone'), { timeout: 15_000 }).toEqual(['2', null]);
    await run.streaming();
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
  });

  it('replace what this run wrote, and never what was there before', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    await from.mset('own', '1', 'theirs', '1');
    await to.set('theirs', 'target');
    const run = migrate(endpointOf(source), endpointOf(target), { ...following(), conflictPolicy: 'ignore' });
    await run.streaming();
    await from.mset('own', '2', 'theirs', '2', 'new', '1');
    await expect.poll(() => to.mget('own', 'new'), { timeout: 10_000 }).toEqual(['2', '1']);
    await from.del('theirs', 'new');
    await expect.poll(() => to.exists('new'), { timeout: 10_000 }).toBe(0);
    expect(await to.get('theirs')).toBe('target');
    expect(await run.stop()).toMatchObject({ outcome: 'completed' });
  });

  it('reach the run by tracking where CONFIG is forbidden', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const from = client(source);
    const channels = major >= 7 ? ['&*'] : [];
    await from.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', ...channels, '+@all', '-config');
    await from.mset('kept', '1', 'gone', '1');
    const credentials = { username: 'reader', password: 'secret' };
    const run = migrate(endpointOf(source, { credentials }), endpointOf(target), following('ask'));
    await run.streaming();
    expect(changesOf(run)).toMatchObject({ followedBy: 'tracking', flags: null });
    await from.del('gone');
    await client(source, { db: 3 }).hset('hash', 'field', 'value');
    const [to, three] = [client(target), client(target, { db: 3 })];
    await expect.poll(() => to.exists('gone'), { timeout: 10_000 }).toBe(0);
    await expect.poll(() => three.hget('hash', 'field'), { timeout: 10_000 }).toBe('value');
    expect(await run.stop()).toMatchObject({ outcome: 'completed' });
  });
});
