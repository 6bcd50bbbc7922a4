// Valkey 8.1 and newer can be told that an import is under way: keys whose time has come stay until the mode is left.
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { startProgram } from '../e2e/run-program.ts';
import { client } from '../support/client.ts';
import { every, expiryOn } from '../support/expiry.ts';
import { compare, endpointOf, type Migration, migrate, type Place } from '../support/migration.ts';
import { SERVER_KINDS } from '../support/other-servers.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const PAUSE_MS = 3500;
const VALKEYS = SERVER_KINDS.filter(({ label }) => label.startsWith('valkey'));

async function importMode(redis: Redis): Promise<string | undefined> {
  return ((await redis.config('GET', 'import-mode')) as string[])[1];
}

function said({ notices }: Migration): string {
  return notices.map(({ message }) => message).join('\n');
}

describe.each(VALKEYS)('to $label', ({ binary }) => {
  it('is used, keeps what is renewed, and is turned off at the end', async () => {
    const [source, target] = await Promise.all([testServer(), testServer({ binary })]);
    const [from, to] = [client(source), client(target)];
    await from.set('limiter', 41, 'PX', 2000);
    await from.set('forgotten', 1, 'PX', 2000);
    await from.rpush('list:forgotten', 'a');
    await from.pexpire('list:forgotten', 2000);
    const stopRenewing = every(500, () => from.pipeline().incr('limiter').pexpire('limiter', 2000).exec());
    const run = migrate(endpointOf(source), endpointOf(target));
    await waitFor(() => run.engine.snapshot().phase === 'running', { what: 'the run to begin' });
    await run.engine.dispatch({ type: 'pause', shards: 'all' });
    expect(await importMode(to)).toBe('yes');
    const resumeAtMs = Date.now() + PAUSE_MS;
    await waitFor(() => Date.now() >= resumeAtMs, { what: 'the pause to be over' });
    await run.engine.dispatch({ type: 'resume', shards: 'all' });
    await run.streaming();
    await stopRenewing();
    await from.pexpire('limiter', 3_600_000);
    await run.caughtUp();
    expect(await expiryOn(to, 'limiter')).toBe(await expiryOn(from, 'limiter'));
    expect(run.engine.snapshot().shards[0]?.held).toBe(0);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });

    expect(await importMode(to)).toBe('no');
    expect(await to.get('limiter')).toBe(await from.get('limiter'));
    expect(await expiryOn(to, 'limiter')).toBe(await expiryOn(from, 'limiter'));
    await waitFor(async () => (await to.dbsize()) === 1, { what: 'nothing but the limiter to be left' });
    expect(said(run)).toMatch(/is in import-mode while the run lasts/);
    expect(said(run)).toMatch(/is not in import-mode any more/);
  });
});

describe('import-mode', () => {
  const binary = VALKEYS.find(({ label }) => label === 'valkey-8.1')?.binary ?? '';

  it('is turned off after SIGTERM, and by the next run when the one before was killed', {
    timeout: 60_000,
  }, async () => {
    const [source, target] = await Promise.all([testServer(), testServer({ binary })]);
    const to = client(target);
    const places = ['--source', `127.0.0.1:${source.port}`, '--target', `127.0.0.1:${target.port}`];
    const ended = startProgram(['sync', ...places, '--json']);
    await ended.until(/"state":"streaming"/);
    expect(await importMode(to)).toBe('yes');
    ended.kill('SIGTERM');
    expect(await ended.ended).toMatchObject({ code: 0 });
    expect(await importMode(to)).toBe('no');
    expect(await to.keys('*')).toEqual([]);

    const killed = startProgram(['sync', ...places, '--json']);
    await killed.until(/"state":"streaming"/);
    killed.kill('SIGKILL');
    await killed.ended;
    expect(await importMode(to)).toBe('yes');
    const next = startProgram(['sync', ...places, '--json', '--fresh']);
    await next.until(/"state":"streaming"/);
    next.kill('SIGTERM');
    const { stdout } = await next.ended;
    expect(stdout).toMatch(/was left in import-mode by run/);
    expect(await importMode(to)).toBe('no');
    expect(await to.keys('*import-mode*')).toEqual([]);
  });

  it('is used on every node of a cluster', async () => {
    const [source, target] = await Promise.all([testServer(), testCluster({ masters: 3, binary })]);
    const nodes = target.masters.map((node) => client(node));
    const from = client(source);
    for (let i = 0; i < 100; i++) await from.set(`k:${i}`, i, 'PX', 1000);
    const run = migrate(endpointOf(source), endpointOf(target.masters[0] as Place));
    await run.streaming();
    expect(await Promise.all(nodes.map(importMode))).toEqual(['yes', 'yes', 'yes']);
    await waitFor(async () => (await from.dbsize()) === 0, { what: 'the source to have expired its keys' });
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
    expect(await Promise.all(nodes.map(importMode))).toEqual(['no', 'no', 'no']);
    await waitFor(async () => (await Promise.all(nodes.map((node) => node.dbsize()))).every((keys) => keys === 0), {
      what: 'nothing to be left, markers neither',
    });
  });

  it('goes on at a promoted node, and is turned off there', { timeout: 90_000 }, async () => {
    const source = await testServer();
    const target = await testCluster({ masters: 3, replicasPerMaster: 1, nodeTimeoutMs: 2000, binary });
    const from = client(source);
    for (let i = 0; i < 200; i++) await from.set(`k:${i}`, 0, 'PX', 3000);
    const keys = Array.from({ length: 200 }, (_, i) => `k:${i}`);
    const renew = (): Promise<unknown> => {
      const pipeline = from.pipeline();
      for (const key of keys) pipeline.incr(key).pexpire(key, 3000);
      return pipeline.exec();
    };
    const stopRenewing = every(700, renew);
    const run = migrate(endpointOf(source), endpointOf(target.masters[1] as Place));
    await run.streaming();
    const [replica] = target.replicas[0] ?? [];
    if (replica === undefined) throw new Error('the first master has a replica');
    const promoted = client(replica);
    expect(await importMode(promoted)).toBe('yes');
    target.masters[0]?.kill('SIGKILL');
    await waitFor(async () => /role:master/.test(await promoted.info('replication')), {
      what: 'the replica to be promoted',
      deadlineMs: 40_000,
    });
    await stopRenewing();
    for (const key of keys) await from.pexpire(key, 3_600_000);
    await run.caughtUp();
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    expect(await importMode(promoted)).toBe('no');
    expect(said(run)).toMatch(/is not of the target any more, and may still be in import-mode/);
    const report = await compare([source], [target.masters[1] as Place, target.masters[2] as Place, replica], {
      sourceCluster: false,
      targetCluster: true,
    });
    expect(report.differences.slice(0, 3)).toEqual([]);
    expect(report.checked).toBe(200);
  });

  it('stays on where somebody else had turned it on, and that is said', async () => {
    const [source, target] = await Promise.all([testServer(), testServer({ binary })]);
    const to = client(target);
    await to.config('SET', 'import-mode', 'yes');
    const run = migrate(endpointOf(source), endpointOf(target), { snapshotOnly: true });
    expect(await run.engine.ended).toMatchObject({ outcome: 'completed' });
    expect(await importMode(to)).toBe('yes');
    expect(said(run)).toMatch(/was in import-mode already, and stays so/);
  });

  it('is not turned off by one run while another still writes', async () => {
    const [source, other, target] = await Promise.all([testServer(), testServer(), testServer({ binary })]);
    const to = client(target);
    const first = migrate(endpointOf(source), endpointOf(target));
    await first.streaming();
    const second = migrate(endpointOf(other), endpointOf(target), { conflictPolicy: 'rewrite' });
    await second.streaming();
    await first.stop();
    expect(await importMode(to)).toBe('yes');
    await second.stop();
    expect(await importMode(to)).toBe('no');
  });

  it.each(['config|set', 'client|import-source'])(
    'gives way to held expiries where %s is not allowed',
    async (right) => {
      const [source, target] = await Promise.all([testServer(), testServer({ binary })]);
      const [from, to] = [client(source), client(target)];
      await to.call('ACL', 'SETUSER', 'plain', 'on', '>secret', '~*', '&*', '+@all', `-${right}`);
      const exact = Date.now() + 3_600_000;
      await from.set('k', 1, 'PXAT', exact);
      const credentials = { username: 'plain', password: 'secret' };
      const run = migrate(endpointOf(source), endpointOf(target, { credentials }), { snapshotOnly: true });
      expect(await run.engine.ended).toMatchObject({ outcome: 'completed', exitCode: 0 });
      expect(said(run)).toMatch(/does not let us use its import-mode.*expiries are held instead/);
      expect(run.engine.snapshot().shards[0]?.held).toBe(1);
      expect(await expiryOn(to, 'k')).toBe(exact);
      expect(await importMode(to)).toBe('no');
      expect(await to.keys('*')).toEqual(['k']);
    },
  );
});
