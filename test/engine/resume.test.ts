// redferry killed at any moment, and the same command again: the stream goes on without a full sync, nothing lost, nothing
// twice; also from a host that has nothing but the two addresses.
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad, type WriteLoad } from '../../source/demo/write-load.ts';
import { client } from '../support/client.ts';
import { expectEqualEnd, fullSyncs } from '../support/resumed-run.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { addressOf, SyncProcess, stateFolder } from '../support/sync-process.ts';
import { waitFor } from '../support/wait.ts';

const NO_DELAY = ['--repl-diskless-sync-delay', '0', '--repl-backlog-size', '64mb'];
const KEYS = 3000;
/** From the start of the process to the stream that flows; the machine of the tests has other things to do as well. */
const RESUME_MS = 6000;

async function written(load: WriteLoad, commands: number): Promise<void> {
  const until = load.stats().commands + commands;
  await waitFor(() => load.stats().commands >= until, { deadlineMs: 30_000, what: 'writes' });
}

describe('kill -9 in the stream, and --resume', () => {
  it('standalone to standalone, two databases, again and again', async () => {
    const [source, target] = await Promise.all([testServer({ args: NO_DELAY }), testServer()]);
    const sample = { keys: KEYS, cluster: false, seed: 11, databases: [0, 4] };
    await fillSample([source], sample);
    const args = ['--source', addressOf(source), '--target', addressOf(target)];
    const folder = stateFolder();
    let run = new SyncProcess(args, folder);
    await run.streaming();
    const load = await startLoad([source], { ...sample, ratePerSecond: 3000 });
    for (let round = 0; round < 4; round++) {
      await written(load, 2000);
      await run.kill('SIGKILL');
      await written(load, 500);
      run = new SyncProcess([...args, '--resume'], folder);
      await run.streaming(RESUME_MS);
    }
    await written(load, 2000);
    await load.stop();
    expect(await fullSyncs([source])).toEqual([1]);
    await expectEqualEnd(run, [source], [target]);
  });

  it('cluster to cluster, from another host', async () => {
    const [source, target] = await Promise.all([
      testCluster({ masters: 3, args: NO_DELAY }),
      testCluster({ masters: 2 }),
    ]);
    const [from, to] = [source.masters[0], target.masters[0]];
    if (from === undefined || to === undefined) throw new Error('a cluster has no master');
    const sample = { keys: KEYS, cluster: true, seed: 12, databases: [0] };
    await fillSample(source.masters, sample);
    const args = ['--source', addressOf(from), '--target', addressOf(to)];
    let run = new SyncProcess(args, stateFolder());
    await run.streaming();
    const load = await startLoad(source.masters, { ...sample, ratePerSecond: 3000 });
    for (let round = 0; round < 3; round++) {
      await written(load, 2000);
      await run.kill('SIGKILL');
      // Nothing is known here: what stands on the target has to do.
      run = new SyncProcess([...args, '--resume'], stateFolder());
      await run.streaming(RESUME_MS);
    }
    await written(load, 1000);
    await load.stop();
    expect(await fullSyncs(source.masters)).toEqual([1, 1, 1]);
    await expectEqualEnd(run, source.masters, target.masters);
  });
});

describe('what was left by an unfinished run', () => {
  it('is made anew for a shard whose full sync was cut off, without a conflict with its own keys', async () => {
    const [source, target] = await Promise.all([testServer({ args: NO_DELAY }), testServer()]);
    await client(source).config('SET', 'rdbcompression', 'no');
    for (let i = 0; i < 300; i++) await client(source).set(`big:${i}`, Buffer.alloc(200_000, i));
    const args = ['--source', addressOf(source), '--target', addressOf(target)];
    const folder = stateFolder();
    const run = new SyncProcess(args, folder);
    await waitFor(async () => (await client(target).keys('big:*')).length > 5, { deadlineMs: 20_000, what: 'keys' });
    await run.kill('SIGKILL');
    await client(source).del('big:0', 'big:1', 'big:2');
    const again = new SyncProcess([...args, '--resume'], folder);
    await again.streaming();
    expect(again.messages).toContain('its snapshot was not finished');
    await expectEqualEnd(again, [source], [target]);
  });

  it('is asked about, and refused under another setup', async () => {
    const [source, target] = await Promise.all([testServer({ args: NO_DELAY }), testServer()]);
    await client(source).set('a', '1');
    const args = ['--source', addressOf(source), '--target', addressOf(target)];
    const folder = stateFolder();
    const run = new SyncProcess(args, folder);
    await run.streaming();
    await client(source).set('a', '2');
    await run.caughtUp();

    const second = new SyncProcess([...args, '--resume'], folder);
    expect(await second.exited).toBe(5);
    expect(second.messages).toMatch(/is being migrated by process \d+/);

    await run.kill('SIGKILL');
    const undecided = new SyncProcess(args, folder);
    expect(await undecided.exited).toBe(2);
    expect(undecided.messages).toContain('--resume goes on with it, --fresh begins anew');
    const other = new SyncProcess([...args, '--resume', '--on-conflict', 'ignore'], folder);
    expect(await other.exited).toBe(2);
    expect(other.messages).toContain('The conflict policy was panic, now it is ignore.');

    const resumed = new SyncProcess([...args, '--resume'], folder);
    await resumed.streaming(RESUME_MS);
    await client(source).set('a', '3');
    await expectEqualEnd(resumed, [source], [target]);
    // A run that was finished leaves nothing to ask about.
    await client(target).flushall();
    const anew = new SyncProcess(args, folder);
    await anew.streaming();
    expect(await anew.kill('SIGTERM')).toBe(0);
  });

  it('keeps from the stream what the policy ignore has kept, and says where that is known', async () => {
    const [source, target] = await Promise.all([testServer({ args: NO_DELAY }), testServer()]);
    const [from, to] = [client(source), client(target)];
    await from.mset('both', 'of the source', 'only', '1');
    await to.set('both', 'of the target');
    const args = ['--source', addressOf(source), '--target', addressOf(target), '--on-conflict', 'ignore'];
    const folder = stateFolder();
    const run = new SyncProcess(args, folder);
    await run.streaming();
    await from.append('both', ', longer');
    await run.caughtUp();
    // The state says so by now.
    await waitFor(async () => /"kept":1/.test((await to.get(await stateKeyOf(to))) ?? ''), {
      deadlineMs: 10_000,
      what: 'the kept key in the state',
    });
    await run.kill('SIGKILL');
    const elsewhere = new SyncProcess([...args, '--resume'], stateFolder());
    expect(await elsewhere.exited).toBe(2);
    expect(elsewhere.messages).toContain('has kept 1 keys of the target as they are');
    const again = new SyncProcess([...args, '--resume'], folder);
    await again.streaming(RESUME_MS);
    await from.append('both', ', and longer');
    await from.incr('only');
    await again.caughtUp();
    expect(await to.mget('both', 'only')).toEqual(['of the target', '2']);
    expect(await again.kill('SIGTERM')).toBe(0);
  });
});

async function stateKeyOf(target: Redis): Promise<string> {
  const [key = ''] = await target.keys('redferry:state:*');
  return key;
}
