// Fields of hashes that expire (Redis 7.4, Valkey 9): held and settled as keys are, wherever they come from.
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { settleExpiries } from '../../source/engine/expiry/settle-expiries.ts';
import { HOLD_MS, isHeld } from '../../source/protocol/held-expiry.ts';
import { client } from '../support/client.ts';
import { every } from '../support/expiry.ts';
import { endpointOf, migrate, type Place, TEST_LIMITS } from '../support/migration.ts';
import { SERVER_KINDS, type ServerKind } from '../support/other-servers.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const PAUSE_MS = 3500;
const KINDS = SERVER_KINDS.filter(({ label }) => label === 'redis-8.0' || label === 'valkey-9');
const PAIRS = KINDS.flatMap((from) => KINDS.map((to) => ({ from, to, name: `${from.label} to ${to.label}` })));

/** Of each field, as the server itself says. */
async function expiriesOn(redis: Redis, key: string, ...fields: string[]): Promise<number[]> {
  return (await redis.call('HPEXPIRETIME', key, 'FIELDS', fields.length, ...fields)) as number[];
}

async function server({ binary }: ServerKind): Promise<{ readonly place: Place; readonly redis: Redis }> {
  const place = await testServer({ binary });
  return { place, redis: client(place) };
}

describe.each(PAIRS)('from $name', ({ from, to }) => {
  // 64 bytes: everything is written by commands.
  it.each(from === to ? [TEST_LIMITS.valueInMemory, 64] : [TEST_LIMITS.valueInMemory])(
    'keeps what is renewed, values up to %i bytes in one piece',
    { timeout: 60_000 },
    async (valueInMemory) => {
      const [source, target] = [await server(from), await server(to)];
      const exact = Date.now() + 3_600_000;
      const many = Array.from({ length: 700 }, (_, i) => `f${i}`);
      await source.redis.hset('session', 'renewed', 1, 'left', 1, 'stays', 1);
      await source.redis.call('HPEXPIRE', 'session', 2000, 'FIELDS', 2, 'renewed', 'left');
      await source.redis.hset('big', Object.fromEntries(many.map((field) => [field, 'v'.repeat(30)])));
      await source.redis.call('HPEXPIREAT', 'big', exact, 'FIELDS', 2, 'f1', 'f2');
      await source.redis.call('HPEXPIRE', 'big', 2000, 'FIELDS', 2, 'f3', 'f4');
      const stopRenewing = every(500, () =>
        source.redis
          .pipeline()
          .hincrby('session', 'renewed', 1)
          .call('HPEXPIRE', 'session', 2000, 'GT', 'FIELDS', 1, 'renewed')
          .call('HPEXPIRE', 'big', 2000, 'FIELDS', 1, 'f3')
          .exec(),
      );
      const run = migrate(endpointOf(source.place), endpointOf(target.place), {
        limits: { ...TEST_LIMITS, valueInMemory },
      });
      await waitFor(() => run.engine.snapshot().phase === 'running', { what: 'the run to begin' });
      await run.engine.dispatch({ type: 'pause', shards: 'all' });
      const resumeAtMs = Date.now() + PAUSE_MS;
      await waitFor(() => Date.now() >= resumeAtMs, { what: 'the pause to be over' });
      await run.engine.dispatch({ type: 'resume', shards: 'all' });
      await run.streaming();
      await stopRenewing();
      await source.redis.call('HPEXPIREAT', 'session', exact, 'GT', 'FIELDS', 1, 'renewed');
      // A condition that lets one of two fields through.
      await source.redis.call('HPEXPIREAT', 'big', exact - 5, 'LT', 'FIELDS', 2, 'f2', 'f3');
      await source.redis.call('HPEXPIREAT', 'big', exact + 5, 'GT', 'FIELDS', 2, 'f1', 'f3');
      await waitFor(
        async () =>
          (await source.redis.hexists('big', 'f4')) === 0 && (await source.redis.hexists('session', 'left')) === 0,
        { what: 'the source to have expired its fields' },
      );
      await run.caughtUp();
      expect((await expiriesOn(target.redis, 'session', 'renewed')).every(isHeld)).toBe(true);
      expect(run.refusals).toEqual([]);
      expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });

      expect(await target.redis.hgetall('session')).toEqual(await source.redis.hgetall('session'));
      expect(await target.redis.hgetall('big')).toEqual(await source.redis.hgetall('big'));
      for (const [key, fields] of [
        ['session', ['renewed', 'stays']],
        ['big', ['f1', 'f2', 'f3', 'f5']],
      ] as const) {
        expect(await expiriesOn(target.redis, key, ...fields)).toEqual(await expiriesOn(source.redis, key, ...fields));
      }
    },
  );
});

describe.each(KINDS)('on $label', (kind) => {
  it('holds and settles what a RESTORE of the stream brings', async () => {
    const [source, target] = [await server(kind), await server(kind)];
    const exact = Date.now() + 3_600_000;
    await source.redis.hset('h', 'a', 1, 'b', 2);
    await source.redis.call('HPEXPIREAT', 'h', exact, 'FIELDS', 1, 'a');
    const payload = await source.redis.dumpBuffer('h');
    const run = migrate(endpointOf(source.place), endpointOf(target.place));
    await run.streaming();
    await source.redis.restore('copy', 0, payload);
    await source.redis.restore('expires', exact + 7, payload, 'ABSTTL');
    await waitFor(() => target.redis.exists('expires'), { what: 'the copies to arrive' });
    expect((await expiriesOn(target.redis, 'copy', 'a')).every(isHeld)).toBe(true);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    for (const key of ['h', 'copy', 'expires']) {
      expect(await expiriesOn(target.redis, key, 'a', 'b')).toEqual([exact, -1]);
      expect(await target.redis.hgetall(key)).toEqual({ a: '1', b: '2' });
    }
    expect(await target.redis.call('PEXPIRETIME', 'expires')).toBe(exact + 7);
  });

  it('settles fields by WATCH where scripts are not allowed, and only those that are held', async () => {
    const { place, redis } = await server(kind);
    const exact = Date.now() + 3_600_000;
    await redis.hset('h', 'held', 1, 'own', 1, 'past', 1);
    await redis.call('HPEXPIREAT', 'h', exact + HOLD_MS, 'FIELDS', 1, 'held');
    await redis.call('HPEXPIREAT', 'h', exact + 9, 'FIELDS', 1, 'own');
    await redis.call('HPEXPIREAT', 'h', 1_700_000_000_000 + HOLD_MS, 'FIELDS', 1, 'past');
    await redis.call('ACL', 'SETUSER', 'plain', 'on', '>secret', '~*', '+@all', '-@scripting');
    const target = endpointOf(place, { credentials: { username: 'plain', password: 'secret' } });
    const order = { target, slots: [], keys: true, leases: [], stopped: () => false, once: () => {} };
    expect(await settleExpiries(order)).toEqual({ keys: 0, fields: 2, missed: 0 });
    expect(await expiriesOn(redis, 'h', 'held', 'own', 'past')).toEqual([exact, exact + 9, -2]);
  });
});
