// A run that was stopped or killed at an awkward moment, or whose source changed while nobody looked: gone on with, equal in
// the end, and no more copied anew than has to be.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { client } from '../support/client.ts';
import { SlotMover, writeToSlots } from '../support/moving-slots.ts';
import { expectEqualEnd, fullSyncs } from '../support/resumed-run.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { addressOf, SyncProcess, stateFolder } from '../support/sync-process.ts';
import { waitFor } from '../support/wait.ts';

const BACKLOG = ['--repl-backlog-size', '64mb'];

/** The state of the only shard in that folder says that everything up to where the source is now has taken effect. */
async function saved(folder: string, replication: string): Promise<void> {
  const written = Number(/master_repl_offset:(\d+)/.exec(replication)?.[1]);
  await waitFor(
    () => {
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      const file = files.find((name) => name.endsWith('shard-0.json')) ?? 'none';
      const offset = /"offset":(\d+)/.exec(readFileSync(join(folder, file), 'utf8'))?.[1];
      return Number(offset) >= written;
    },
    { what: `the state to say ${written}` },
  );
}

/** Short, and still longer than a busy machine keeps a process from renewing it. */
const LEASE_MS = 3000;
const BIG_KEYS = 300;
const BIG_BYTES = 200_000;

/** So much that a full sync of it can be met half-way. */
async function fillSlowly(redis: Redis): Promise<void> {
  await redis.config('SET', 'rdbcompression', 'no');
  for (let i = 0; i < BIG_KEYS; i++) await redis.set(`big:${i}`, Buffer.alloc(BIG_BYTES, i));
}

describe('a run that is gone on with', () => {
  it('goes on where a shard was drained, while another had not begun', async () => {
    const source = await testCluster({ masters: 2, args: BACKLOG });
    const target = await testServer();
    const [first, second] = source.masters;
    if (first === undefined || second === undefined) throw new Error('the cluster has two masters');
    const sample = { keys: 1000, cluster: true, seed: 21, databases: [0] };
    await fillSample(source.masters, sample);
    // It waits that long for more replicas before it makes its snapshot.
    await client(second).config('SET', 'repl-diskless-sync-delay', '60');
    const args = ['--source', addressOf(first), '--target', addressOf(target)];
    const folder = stateFolder();
    const run = new SyncProcess(args, folder);
    await run.shardState('shard-0', 'streaming');
    const counters = new Redis.Cluster([first]);
    onTestFinished(() => counters.disconnect());
    for (let i = 0; i < 500; i++) await counters.incr(`counter:${i % 50}`);
    expect(await run.kill('SIGTERM')).toBe(143);
    for (let i = 0; i < 500; i++) await counters.incr(`counter:${i % 50}`);

    await client(second).config('SET', 'repl-diskless-sync-delay', '0');
    const again = new SyncProcess([...args, '--resume'], folder);
    await again.streaming();
    expect((await fullSyncs(source.masters))[0]).toBe(1);
    await expectEqualEnd(again, source.masters, [target]);
  });

  it('is killed once more while a shard that could not go on is copied anew', async () => {
    const [source, target] = await Promise.all([testServer({ args: BACKLOG }), testServer()]);
    await fillSlowly(client(source));
    const args = ['--source', addressOf(source), '--target', addressOf(target)];
    const folder = stateFolder();
    const run = new SyncProcess(args, folder);
    await run.streaming();
    await client(source).incr('counter');
    await run.caughtUp();
    await run.kill('SIGKILL');
    const [marker] = await client(target).keys('redferry:*}:shard-0');
    expect(await client(target).del(marker ?? '')).toBe(1);
    await client(source).incr('counter');

    const anew = new SyncProcess([...args, '--resume'], folder);
    await waitFor(() => anew.messages.includes('were taken off the target'), {
      deadlineMs: 30_000,
      what: 'the second full sync',
    });
    expect(anew.messages).toContain('the target has lost the marker of this run');
    await anew.kill('SIGKILL');
    const last = new SyncProcess([...args, '--resume'], folder);
    await last.streaming();
    expect(last.messages).toContain('its snapshot was not finished');
    await client(source).incr('counter');
    await expectEqualEnd(last, [source], [target]);
  });

  it('hands over slots that moved on the source while it was down', async () => {
    const [source, target] = await Promise.all([
      testCluster({ masters: 2, args: BACKLOG }),
      testCluster({ masters: 2 }),
    ]);
    const [first, second] = source.masters;
    const [to] = target.masters;
    if (first === undefined || second === undefined || to === undefined)
      throw new Error('the clusters have two masters');
    const sample = { keys: 2000, cluster: true, seed: 23, databases: [0] };
    await fillSample(source.masters, sample);
    const args = ['--source', addressOf(first), '--target', addressOf(to)];
    const folder = stateFolder();
    const run = new SyncProcess(args, folder);
    await run.streaming();
    const load = writeToSlots(first);
    onTestFinished(() => load.stop());
    const written = async (commands: number): Promise<void> => {
      const until = load.commands + commands;
      await waitFor(() => load.commands >= until, { deadlineMs: 30_000, what: 'writes' });
    };
    await written(1500);
    await run.kill('SIGKILL');
    const mover = new SlotMover();
    onTestFinished(() => mover.close());
    for (let slot = 0; slot < 2000; slot += 100) await mover.move(slot, first, second, source.masters);
    await written(1500);

    const again = new SyncProcess([...args, '--resume'], folder);
    await again.streaming();
    await written(1000);
    await load.stop();
    await waitFor(() => /carried by this shard now/.test(again.messages), { deadlineMs: 30_000, what: 'the handover' });
    expect(await fullSyncs(source.masters)).toEqual([1, 1]);
    await expectEqualEnd(again, source.masters, target.masters);
  });

  it('goes on while a slot of the target stands open, and its commands wait until it is closed', async () => {
    const source = await testServer({ args: [...BACKLOG, '--repl-diskless-sync-delay', '0'] });
    const target = await testCluster({ masters: 2 });
    const [from, to] = target.masters;
    if (from === undefined || to === undefined) throw new Error('the cluster has two masters');
    const args = ['--source', addressOf(source), '--target', addressOf(from)];
    const folder = stateFolder();
    const run = new SyncProcess(args, folder);
    await run.streaming();
    const redis = client(source);
    // Slots 0 to 8191 are the first master's.
    const [moving, staying] = ['{b}:counter', '{f}:counter'];
    for (const key of [moving, staying]) await redis.incr(key);
    // Nothing of the slot is behind what was saved: then nobody could say in which order it took effect.
    await run.caughtUp();
    await saved(folder, await client(source).info('replication'));
    await run.kill('SIGKILL');
    const slot = Number(await client(from).call('CLUSTER', 'KEYSLOT', moving));
    const mover = new SlotMover();
    onTestFinished(() => mover.close());
    await mover.open(slot, from, to);
    for (const key of [moving, staying]) await redis.incr(key);

    const again = new SyncProcess([...args, '--resume'], folder);
    await again.streaming();
    expect(again.messages).toContain('The target has 1 slot on the move');
    await waitFor(async () => (await client(from).get(staying)) === '2', {
      deadlineMs: 10_000,
      what: 'the other slot',
    });
    await mover.assign(slot, from, to, target.masters);
    await expectEqualEnd(again, [source], target.masters);
    expect(await client(to).get(moving)).toBe('2');
    expect(await fullSyncs([source])).toEqual([1]);
  });

  it('is left alone by --fresh as long as it is at work, and its markers go when it is no more', async () => {
    const [source, target] = await Promise.all([testServer({ args: BACKLOG }), testServer()]);
    await client(source).set('a', '1');
    const args = ['--source', addressOf(source), '--target', addressOf(target)];
    const folder = stateFolder();
    const run = new SyncProcess(args, folder);
    await run.streaming();
    await client(source).set('a', '2');
    await run.caughtUp();
    const markers = await client(target).keys('redferry:*}:shard-0');
    expect(markers).toHaveLength(1);
    for (const choice of [['--fresh'], []]) {
      const other = new SyncProcess([...args, ...choice], folder);
      expect(await other.exited).toBe(5);
      expect(other.messages).toMatch(/is being migrated by process \d+/);
    }
    expect(await client(target).keys('redferry:*}:shard-0')).toEqual(markers);

    await run.kill('SIGKILL');
    const fresh = new SyncProcess([...args, '--fresh', '--on-conflict', 'rewrite'], folder);
    await fresh.streaming();
    expect(await client(target).keys('redferry:*}:shard-0')).not.toEqual(markers);
    await expectEqualEnd(fresh, [source], [target]);
  });

  it('is not asked about when it has left nothing to go on with', async () => {
    const [source, target] = await Promise.all([testServer({ args: BACKLOG }), testServer()]);
    await client(source).set('a', 'new');
    await client(target).set('a', 'old');
    const args = ['--source', addressOf(source), '--target', addressOf(target)];
    const folder = stateFolder();
    const run = new SyncProcess(args, folder);
    expect(await run.exited).toBe(3);
    expect(await client(target).keys('redferry:*')).toEqual([]);
    const again = new SyncProcess([...args, '--on-conflict', 'rewrite'], folder);
    await again.streaming();
    await expectEqualEnd(again, [source], [target]);
  });

  it.each(['is at work', 'is done'])(
    'stops when it was frozen and another process %s: it touches nothing',
    async (then) => {
      const [source, target] = await Promise.all([testServer({ args: BACKLOG }), testServer()]);
      await client(source).set('a', '1');
      const folder = stateFolder();
      const config = join(folder, 'config.json');
      writeFileSync(config, JSON.stringify({ resume: { leaseMs: LEASE_MS } }));
      const args = ['--config', config, '--source', addressOf(source), '--target', addressOf(target)];
      const frozen = new SyncProcess(args, folder);
      await frozen.streaming();
      await client(source).incr('counter');
      await frozen.caughtUp();
      void frozen.kill('SIGSTOP');
      const [lease = ''] = await client(target).keys('redferry:lease:*');
      // However long it takes to start another process.
      await client(target).pexpire(lease, 60_000);
      for (let i = 0; i < 200; i++) await client(source).incr('counter');
      const early = new SyncProcess([...args, '--resume'], folder);
      expect(await early.exited).toBe(5);

      await client(target).pexpire(lease, LEASE_MS);
      await waitFor(async () => (await client(target).keys('redferry:lease:*')).length === 0, {
        deadlineMs: 10_000,
        what: 'the lease to expire',
      });
      const other = new SyncProcess([...args, '--resume'], folder);
      await other.streaming();
      if (then === 'is at work') {
        void frozen.kill('SIGCONT');
        for (let i = 0; i < 200; i++) await client(source).incr('counter');
        expect(await frozen.exited).toBe(1);
        expect(frozen.messages).toMatch(/shard-0 is being migrated by process \d+/);
        expect(await client(target).keys('redferry:lease:*')).toHaveLength(1);
        await expectEqualEnd(other, [source], [target]);
        return;
      }
      await expectEqualEnd(other, [source], [target]);
      // The clients have moved over.
      await client(target).set('a', 'new');
      void frozen.kill('SIGCONT');
      expect(await frozen.exited).toBe(1);
      expect(frozen.messages).toContain('Another process has gone on with shard-0');
      expect(await client(target).get('a')).toBe('new');
      expect(await client(target).get('counter')).toBe('201');
      expect(await client(target).keys('redferry:*')).toEqual([]);
    },
  );
});
