// The scan reader without following changes: everything that is there arrives as it is, in every kind of way.
import { describe, expect, it } from 'vitest';
import type { RunSetup } from '../../source/commands/prepare-run.ts';
import { fillSample } from '../../source/demo/sample-data.ts';
import type { EngineResult } from '../../source/engine/contract/result.ts';
import { discoverTopology } from '../../source/topology/discover.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate, type Place } from '../support/migration.ts';
import { SERVER_KINDS } from '../support/other-servers.ts';
import { SCAN_ONCE } from '../support/scan.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

async function scanOnce(source: Place, target: Place, more: Partial<RunSetup> = {}): Promise<EngineResult> {
  return migrate(endpointOf(source), endpointOf(target), { scan: SCAN_ONCE, snapshotOnly: true, ...more }).engine.ended;
}

describe('a scan', () => {
  it('copies every type in three databases, with expiries', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    await fillSample([source], { keys: 20_000, cluster: false, seed: 7, databases: [0, 3, 11] });
    const result = await scanOnce(source, target);
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
    expect(report.checked).toBeGreaterThan(15_000);
  });

  it('copies a cluster to a cluster of another shape', async () => {
    const [source, target] = await Promise.all([testCluster({ masters: 3 }), testCluster({ masters: 2 })]);
    await fillSample(source.masters, { keys: 10_000, cluster: true, seed: 3, databases: [0] });
    const [from, to] = [source.masters[0], target.masters[0]];
    if (from === undefined || to === undefined) throw new Error('no node');
    const result = await scanOnce(from, to);
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    const report = await compare(source.masters, target.masters, { sourceCluster: true, targetCluster: true });
    expect(report.differences.slice(0, 5)).toEqual([]);
    expect(report.checked).toBeGreaterThan(8000);
  });

  it('writes text that expires, before anything else, to a target whose SET takes no time', async () => {
    const binary = SERVER_KINDS.find(({ label }) => label === 'redis-6.0')?.binary;
    const [source, target] = await Promise.all([testServer(), testServer({ binary })]);
    await client(source).set('text', 'value', 'PX', 3_600_000);
    expect(await scanOnce(source, target)).toMatchObject({ outcome: 'completed', keys: 1, refused: 0 });
    expect(await client(target).get('text')).toBe('value');
    expect(await client(target).pttl('text')).toBeGreaterThan(3_000_000);
  });

  it('reads values above bigValue by elements and never fetches them whole', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const from = client(source);
    const fill = from.pipeline();
    for (let i = 0; i < 30_000; i++) {
      fill.hset('big:hash', `field:${i}`, `value ${i}`);
      fill.zadd('big:zset', i / 7, `member:${i}`);
      fill.sadd('big:set', `member:${i}`);
      fill.rpush('big:list', `element ${i}`);
      fill.xadd('big:stream', `${i + 1}-0`, 'field', `value ${i}`);
    }
    fill.set('big:string', Buffer.alloc(3_000_000, 'abcdefg'), 'PX', 3_600_000);
    fill.call('XGROUP', 'CREATE', 'big:stream', 'group', '0');
    fill.call('XREADGROUP', 'GROUP', 'group', 'alice', 'COUNT', '700', 'STREAMS', 'big:stream', '>');
    fill.set('small', 'value');
    await fill.exec();
    await from.config('RESETSTAT');
    const result = await scanOnce(source, target, { scan: { ...SCAN_ONCE, bigValue: 256 * 1024 } });
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0, keys: 7 });
    const stats = await from.info('commandstats');
    expect(stats).not.toMatch(/cmdstat_dump/);
    expect(stats).toMatch(/cmdstat_hscan/);
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
    expect(report.checked).toBe(7);
  });

  it('leaves keys that were on the target to the conflict policy', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    const fill = from.pipeline();
    for (let i = 0; i < 2000; i++) fill.set(`key:${i}`, `source ${i}`);
    await fill.exec();
    for (let i = 0; i < 2000; i += 100) await to.set(`key:${i}`, 'target');
    const result = await scanOnce(source, target, { conflictPolicy: 'ignore' });
    expect(result).toMatchObject({ outcome: 'completed', conflicts: { rewritten: 0, ignored: 20 } });
    expect(await to.get('key:100')).toBe('target');
    expect(await to.get('key:101')).toBe('source 101');
    expect(await to.dbsize()).toBe(2000);
  });

  it('takes only what the glob, the type and the databases ask for', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    await from.mset('a:1', '1', 'a:2', '2', 'b:1', '3');
    await from.hset('a:hash', 'field', 'value');
    await from.select(2);
    await from.set('a:elsewhere', '1');
    const result = await scanOnce(source, target, {
      scan: { ...SCAN_ONCE, match: 'a:*', type: 'string', databases: [0] },
    });
    expect(result).toMatchObject({ outcome: 'completed', keys: 2 });
    expect((await to.keys('*')).sort()).toEqual(['a:1', 'a:2']);
    await to.select(2);
    expect(await to.dbsize()).toBe(0);
  });

  it('goes on after its links were cut', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const from = client(source);
    await fillSample([source], { keys: 20_000, cluster: false, seed: 9, databases: [0] });
    const run = migrate(endpointOf(source), endpointOf(target), {
      scan: { ...SCAN_ONCE, keysPerSecond: 8000 },
      snapshotOnly: true,
    });
    await expect.poll(() => run.engine.snapshot().shards[0]?.keys.done ?? 0, { timeout: 10_000 }).toBeGreaterThan(2000);
    const list = String(await from.client('LIST'));
    for (const [, id] of list.matchAll(/^id=(\d+) .*name=redferry:\S+:scan-/gm))
      await from.client('KILL', 'ID', id ?? '');
    expect(await run.engine.ended).toMatchObject({ outcome: 'completed', exitCode: 0 });
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
  });

  it('reads from replicas on request, of a cluster too', async () => {
    const [source, target] = [await testCluster({ masters: 1, replicasPerMaster: 1 }), await testServer()];
    const [master, replica] = [source.masters[0], source.replicas[0]?.[0]];
    if (master === undefined || replica === undefined) throw new Error('no node');
    const from = client(master);
    for (let i = 0; i < 200; i++) await from.set(`key:${i}`, `value ${i}`);
    const preferring = endpointOf(master, { preferReplica: true });
    // The master lists a replica when it has heard of it from the others.
    const chosen = async (): Promise<boolean> =>
      (await discoverTopology(preferring)).shards[0]?.address.port === replica.port;
    await waitFor(chosen, { what: 'the replica to be listed' });
    await from.wait(1, 5000);
    for (const node of [master, replica]) await client(node).config('RESETSTAT');
    const result = await migrate(preferring, endpointOf(target), {
      scan: SCAN_ONCE,
      snapshotOnly: true,
    }).engine.ended;
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, keys: 200 });
    expect(await from.info('commandstats')).not.toMatch(/cmdstat_(scan|get|dump):/);
    expect(await client(replica).info('commandstats')).toMatch(/cmdstat_scan:/);
    const report = await compare([master], [target], { sourceCluster: true, targetCluster: false });
    expect(report.differences).toEqual([]);
  });
});
