// A second full sync on a target that was not empty: what the first one has left of keys that the source has deleted since is
// gone, everything else is equal, and no key of somebody else's is touched.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { binaryVersion, serverBinary } from '../../source/demo/server-process.ts';
import type { ConflictPolicy } from '../../source/engine/contract/conflict.ts';
import { client } from '../support/client.ts';
import { endpointOf, type Migration, migrate, type Place, TEST_LIMITS } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { addressOf, SyncProcess, stateFolder } from '../support/sync-process.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

const SMALL_BACKLOG = ['--repl-backlog-size', '16kb', '--repl-diskless-sync-delay', '0'];
const KEYS = 300;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'redferry-ghosts-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function setAll(redis: Redis, prefix: string, value: string, count = KEYS): Promise<void> {
  await redis.mset(Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}:${i}`, value])));
}

async function notice(run: Migration, text: string): Promise<void> {
  await waitFor(() => run.notices.some(({ message }) => message.includes(text)), {
    deadlineMs: 20_000,
    what: `a notice with "${text}"`,
  });
}

const said = (run: Migration): string => run.notices.map(({ message }) => message).join('\n');

/** What the source writes last. */
const TICK = 'tick';

/** What the source has written before is on the target. */
async function applied(from: Redis, to: Redis): Promise<void> {
  const ticks = String(await from.incr(TICK));
  await waitFor(async () => (await to.get(TICK)) === ticks, { deadlineMs: 20_000, what: 'the last write' });
}

/** Every key of database 0 with its value, all of them strings or lists. */
async function contents(redis: Redis, pattern = '*'): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const keys = (await redis.keys(pattern)).filter((key) => !key.startsWith('redferry:') && key !== TICK).sort();
  const types = await Promise.all(keys.map((key) => redis.type(key)));
  const values = await Promise.all(
    keys.map((key, i) => (types[i] === 'list' ? redis.lrange(key, 0, -1).then(String) : redis.get(key))),
  );
  for (const [i, key] of keys.entries()) found[key] = values[i] ?? '';
  return found;
}

interface Stage {
  readonly run: Migration;
  readonly from: Redis;
  readonly to: Redis;
  /** Does this while the source can not be reached, and writes more than the backlog holds. */
  cut(work: () => Promise<void>): Promise<void>;
  /** The same, and waits until the second full sync is through. */
  gap(work: () => Promise<void>): Promise<void>;
}

async function begin(
  conflictPolicy: ConflictPolicy,
  fill: (from: Redis, to: Redis) => Promise<void>,
  more: Parameters<typeof migrate>[2] = {},
): Promise<Stage> {
  const [source, target] = [await testServer({ args: SMALL_BACKLOG }), await testServer()];
  const [from, to] = [client(source), client(target)];
  await fill(from, to);
  const proxy = await startTcpProxy(source);
  onTestFinished(() => proxy.stop());
  const run = migrate(endpointOf(proxy), endpointOf(target), { conflictPolicy, ...more });
  await run.streaming();
  const cut = async (work: () => Promise<void>): Promise<void> => {
    proxy.refuse(true);
    proxy.cut();
    await waitFor(() => run.engine.snapshot().shards[0]?.state === 'retrying', { deadlineMs: 10_000, what: 'the cut' });
    await work();
    await from.set('large', 'y'.repeat(100_000));
    proxy.refuse(false);
  };
  const gap = async (work: () => Promise<void>): Promise<void> => {
    await cut(work);
    await notice(run, 'begins a new full sync (attempt 2)');
    await run.engine.dispatch({ type: 'retryShard', shard: 0 }, { client: 'test', confirmed: 'no' });
    await notice(run, 'of the attempt before were taken off the target');
    await applied(from, to);
  };
  return { run, from, to, cut, gap };
}

describe('the backlog is gone, and the target was not empty', () => {
  it('rewrite: ghosts go, the own keys are replaced, what was there before stays', async () => {
    const spoolDirectory = folder();
    const { run, from, to, gap } = await begin(
      'rewrite',
      async (source, target) => {
        await setAll(source, 'both', 'source');
        await setAll(source, 'ghost', 'source');
        await setAll(target, 'both', 'target');
        await setAll(source, 'equal', 'same', 3);
        await setAll(target, 'equal', 'same', 3);
        await setAll(target, 'theirs', 'target');
        await target.select(3);
        await target.set('ghost:0', 'of another database');
        await target.select(0);
      },
      { limits: { ...TEST_LIMITS, spoolDirectory } },
    );
    await notice(run, `The target holds ${2 * KEYS + 4} keys before this run`);
    await applied(from, to);
    await from.rpush('list', '1', '2');
    await applied(from, to);
    await gap(async () => {
      for (let i = 0; i < KEYS - 10; i++) await from.del(`ghost:${i}`);
      await from.set('both:1', 'of the gap');
      await from.del('both:0', 'equal:0', 'equal:2', 'list');
      await from.rpush('list', '3');
    });
    await from.rpush('list', '4');
    await applied(from, to);
    const before = Object.fromEntries(Array.from({ length: KEYS }, (_, i) => [`theirs:${i}`, 'target']));
    // What the run has written goes, also where something else had that name; what was equal before is only named.
    expect(await contents(to)).toEqual({ ...(await contents(from)), ...before, 'equal:0': 'same', 'equal:2': 'same' });
    await notice(run, 'The source has deleted 2 keys since the last full sync');
    expect(said(run)).toContain('key "equal:0" (database 0)');
    expect(said(run)).not.toContain('key "both:0"');
    expect(run.engine.snapshot().shards[0]?.leftovers).toBe(2);
    // It is removed when a person says so, but for what the source has again by then.
    const confirm = (target: string) =>
      run.engine.dispatch({ type: 'removeLeftovers', shards: 'all' }, { client: 'test', confirmed: { target } });
    expect(await confirm('another')).toMatchObject({ accepted: false, needs: 'target' });
    expect(await to.get('equal:0')).toBe('same');
    await from.set('equal:2', 'again');
    expect(await confirm('target')).toMatchObject({
      accepted: true,
      recopied: { rewritten: 1, removed: 1, failed: 0 },
    });
    expect(await contents(to)).toEqual({ ...(await contents(from)), ...before });
    expect(run.engine.snapshot().shards[0]?.leftovers).toBe(0);
    expect(await confirm('target')).toMatchObject({ accepted: false });
    await to.select(3);
    expect(await to.get('ghost:0')).toBe('of another database');
    const result = await run.stop();
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    // The own keys were no conflicts the second time.
    expect(result.conflicts).toEqual({ rewritten: KEYS, ignored: 0, alreadyThere: 3, dropped: 0 });
    expect(readdirSync(spoolDirectory)).toEqual([]);
  });

  it("ignore: what was kept stays kept, what the run had made the source's goes on", async () => {
    const { run, from, to, gap } = await begin('ignore', async (source, target) => {
      await setAll(source, 'kept', 'source');
      await setAll(target, 'kept', 'target');
      await setAll(source, 'equal', 'same');
      await setAll(target, 'equal', 'same');
      await setAll(target, 'later', 'target');
      await setAll(source, 'ghost', 'source');
    });
    // The source makes keys in the stream that the target held.
    await setAll(from, 'later', 'of the stream', 10);
    await applied(from, to);
    await gap(async () => {
      for (let i = 0; i < KEYS; i++) await from.del(`ghost:${i}`);
      await from.set('equal:0', 'of the gap');
      await from.set('later:0', 'of the gap');
      await from.set('later:100', 'never seen before');
      await from.set('kept:0', 'of the gap');
    });
    await from.append('kept:0', '!');
    await from.append('equal:0', '!');
    await applied(from, to);
    const kept = Object.fromEntries(Array.from({ length: KEYS }, (_, i) => [`kept:${i}`, 'target']));
    const later = Object.fromEntries(Array.from({ length: KEYS - 10 }, (_, i) => [`later:${i + 10}`, 'target']));
    expect(await contents(to)).toEqual({ ...(await contents(from)), ...kept, ...later });
    expect((await to.mget('equal:0', 'later:0', 'later:100')).join()).toBe('of the gap!,of the gap,target');
    const result = await run.stop();
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    expect(result.conflicts).toMatchObject({ rewritten: 0, ignored: 2 * KEYS + 1, alreadyThere: KEYS });
  });

  it('panic: what was decided is not asked again', async () => {
    const { run, from, to, gap } = await begin('panic', async (source, target) => {
      await source.mset('equal', 'same', 'only', '1');
      await target.mset('equal', 'same', 'theirs', 'target');
    });
    await from.set('equal', 'of the stream');
    await applied(from, to);
    await gap(async () => {
      await from.set('equal', 'of the gap');
      await from.del('only');
    });
    expect(await contents(to)).toEqual({ ...(await contents(from)), theirs: 'target' });
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
  });

  it('a SWAPDB that goes to the target leaves nothing certain: the shard ends and says why', async () => {
    const { run, from, to, cut } = await begin(
      'rewrite',
      async (source, target) => {
        await source.set('a', '1');
        await target.set('theirs', 'target');
      },
      { keyless: { flush: 'refuse', swapdb: 'forward', publish: 'ignore', script: 'forward', function: 'forward' } },
    );
    await from.swapdb(0, 1);
    await notice(run, 'SWAPDB moves keys that the target held before this run');
    await cut(async () => {});
    const result = await run.engine.ended;
    expect(result).toMatchObject({ outcome: 'failed' });
    expect(said(run)).toContain('could not tell its own keys from those');
    await to.select(1);
    expect(await to.get('theirs')).toBe('target');
  });
});

describe('a cluster as the target', () => {
  it('every shard spares what was there, and clears its own slots only', async () => {
    const { major } = await binaryVersion(serverBinary(undefined));
    const debug = major >= 7 ? ['--enable-debug-command', 'yes'] : [];
    const source = await testCluster({ masters: 2, args: [...SMALL_BACKLOG, ...debug] });
    const target = await testCluster({ masters: 2 });
    const [from, to] = [source.masters[0], target.masters[0]];
    if (from === undefined || to === undefined) throw new Error('a cluster has no master');
    const [sources, targets] = [source.masters.map((node) => client(node)), target.masters.map((node) => client(node))];
    // The one that the key does not belong to refuses it.
    const put = (nodes: readonly Redis[], key: string, value: string): Promise<unknown> =>
      Promise.all(nodes.map((node) => node.set(key, value).catch(() => null)));
    for (let i = 0; i < 40; i++) {
      await put(sources, `ours:${i}`, 'source');
      await put(targets, `theirs:${i}`, 'target');
      if (i % 2 === 0) await put(targets, `ours:${i}`, 'target');
    }
    // Of one slot, so that one block can delete them.
    for (const key of ['{v}:before', '{v}:ghost']) await put(sources, key, 'source');
    await put(targets, '{v}:before', 'target');
    await put(targets, '{v}:theirs', 'target');
    const run = migrate(endpointOf(from), endpointOf(to), { conflictPolicy: 'rewrite' });
    await run.streaming();
    for (const redis of sources) {
      if ((await redis.keys('{v}:*')).length === 0) continue;
      // Another history begins with what nobody was told of.
      const block = redis.multi().call('CLIENT', 'KILL', 'TYPE', 'replica').del('{v}:before', '{v}:ghost');
      await block.call('DEBUG', 'CHANGE-REPL-ID').exec();
    }
    await notice(run, 'of the attempt before were taken off the target');
    await run.streaming();
    const ofAll = async (nodes: readonly Redis[]) =>
      Object.assign({}, ...(await Promise.all(nodes.map((node) => contents(node)))));
    const expected = { ...(await ofAll(sources)), '{v}:theirs': 'target' };
    for (let i = 0; i < 40; i++) expected[`theirs:${i}`] = 'target';
    expect(await ofAll(targets)).toEqual(expected);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });
});

describe('kill -9 in the full sync, and --resume', () => {
  it('copies anew what was its own, and touches nothing else', async () => {
    const [source, target] = [await testServer({ args: SMALL_BACKLOG }), await testServer()];
    const [from, to] = [client(source), client(target)];
    await from.config('SET', 'rdbcompression', 'no');
    for (let i = 0; i < 300; i++) await from.set(`big:${i}`, Buffer.alloc(200_000, 65 + (i % 20)));
    for (let i = 0; i < 300; i += 2) await to.set(`big:${i}`, 'target');
    await setAll(to, 'theirs', 'target');
    const args = ['--source', addressOf(source), '--target', addressOf(target), '--on-conflict', 'rewrite'];
    const state = stateFolder();
    const run = new SyncProcess(args, state);
    await waitFor(async () => (await to.dbsize()) > KEYS + 150 + 5, { deadlineMs: 20_000, what: 'keys' });
    await run.kill('SIGKILL');
    const copied = (await to.keys('big:*')).filter((key) => Number(key.slice(4)) % 2 === 1);
    expect(copied.length).toBeGreaterThan(0);
    const [ghost = ''] = copied;
    await from.del(ghost);
    const again = new SyncProcess([...args, '--resume'], state);
    await again.streaming();
    expect(again.messages).toContain('its snapshot was not finished');
    await applied(from, to);
    expect(await to.exists(ghost)).toBe(0);
    const theirs = Object.fromEntries(Array.from({ length: KEYS }, (_, i) => [`theirs:${i}`, 'target']));
    expect(await contents(to)).toEqual({ ...(await contents(from)), ...theirs });
    expect(await again.kill('SIGTERM')).toBe(0);
    expect(leftIn(state)).toEqual([]);
  });

  it.each(['ignore', 'rewrite'])('on another machine, under %s: refused, or told what may be left', async (policy) => {
    const [source, target] = [await testServer({ args: SMALL_BACKLOG }), await testServer()];
    const [from, to] = [client(source), client(target)];
    await from.config('SET', 'rdbcompression', 'no');
    for (let i = 0; i < 200; i++) await from.set(`big:${i}`, Buffer.alloc(200_000, 65));
    await to.set('theirs', 'target');
    const args = ['--source', addressOf(source), '--target', addressOf(target), '--on-conflict', policy];
    const run = new SyncProcess(args, stateFolder());
    await waitFor(async () => (await to.dbsize()) > 5, { deadlineMs: 20_000, what: 'keys' });
    await run.kill('SIGKILL');
    const elsewhere = new SyncProcess([...args, '--resume'], stateFolder());
    if (policy === 'ignore') {
      expect(await elsewhere.exited).toBe(2);
    } else {
      await elsewhere.streaming();
      expect(await elsewhere.kill('SIGTERM')).toBe(0);
    }
    expect(elsewhere.messages).toContain('is not known on this machine');
    expect(await to.get('theirs')).toBe('target');
  });
});

describe('while it is noted what the target holds', () => {
  const MANY = 300_000;

  async function filled(): Promise<{ readonly source: Place; readonly target: Place }> {
    const { major } = await binaryVersion(serverBinary(undefined));
    const source = await testServer({ args: SMALL_BACKLOG });
    const target = await testServer({ args: major >= 7 ? ['--enable-debug-command', 'yes'] : [] });
    await client(source).set('a', '1');
    await client(target).call('DEBUG', 'POPULATE', String(MANY), 'theirs');
    return { source, target };
  }

  it('kill -9: --resume notes it anew, for nothing was written', async () => {
    const { source, target } = await filled();
    const args = ['--source', addressOf(source), '--target', addressOf(target)];
    const state = stateFolder();
    const run = new SyncProcess(args, state);
    await waitFor(() => leftIn(state).length > 0, { deadlineMs: 20_000, what: 'the file to be begun' });
    await run.kill('SIGKILL');
    expect(leftIn(state).join()).toContain('shard-0.before.unfinished');
    const again = new SyncProcess([...args, '--resume'], state);
    await again.streaming();
    expect(again.messages).toContain(`The target holds ${MANY} keys before this run`);
    expect(await client(target).dbsize()).toBeGreaterThan(MANY);
    expect(await again.kill('SIGTERM')).toBe(0);
    expect(leftIn(state)).toEqual([]);
    expect(await client(target).dbsize()).toBe(MANY + 1);
  });

  it('a stop is obeyed, and leaves nothing behind', async () => {
    const { source, target } = await filled();
    const spoolDirectory = folder();
    const run = migrate(endpointOf(source), endpointOf(target), { limits: { ...TEST_LIMITS, spoolDirectory } });
    await waitFor(() => readdirSync(spoolDirectory).length > 0, { deadlineMs: 20_000, what: 'the file to be begun' });
    expect(await run.stop()).toMatchObject({ outcome: 'interrupted' });
    await waitFor(() => readdirSync(spoolDirectory).length === 0, { deadlineMs: 10_000, what: 'the file to be gone' });
    expect(await client(target).dbsize()).toBe(MANY);
  });
});

/** Files of a migration's folder that should be gone behind a good end. */
function leftIn(state: string): readonly string[] {
  if (!existsSync(state)) return [];
  return readdirSync(state, { recursive: true })
    .map(String)
    .filter((name) => /shard-\d+\.(before|written|shared|kept)/.test(name));
}
