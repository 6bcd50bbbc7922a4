// A pause that outlasts its room: the source is held back and told of, and what comes after is a new full sync or no gap.
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate, TEST_LIMITS } from '../support/migration.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const MIB = 1024 * 1024;
const MOST_MEGABYTES = 200;
const SMALL = { ...TEST_LIMITS, memory: 2 * MIB, spool: 8 * MIB };

async function write(redis: Redis, megabytes: number): Promise<void> {
  const value = randomBytes(64 * 1024);
  for (let n = 0; n < megabytes * 16; n++) await redis.set(`key:${n % 100}`, value);
}

/** Writes on, 10 MB a second, until the condition holds: what the sockets between both take is not known. */
async function writeUntil(redis: Redis, what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let megabytes = 0; !(await condition()); megabytes++) {
    if (megabytes === MOST_MEGABYTES) throw new Error(`${MOST_MEGABYTES} MB were written without ${what}`);
    await write(redis, 1);
    await delay(100);
  }
}

async function pausedRun(sourceArgs: readonly string[]) {
  const [source, target] = await Promise.all([testServer({ args: sourceArgs }), testServer()]);
  const run = migrate(endpointOf(source), endpointOf(target), { limits: SMALL });
  await run.streaming();
  await run.engine.dispatch({ type: 'pause', shards: 'all' });
  return { source, target, run, writer: client(source), shard: () => run.engine.snapshot().shards[0] };
}

const isTold = (run: { readonly notices: readonly { readonly message: string }[] }, what: RegExp) =>
  waitFor(() => run.notices.some(({ message }) => what.test(message)), { what: `a notice like ${what}` });

test('the source gives up: the alarm says so before, the shard copies itself anew after the pause, nothing is lost', async () => {
  const limits = ['--client-output-buffer-limit', 'replica', '16mb', '12mb', '2', '--repl-backlog-size', '1mb'];
  const { source, target, run, writer, shard } = await pausedRun(limits);
  const alarm = /^The queue of shard-0 is full: .* gives the link up in about \d+ s/;
  await writeUntil(writer, 'an alarm', () => run.notices.some(({ message }) => alarm.test(message)));
  expect(shard()?.budget).toMatchObject({ isFull: true, secondsToFull: 0 });
  expect(shard()?.paused).toBe(true);
  await writeUntil(writer, 'a closed link', async () =>
    /^connected_slaves:0\r$/m.test(await writer.info('replication')),
  );
  expect(shard()?.queued).toBeLessThan(12 * MIB);
  await run.engine.dispatch({ type: 'resume', shards: 'all' });
  await isTold(run, /full sync/i);
  await run.caughtUp();
  expect(await writer.info('stats')).toMatch(/^sync_full:[23]\r$/m);
  expect((await run.stop()).outcome).toBe('completed');
  expect((await compare([source], [target], { sourceCluster: false, targetCluster: false })).differences).toEqual([]);
}, 90_000);

test('the source has room: it is held back while the queue is full, and goes on without a gap', async () => {
  const { source, target, run, writer, shard } = await pausedRun([
    '--client-output-buffer-limit',
    'replica',
    '0',
    '0',
    '0',
  ]);
  await write(writer, 30);
  await isTold(run, /^The queue of shard-0 is full: .* gives the link up in the end/);
  expect(shard()?.budget).toEqual({ isFull: true, secondsToFull: 0, secondsToFullSync: null });
  expect(shard()?.queued).toBeLessThan(12 * MIB);
  await run.engine.dispatch({ type: 'resume', shards: 'all' });
  await run.caughtUp();
  expect(shard()?.budget).toBeNull();
  expect(await writer.info('stats')).toMatch(/^sync_full:1\r$/m);
  expect((await run.stop()).outcome).toBe('completed');
  expect((await compare([source], [target], { sourceCluster: false, targetCluster: false })).differences).toEqual([]);
}, 90_000);
