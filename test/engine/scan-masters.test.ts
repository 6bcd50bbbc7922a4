// The masters of a scanned cluster are others while the run goes on. A node that is one now tells of nothing by itself:
// notify-keyspace-events does not travel with the keys.
import { describe, expect, it, onTestFinished } from 'vitest';
import { startServer } from '../../source/demo/local-servers.ts';
import { slotTag } from '../../source/protocol/slot.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate } from '../support/migration.ts';
import { SlotMover } from '../support/moving-slots.ts';
import { following, keyspaceEvents } from '../support/scan.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

describe('a scanned cluster', () => {
  it('whose replica takes over: the new master is followed', async () => {
    const [source, target] = [await testCluster({ masters: 1, replicasPerMaster: 1 }), await testServer()];
    const [old, next] = [source.masters[0], source.replicas[0]?.[0]];
    if (old === undefined || next === undefined) throw new Error('no node');
    const [from, to] = [client(old), client(next)];
    const keys = Array.from({ length: 500 }, (_, i) => `key:${i}`);
    await Promise.all(keys.map((key) => from.set(key, '1')));
    const run = migrate(endpointOf(old), endpointOf(target), following());
    await run.streaming();
    await to.call('CLUSTER', 'FAILOVER');
    await waitFor(async () => /role:master/.test(await to.info('replication')), { what: 'the failover' });
    // The old master lives on as a replica, and goes on telling of what happens.
    await Promise.all(keys.map((key, i) => (i % 3 === 0 ? to.del(key) : to.set(key, '2'))));
    const seen = client(target);
    await waitFor(async () => (await seen.get('key:1')) === '2' && (await seen.exists('key:0')) === 0, {
      what: 'the new master to be followed',
    });
    await run.streaming();
    expect(await keyspaceEvents(to)).not.toBe('');
    await to.set('after', '3');
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    const report = await compare([next], [target], { sourceCluster: true, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
    expect(report.checked).toBe(334);
    expect([await keyspaceEvents(from), await keyspaceEvents(to)]).toEqual(['', '']);
  });

  it('that a master joins, and leaves again: followed as a shard of the run', async () => {
    const [source, target] = [await testCluster({ masters: 1 }), await testServer()];
    const joined = await startServer({ args: ['--cluster-enabled', 'yes'] });
    onTestFinished(() => joined.stop());
    const [first] = source.masters;
    if (first === undefined) throw new Error('no node');
    const [from, other] = [client(first), client(joined)];
    const slots = Array.from({ length: 40 }, (_, slot) => slot);
    const keys = slots.map((slot) => `{${slotTag(slot)}}:key`);
    await Promise.all([...keys, 'stays'].map((key) => from.set(key, '1')));
    const run = migrate(endpointOf(first), endpointOf(target), following());
    await run.streaming();
    const mover = new SlotMover();
    onTestFinished(() => mover.close());
    await from.call('CLUSTER', 'MEET', joined.host, joined.port);
    await waitFor(async () => /cluster_state:ok/.test(String(await other.call('CLUSTER', 'INFO'))), {
      what: 'the node to be known',
    });
    for (const slot of slots) await mover.move(slot, first, joined, [first, joined]);
    await Promise.all(keys.map((key, i) => (i % 3 === 0 ? other.del(key) : other.set(key, '2'))));
    await waitFor(() => run.engine.snapshot().shards.length === 2, { what: 'the new panel' });
    await run.streaming();
    const seen = client(target);
    await other.set(keys[1] ?? '', '3');
    await waitFor(async () => (await seen.get(keys[1] ?? '')) === '3', { what: 'the joined master to be followed' });
    for (const slot of slots) await mover.move(slot, joined, first, [first, joined]);
    await from.set(keys[2] ?? '', '4');
    await from.del(keys[4] ?? '');
    await waitFor(async () => (await seen.get(keys[2] ?? '')) === '4', { what: 'the slots to be back' });
    await waitFor(() => run.engine.snapshot().shards[1]?.state === 'done', { what: 'the panel to be finished' });
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    const report = await compare([first], [target], { sourceCluster: true, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
    expect(report.checked).toBe(26);
    expect([await keyspaceEvents(from), await keyspaceEvents(other)]).toEqual(['', '']);
  });
});
