// Rates on real servers: a shard keeps to its rate in the full sync and in the stream, says why, and nothing is lost.
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { RunSetup } from '../../source/commands/prepare-run.ts';
import { UNLIMITED } from '../../source/engine/rate/rate-gate.ts';
import { NO_THROTTLE, type ThrottleSettings } from '../../source/engine/rate/throttle.ts';
import type { ScanOrder } from '../../source/engine/run/shard-job.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, type Migration, migrate } from '../support/migration.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const MIB = 1024 * 1024;
const STANDALONE = { sourceCluster: false, targetCluster: false };

/** Keys of 1000 bytes each that do not get smaller in a snapshot. */
async function fill(redis: Redis, count: number): Promise<void> {
  const pipeline = redis.pipeline();
  for (let n = 0; n < count; n++) pipeline.set(`key:${n}`, randomBytes(1000));
  await pipeline.exec();
}

const SCAN: ScanOrder = {
  ...{ connections: 1, match: null, type: null, databases: null },
  ...{ keysPerSecond: null, bigValue: 8 * MIB, changes: 'none', sweeps: false },
};

async function begin(
  throttle: ThrottleSettings,
  keys: number,
  targetArgs: readonly string[] = [],
  more: Partial<RunSetup> = {},
) {
  const [source, target] = await Promise.all([testServer(), testServer({ args: targetArgs })]);
  const writer = client(source);
  if (keys > 0) await fill(writer, keys);
  return { source, target, writer, run: migrate(endpointOf(source), endpointOf(target), more, undefined, throttle) };
}

const shardOf = (run: Migration) => {
  const [shard] = run.engine.snapshot().shards;
  if (shard === undefined) throw new Error('there is no shard yet');
  return shard;
};

const throttledBy = (run: Migration, reason: RegExp) =>
  waitFor(() => run.engine.snapshot().shards.some(({ throttled }) => reason.test(throttled ?? '')), {
    what: `the reason ${reason}`,
  });

test('a full sync keeps to the rate of a window of the schedule, and goes on at once when a person lifts it', async () => {
  const rate = { bytesPerSecond: 1000, operationsPerSecond: null };
  // Two windows that are the whole day between them, so that one holds at any time.
  const windows = [
    { from: '00:00', to: '12:00' },
    { from: '12:00', to: '00:00' },
  ];
  const schedule = windows.map((window) => ({ ...window, bytesPerSecond: 2 * MIB, operationsPerSecond: null }));
  const { source, target, run } = await begin({ ...NO_THROTTLE, rate, schedule }, 12_000);
  await throttledBy(run, /^the schedule \(\d\d:00 to \d\d:00\) of 2mb\/s$/);
  await waitFor(() => shardOf(run).bytes.done > 2 * MIB, { what: 'the first 2 MB' });
  const [atMs, done] = [performance.now(), shardOf(run).bytes.done];
  await waitFor(() => shardOf(run).bytes.done > 6 * MIB, { what: 'the next 4 MB' });
  const perSecond = (shardOf(run).bytes.done - done) / ((performance.now() - atMs) / 1000);
  expect(perSecond / (2 * MIB)).toBeGreaterThan(0.6);
  expect(perSecond / (2 * MIB)).toBeLessThan(1.4);
  expect(shardOf(run).state).toBe('full-sync');
  const order = { client: 'test', confirmed: 'no' } as const;
  const command = { type: 'setRate', shards: 'all', rate: UNLIMITED } as const;
  // Faster is felt by the target: it takes a yes, slower does not.
  expect(await run.engine.dispatch(command, order)).toMatchObject({ accepted: false, needs: 'yes' });
  expect(await run.engine.dispatch(command, { ...order, confirmed: 'yes' })).toMatchObject({
    accepted: true,
    change: { from: '2mb/s', to: 'no limit' },
  });
  await run.streaming();
  expect(shardOf(run).throttled).toBeNull();
  expect((await run.stop()).outcome).toBe('completed');
  expect((await compare([source], [target], STANDALONE)).differences).toEqual([]);
});

test('a scan keeps to operations a second, and to bytes', async () => {
  const { source, target, run } = await begin(NO_THROTTLE, 6000, [], { scan: SCAN, snapshotOnly: true });
  const begunAtMs = performance.now();
  const rate = { bytesPerSecond: 2 * MIB, operationsPerSecond: 1500 };
  await run.engine.dispatch({ type: 'setRate', shards: 'all', rate });
  await throttledBy(run, /^the run's limit of 2mb\/s and 1500 op\/s$/);
  expect((await run.engine.ended).outcome).toBe('completed');
  const seconds = (performance.now() - begunAtMs) / 1000;
  expect(seconds).toBeGreaterThan(2.5);
  expect(seconds).toBeLessThan(9);
  expect((await compare([source], [target], STANDALONE)).differences).toEqual([]);
});

test('a stream keeps to operations a second of its own, across a change, and the queue takes the rest', async () => {
  const { source, target, writer, run } = await begin(NO_THROTTLE, 10);
  await run.streaming();
  const slow = { bytesPerSecond: null, operationsPerSecond: 1000 };
  const asked = await run.engine.dispatch({ type: 'setRate', shards: [0], rate: slow });
  expect(asked).toMatchObject({ accepted: true, change: { from: 'no limit', to: '1000 op/s' } });
  const pipeline = writer.pipeline();
  for (let n = 0; n < 12_000; n++) pipeline.incr(`count:${n % 50}`);
  await pipeline.exec();
  await throttledBy(run, /^the shard's limit of 1000 op\/s$/);
  // From one sample to another: what a picture shows may be as old as the last one.
  const shown = shardOf(run).commands;
  await waitFor(() => shardOf(run).commands > shown, { what: 'the next sample' });
  const [atMs, before] = [performance.now(), shardOf(run).commands];
  await waitFor(() => shardOf(run).commands > before + 3000, { what: '3000 more commands' });
  const perSecond = (shardOf(run).commands - before) / ((performance.now() - atMs) / 1000);
  expect(perSecond).toBeGreaterThan(600);
  expect(perSecond).toBeLessThan(1500);
  expect(shardOf(run).queued).toBeGreaterThan(0);
  await run.engine.dispatch({ type: 'setRate', shards: [0], rate: null });
  await run.caughtUp();
  expect(shardOf(run).throttled).toBeNull();
  expect((await run.stop()).outcome).toBe('completed');
  expect((await compare([source], [target], STANDALONE)).differences).toEqual([]);
});

test('a target that gets full is spared, by its name and figure, and filled when it has room again', async () => {
  const limits = { ...NO_THROTTLE, target: { latencyMs: null, memoryPercent: 50, cpuPercent: null } };
  const rate = { bytesPerSecond: 2 * MIB, operationsPerSecond: null };
  const { source, target, run } = await begin({ ...limits, rate }, 10_000, ['--maxmemory', '12mb']);
  await throttledBy(run, /^memory of target 127\.0\.0\.1:\d+ \d+ %, limit 50 %: at most 1kb\/s/);
  expect(run.engine.snapshot().rate.automatic).toMatch(/^memory of target/);
  const held = await client(target).dbsize();
  expect(held).toBeLessThan(9000);
  await client(target).config('SET', 'maxmemory', '100mb');
  await waitFor(() => shardOf(run).state === 'streaming', { what: 'the rest', deadlineMs: 50_000 });
  expect((await run.stop()).outcome).toBe('completed');
  expect((await compare([source], [target], STANDALONE)).differences).toEqual([]);
}, 60_000);
