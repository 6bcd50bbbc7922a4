// Held expiries are settled at every end, on every version, and where that can not be done the run says so.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HeldExpiries } from '../../source/engine/expiry/expiry-care.ts';
import { isHeld } from '../../source/protocol/held-expiry.ts';
import { encodeCommand } from '../../source/protocol/resp-encode.ts';
import { startProgram } from '../e2e/run-program.ts';
import { client } from '../support/client.ts';
import { every, expiryOn } from '../support/expiry.ts';
import { endpointOf, migrate } from '../support/migration.ts';
import { SERVER_KINDS } from '../support/other-servers.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const EXACT = Date.now() + 3_600_000;
const OLD = SERVER_KINDS.filter(({ label }) => label === 'redis-6.0');

/** Of a server without PEXPIRETIME: what its own clock and PTTL come to within one millisecond. */
async function expiryBefore7(redis: Redis, key: string): Promise<number> {
  const script = `
    local function now() local t = redis.call('TIME'); return t[1] * 1000 + math.floor(t[2] / 1000) end
    local before, left
    repeat before = now(); left = redis.call('PTTL', KEYS[1]) until now() == before
    return string.format('%.0f', before + left)`;
  return Number(await redis.eval(script, 1, key));
}

describe.each(OLD)('on $label', ({ binary }) => {
  it('expiries are exact to the millisecond, in the snapshot and in the stream', async () => {
    const [source, target] = await Promise.all([testServer(), testServer({ binary })]);
    const [from, to] = [client(source), client(target)];
    for (let i = 0; i < 300; i++) await from.set(`k:${i}`, i, 'PXAT', EXACT + i);
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    for (let i = 0; i < 300; i += 3) await from.pexpireat(`k:${i}`, EXACT + 1000 + i);
    for (let i = 1; i < 300; i += 3) await from.set(`k:${i}`, 'again', 'PXAT', EXACT + 2000 + i);
    await run.caughtUp();
    expect(isHeld(await expiryBefore7(to, 'k:0'))).toBe(true);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    const wrong: string[] = [];
    for (let i = 0; i < 300; i++) {
      const wanted = EXACT + i + ([1000, 2000, 0][i % 3] ?? 0);
      const found = await expiryBefore7(to, `k:${i}`);
      if (found !== wanted) wrong.push(`k:${i} ${found - wanted}`);
    }
    expect(wrong).toEqual([]);
  });

  it('relative expiries of a source are held too: a pause loses nothing', async () => {
    const [source, target] = await Promise.all([testServer({ binary }), testServer()]);
    const [from, to] = [client(source), client(target)];
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    await from.set('limiter', 41, 'PX', 1500);
    await from.setex('session', 2, 'a');
    await waitFor(() => to.exists('session'), { what: 'the keys to be on the target' });
    await run.engine.dispatch({ type: 'pause', shards: 'all' });
    const resumeAtMs = Date.now() + 4000;
    const stopRenewing = every(500, () =>
      from.pipeline().incr('limiter').pexpire('limiter', 1500).append('session', 'b').expire('session', 2).exec(),
    );
    await waitFor(() => Date.now() >= resumeAtMs, { what: 'the pause to be over' });
    await stopRenewing();
    await from.expire('limiter', 3600);
    await from.expire('session', 3600);
    await run.engine.dispatch({ type: 'resume', shards: 'all' });
    await run.caughtUp();
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    for (const key of ['limiter', 'session']) {
      expect(await to.get(key)).toBe(await from.get(key));
      expect(Math.abs((await to.pttl(key)) - (await from.pttl(key)))).toBeLessThan(3000);
    }
  });
});

describe('an end', () => {
  it('of a file: commands on keys that have expired since see what they saw', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'redferry-expiries-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'appendonly.aof');
    const past = 1_700_000_000_000;
    const commands = [
      ['SELECT', '0'],
      ['SET', 'limiter', '41', 'PXAT', String(past)],
      ['INCR', 'limiter'],
      ['PEXPIREAT', 'limiter', String(EXACT)],
      ['SET', 'gone', '1', 'PXAT', String(past)],
      ['RPUSH', 'list', 'a'],
      ['PEXPIREAT', 'list', String(past)],
      ['RPUSH', 'list', 'b'],
      ['PERSIST', 'list'],
    ];
    writeFileSync(path, Buffer.concat(commands.map((command) => encodeCommand(command))));
    const target = await testServer();
    const to = client(target);
    const file = { format: 'aof', paths: [path], untilMs: null, overwrite: false, rdbVersion: null } as const;
    const result = await migrate(file, endpointOf(target)).engine.ended;
    expect(result).toMatchObject({ message: null, outcome: 'completed', exitCode: 0, refused: 0 });
    expect(await to.get('limiter')).toBe('42');
    expect(await expiryOn(to, 'limiter')).toBe(EXACT);
    expect(await to.lrange('list', 0, -1)).toEqual(['a', 'b']);
    expect(await expiryOn(to, 'list')).toBe(-1);
    expect((await to.keys('*')).sort()).toEqual(['limiter', 'list']);
  });

  it('by a conflict settles what was written before it', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    for (let i = 0; i < 50; i++) await from.set(`k:${i}`, i, 'PXAT', EXACT + i);
    await to.set('k:25', 'own');
    const run = migrate(endpointOf(source), endpointOf(target));
    expect(await run.engine.ended).toMatchObject({ outcome: 'conflict', exitCode: 3 });
    const expiries = await Promise.all((await to.keys('k:*')).map((key) => expiryOn(to, key)));
    expect(expiries.length).toBeGreaterThan(1);
    expect(expiries.filter(isHeld)).toEqual([]);
  });

  it('by kill -9 leaves them held, and the next run to that target settles them', { timeout: 60_000 }, async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    await from.set('k', 1, 'PXAT', EXACT);
    const places = ['--source', `127.0.0.1:${source.port}`, '--target', `127.0.0.1:${target.port}`, '--json'];
    const killed = startProgram(['sync', ...places]);
    await killed.until(/"state":"streaming"/);
    killed.kill('SIGKILL');
    await killed.ended;
    expect(await expiryOn(to, 'k')).toBe(EXACT + 8_000_000_000_000);
    // Nothing of the next run's own: its source is empty.
    const empty = await testServer();
    const next = migrate(endpointOf(empty), endpointOf(target), { conflictPolicy: 'rewrite', snapshotOnly: true });
    expect(await next.engine.ended).toMatchObject({ outcome: 'completed', exitCode: 0 });
    expect(await expiryOn(to, 'k')).toBe(EXACT);
  });

  it('of one of two runs to a target leaves them to the other', async () => {
    const [one, two, target] = await Promise.all([testServer(), testServer(), testServer()]);
    const to = client(target);
    await client(one).set('a', 1, 'PXAT', EXACT);
    await client(two).set('b', 1, 'PXAT', EXACT);
    const first = migrate(endpointOf(one), endpointOf(target));
    await first.streaming();
    const second = migrate(endpointOf(two), endpointOf(target));
    await second.streaming();
    expect(await first.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
    expect([await expiryOn(to, 'a'), await expiryOn(to, 'b')].every(isHeld)).toBe(true);
    expect(first.notices.at(-1)?.message).toMatch(/still writes to this target/);
    expect(await second.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
    expect([await expiryOn(to, 'a'), await expiryOn(to, 'b')]).toEqual([EXACT, EXACT]);
  });

  it('that can not settle them is a failure, and says what is left', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const from = client(source);
    const admin = client(target);
    await from.set('k', 1, 'PXAT', EXACT);
    await admin.call('ACL', 'SETUSER', 'ferry', 'on', '>secret', '~*', '&*', '+@all');
    const credentials = { username: 'ferry', password: 'secret' };
    const run = migrate(endpointOf(source), endpointOf(target, { credentials }));
    await run.streaming();
    // Taken away behind the preflight's back.
    await admin.call('ACL', 'SETUSER', 'ferry', '-scan');
    const result = await run.stop();
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 1 });
    expect(result.message).toMatch(
      /could not be settled \(.*(NOPERM|can't run this command|ACL failure).*redferry settle/,
    );
    expect(isHeld(await expiryOn(admin, 'k'))).toBe(true);
  });

  it('at which the person leaves at once does not wait for them', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    await client(source).set('k', 1, 'PXAT', EXACT);
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    const admin = client(target);
    // Answers nobody's SCAN while the person waits.
    await admin.call('CLIENT', 'PAUSE', 20_000, 'ALL');
    const ended = run.stop();
    await waitFor(() => run.engine.snapshot().phase === 'draining', { what: 'the end to begin' });
    await run.engine.dispatch({ type: 'stop' });
    const result = await ended;
    expect(result.exitCode).not.toBe(0);
    expect(run.notices.at(-1)?.message).toMatch(/Left before the expiries held on the target were settled/);
  });
});

it('a target that is gone is named', async () => {
  const target = await testServer();
  await target.stop();
  const left = await new HeldExpiries('test', endpointOf(target), [], { keys: true, leases: [] }).release(
    () => false,
    () => {},
  );
  expect(left).toMatch(new RegExp(`could not be settled .*${target.port}`));
});
