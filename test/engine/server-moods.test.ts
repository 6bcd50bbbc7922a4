// Servers that refuse for a while: what was refused is sent again in its order, the panel says why nothing moves and what
// to do, and nothing is copied anew for it.
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { binaryVersion, serverBinary } from '../../source/demo/server-process.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, type Migration, migrate } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

type Server = Awaited<ReturnType<typeof testServer>>;

const { major } = await binaryVersion(serverBinary(undefined));
const SCRIPT_LIMIT = major >= 7 ? 'busy-reply-threshold' : 'lua-time-limit';

/** Makes a server refuse, and gives back what makes it take again. */
type Mood = (redis: Redis, server: Server) => Promise<() => Promise<unknown>>;

const MOODS: readonly { readonly word: string; readonly advice: RegExp; readonly mood: Mood }[] = [
  {
    word: 'NOREPLICAS',
    advice: /lack of replicas/,
    mood: async (redis) => {
      await redis.config('SET', 'min-replicas-to-write', '1');
      return () => redis.config('SET', 'min-replicas-to-write', '0');
    },
  },
  {
    word: 'MISCONF',
    advice: /look at its log and disk/,
    mood: async (redis, { directory }) => {
      // A directory stands where the snapshot should go.
      const occupied = join(directory, 'dump.rdb');
      mkdirSync(occupied);
      await redis.config('SET', 'save', '3600 1');
      await redis.bgsave();
      await saved(redis, 'err');
      return async () => {
        rmdirSync(occupied);
        await redis.bgsave();
        await saved(redis, 'ok');
      };
    },
  },
  {
    word: 'BUSY',
    advice: /SCRIPT KILL/,
    mood: async (redis, server) => {
      await redis.config('SET', SCRIPT_LIMIT, '50');
      client(server)
        .eval('while true do end', 0)
        .catch(() => {});
      await waitFor(
        () =>
          redis.get('any').then(
            () => false,
            (error: Error) => error.message.startsWith('BUSY'),
          ),
        { what: 'the script to block the server' },
      );
      return () => redis.script('KILL');
    },
  },
  {
    word: 'OOM',
    advice: /maxmemory/,
    mood: async (redis) => {
      await redis.config('SET', 'maxmemory-policy', 'noeviction');
      await redis.config('SET', 'maxmemory', '1');
      return () => redis.config('SET', 'maxmemory', '0');
    },
  },
];

async function saved(redis: Redis, status: string): Promise<void> {
  await waitFor(
    async () => {
      const info = await redis.info('persistence');
      return info.includes('rdb_bgsave_in_progress:0') && info.includes(`rdb_last_bgsave_status:${status}`);
    },
    { what: `BGSAVE to end with ${status}` },
  );
}

function neverAnew(run: Migration): void {
  expect(run.notices.filter(({ message }) => message.includes('begins a new full sync'))).toEqual([]);
}

describe('a target that refuses for a while', () => {
  it.each(MOODS)('$word', async ({ word, advice, mood }) => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    const end = await mood(to, target);
    for (let i = 0; i < 200; i++) {
      await from.rpush('list', i);
      await from.multi().incr('inside').incr('inside').exec();
    }
    const waiting = await waitFor(() => run.engine.snapshot().shards[0]?.waitingFor, { what: 'a word about it' });
    expect(waiting).toContain(word);
    expect(waiting).toMatch(advice);
    await end();
    await run.caughtUp();
    expect(await to.get('inside')).toBe('400');
    expect(await to.lrange('list', 0, -1)).toEqual(Array.from({ length: 200 }, (_, i) => String(i)));
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
    neverAnew(run);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });

  it('READONLY: it became a replica, and is a master again', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    await to.replicaof('127.0.0.1', 1);
    await from.incr('counter');
    const said = await waitFor(() => run.engine.snapshot().shards[0]?.waitingFor, { what: 'a word about it' });
    expect(said).toMatch(/READONLY|replica/);
    await to.replicaof('NO', 'ONE');
    await waitFor(() => to.get('counter'), { what: 'the write', deadlineMs: 30_000 });
    await run.caughtUp();
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });
});

describe('a target that is away for a while', () => {
  it('LOADING: it was restarted with all it had, and the stream goes on when it has loaded', async () => {
    const slow = ['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024'];
    const [source, target] = await Promise.all([testServer(), testServer({ args: slow })]);
    const [from, to] = [client(source), client(target)];
    await from.mset(Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`key:${i}`, 'x'.repeat(200)])));
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    await from.incr('counter');
    await run.caughtUp();
    await to.save();
    target.kill('SIGKILL');
    await target.waitForExit();
    await from.incr('counter');
    const back = target.restart();
    await waitFor(() => run.engine.snapshot().shards[0]?.waitingFor?.includes('LOADING'), {
      what: 'a word about it',
      deadlineMs: 20_000,
      intervalMs: 2,
    });
    await back;
    await waitFor(async () => (await to.get('counter')) === '2', { what: 'the write', deadlineMs: 30_000 });
    await run.caughtUp();
    neverAnew(run);
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });

  it('CLUSTERDOWN: a node has forgotten who owns a slot, until it is told', async () => {
    const [source, target] = await Promise.all([testServer(), testCluster({ masters: 3 })]);
    const from = client(source);
    const [first, second] = target.masters;
    if (first === undefined || second === undefined) throw new Error('the cluster has too few masters');
    const run = migrate(endpointOf(source), endpointOf(first));
    await run.streaming();
    // The last slot is the third master's; gossip brings it back within a second or two.
    await client(second).call('CLUSTER', 'DELSLOTS', 16_383);
    const said = waitFor(() => run.engine.snapshot().shards[0]?.waitingFor?.includes('CLUSTERDOWN'), {
      what: 'a word about it',
      intervalMs: 2,
    });
    for (let i = 0; i < 300; i++) await from.incr(`counter:${i % 50}`);
    await said;
    await run.caughtUp();
    neverAnew(run);
    const report = await compare([source], target.masters, { sourceCluster: false, targetCluster: true });
    expect(report.differences).toEqual([]);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });
});

describe('a source that can not replicate for a while', () => {
  it('NOMASTERLINK: it became a replica whose master is away, and is gone on from', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    await from.incr('counter');
    await from.replicaof('127.0.0.1', 1);
    await from.call('CLIENT', 'KILL', 'TYPE', 'replica');
    await waitFor(() => run.engine.snapshot().shards[0]?.waitingFor?.includes('NOMASTERLINK'), {
      what: 'a word about it',
    });
    await from.replicaof('NO', 'ONE');
    await from.incr('counter');
    await waitFor(async () => (await to.get('counter')) === '2', { what: 'the write', deadlineMs: 30_000 });
    await run.streaming();
    neverAnew(run);
    expect(await from.info('stats')).toMatch(/sync_full:1\r/);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
  });

  it('LOADING: it was restarted, and is copied again when it has loaded', async () => {
    const slow = ['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024'];
    const [source, target] = await Promise.all([testServer({ args: slow }), testServer()]);
    const from = client(source);
    await from.mset(Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`key:${i}`, 'x'.repeat(200)])));
    await from.save();
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    await from.set('lost', 'with the restart');
    source.kill('SIGKILL');
    await source.waitForExit();
    const back = source.restart();
    await waitFor(() => /LOADING|loading/.test(run.engine.snapshot().shards[0]?.waitingFor ?? ''), {
      what: 'a word about it',
      deadlineMs: 20_000,
      intervalMs: 2,
    });
    await back;
    await waitFor(() => run.notices.some(({ message }) => message.includes('has begun another history')), {
      what: 'the new history to be told',
      deadlineMs: 30_000,
    });
    await run.streaming();
    await run.caughtUp();
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });
});
