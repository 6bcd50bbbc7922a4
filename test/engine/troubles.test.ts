// What goes wrong at the start or on the way: one clear sentence, the right exit code, nothing lost.
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../source/engine/errors.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate, TEST_LIMITS } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const NOWHERE = { host: '127.0.0.1', port: 1 };

describe('before the run', () => {
  it('a source that is down', async () => {
    const target = await testServer();
    const result = await migrate(endpointOf(NOWHERE), endpointOf(target)).engine.ended;
    expect(result).toMatchObject({ outcome: 'failed', exitCode: EXIT.failed });
    expect(result.message).toMatch(/127\.0\.0\.1:1\b.*refused/i);
  });

  it('an address that no name server knows', async () => {
    const target = await testServer();
    const result = await migrate(endpointOf({ host: 'no-such-host.invalid', port: 6379 }), endpointOf(target)).engine
      .ended;
    expect(result).toMatchObject({ outcome: 'failed', exitCode: EXIT.failed });
    expect(result.message).toContain('no-such-host.invalid');
  });

  it('a wrong password, and none', async () => {
    const source = await testServer({ args: ['--requirepass', 'secret-of-the-source'] });
    const target = await testServer();
    const wrong = endpointOf(source, { credentials: { username: null, password: 'wrong-guess' } });
    for (const endpoint of [wrong, endpointOf(source)]) {
      const result = await migrate(endpoint, endpointOf(target)).engine.ended;
      expect(result).toMatchObject({ outcome: 'failed', exitCode: EXIT.failed });
      expect(result.message).toMatch(/password/);
      expect(result.message).not.toContain('wrong-guess');
    }
  });

  it('a target that is a replica', async () => {
    const [source, master, target] = await Promise.all([testServer(), testServer(), testServer()]);
    await client(target).replicaof(master.host, master.port);
    const result = await migrate(endpointOf(source), endpointOf(target)).engine.ended;
    expect(result).toMatchObject({ outcome: 'refused', exitCode: EXIT.preflight });
    expect(result.message).toContain(String(target.port));
  });

  it('a target that is the source', async () => {
    const source = await testServer();
    const result = await migrate(endpointOf(source), endpointOf({ host: 'localhost', port: source.port })).engine.ended;
    expect(result).toMatchObject({ outcome: 'refused', exitCode: EXIT.preflight });
  });

  it('several databases towards a cluster', async () => {
    const [source, target] = await Promise.all([testServer(), testCluster({ masters: 3 })]);
    const redis = client(source);
    await redis.set('zero', '0');
    await redis.select(4);
    await redis.set('four', '4');
    const result = await migrate(endpointOf(source), endpointOf(target.masters[0] ?? NOWHERE)).engine.ended;
    expect(result).toMatchObject({ outcome: 'refused', exitCode: EXIT.preflight });
    expect(result.message).toMatch(/database/);
  });
});

describe('on the way', () => {
  it('a target out of memory: it waits, says so, and loses nothing', async () => {
    const [source, target] = [
      await testServer(),
      await testServer({ args: ['--maxmemory', '8mb', '--maxmemory-policy', 'noeviction'] }),
    ];
    const [from, to] = [client(source), client(target)];
    const fill = from.pipeline();
    for (let i = 0; i < 20_000; i++) fill.set(`key:${i}`, 'x'.repeat(1000));
    await fill.exec();
    const run = migrate(endpointOf(source), endpointOf(target));
    const waiting = (): string | null => run.engine.snapshot().shards[0]?.waitingFor ?? null;
    await waitFor(() => /out of memory: raise its maxmemory/.test(waiting() ?? ''), {
      deadlineMs: 30_000,
      what: 'the wait to be told',
    });
    await to.config('SET', 'maxmemory', '0');
    await run.streaming();
    // The same in the stream: writes are put off, then arrive in their order.
    await to.config('SET', 'maxmemory', '1mb');
    for (let i = 0; i < 1000; i++) await from.multi().incr('counter').rpush('list', String(i)).exec();
    await waitFor(() => waiting() !== null, { deadlineMs: 30_000, what: 'the wait in the stream' });
    await to.config('SET', 'maxmemory', '0');
    await run.caughtUp();
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    const result = await run.stop();
    expect(report.differences).toEqual([]);
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });

  it('a broken link in the stream goes on without a gap', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const from = client(source);
    await from.set('before', '1');
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    await from.select(5);
    await from.set('in five', '1');
    await from.call('CLIENT', 'KILL', 'TYPE', 'replica');
    await from.incr('counter');
    await from.incr('counter');
    await waitFor(() => run.notices.some(({ message }) => message.includes('goes on without a gap')), {
      deadlineMs: 20_000,
      what: 'the link to come back',
    });
    await run.caughtUp();
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    await run.stop();
    expect(report.differences).toEqual([]);
  });

  it('what the target refuses for good is recorded and turns the exit code', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const from = client(source);
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    await client(target).set('clash', 'a string');
    await from.rpush('clash', 'a', 'b');
    await from.flushdb();
    await from.set('after', '1');
    await run.caughtUp();
    const result = await run.stop();
    expect(result).toMatchObject({ outcome: 'completed', exitCode: EXIT.refusals, refused: 1 });
    expect(result.refusals).toMatchObject([{ command: 'FLUSHDB', reason: 'filter.flush is "refuse"' }]);
    // WRONGTYPE is no refusal but a key that differs: it was copied again, and the source has it no more.
    expect(await client(target).type('clash')).toBe('none');
  });
});

describe('big values', () => {
  it('pass whole, in one piece or in several', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const from = client(source);
    await from.set('big string', 'x'.repeat(3_000_000));
    await from.set('too big', 'y'.repeat(6_000_000));
    for (let i = 0; i < 40; i++)
      await from.rpush('big list', ...Array.from({ length: 1000 }, (_, n) => `${i} ${n} `.repeat(5)));
    for (let i = 0; i < 40; i++)
      await from.sadd('big set', ...Array.from({ length: 1000 }, (_, n) => `member ${i} ${n} of many`));
    for (let i = 0; i < 1000; i++) await from.set(`small:${i}`, 'z');
    const limits = { ...TEST_LIMITS, valueInMemory: 4_000_000 };
    // Letters alone would be compressed below the limit.
    await from.config('SET', 'rdbcompression', 'no');
    const result = await migrate(endpointOf(source), endpointOf(target), { limits, snapshotOnly: true }).engine.ended;
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0, keys: 1004 });
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
  });
});

describe('a target with a low proto-max-bulk-len', () => {
  it('gets what it can take; the rest is recorded, and the link lives', async () => {
    const [source, target] = await Promise.all([testServer(), testServer({ args: ['--proto-max-bulk-len', '1mb'] })]);
    const from = client(source);
    await from.config('SET', 'rdbcompression', 'no');
    await from.set('fits', 'x'.repeat(1_000_000));
    await from.set('does not fit', 'y'.repeat(1_100_000));
    await from.set('small', 'z');
    const result = await migrate(endpointOf(source), endpointOf(target), { snapshotOnly: true }).engine.ended;
    expect(result).toMatchObject({ outcome: 'completed', exitCode: EXIT.refusals, refused: 1, keys: 2 });
    expect(result.refusals[0]).toMatchObject({
      key: 'does not fit',
      reason: expect.stringContaining('proto-max-bulk-len'),
    });
    expect(await client(target).keys('*')).not.toContain('does not fit');
  });

  it('gets a longer string all the same when it compresses below the limit', async () => {
    const [source, target] = await Promise.all([testServer(), testServer({ args: ['--proto-max-bulk-len', '1mb'] })]);
    await client(source).set('long', 'x'.repeat(6_000_000));
    const result = await migrate(endpointOf(source), endpointOf(target), { snapshotOnly: true }).engine.ended;
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0, keys: 1 });
    expect(await client(target).strlen('long')).toBe(6_000_000);
  });
});

describe('pause', () => {
  it('stops the writes to the target, keeps the link, and loses nothing', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    await run.engine.dispatch({ type: 'pause', shards: 'all' });
    await waitFor(() => run.engine.snapshot().shards[0]?.paused === true, { deadlineMs: 5000, what: 'the pause' });
    for (let i = 0; i < 2000; i++) from.set(`key:${i}`, 'y'.repeat(10_000));
    await waitFor(() => (run.engine.snapshot().shards[0]?.spoolBytes ?? 0) > 0, {
      deadlineMs: 20_000,
      what: 'bytes on disk',
    });
    expect(await to.keys('key:*')).toEqual([]);
    await run.engine.dispatch({ type: 'resume', shards: [0] });
    await run.caughtUp();
    expect(await to.keys('key:*')).toHaveLength(2000);
    expect(await from.info('stats')).toMatch(/sync_full:1\r/);
    expect((await run.stop()).outcome).toBe('completed');
  });
});
