// A shard in trouble: copied anew, begun once more after a failure, skipped; the others go on meanwhile.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import type { EngineCommand } from '../../source/engine/contract/command.ts';
import type { Order } from '../../source/engine/contract/order.ts';
import { EXIT } from '../../source/engine/errors.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, type Migration, migrate, TEST_LIMITS } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

const BOTH = { sourceCluster: true, targetCluster: true };

async function startClusters() {
  const [source, target] = await Promise.all([testCluster(), testCluster()]);
  await fillSample(source.masters, { keys: 2000, cluster: true, seed: 3 });
  const [from, to] = [source.masters[0], target.masters[0]];
  if (from === undefined || to === undefined) throw new Error('no node');
  const run = migrate(endpointOf(from), endpointOf(to));
  await run.streaming();
  return { source, target, run };
}

const stateOf = (run: Migration, shard: number) => run.engine.snapshot().shards[shard]?.state;
const untilState = (run: Migration, shard: number, state: string) =>
  waitFor(() => stateOf(run, shard) === state, { what: `shard-${shard} to be ${state}`, deadlineMs: 40_000 });
const ask = (run: Migration, command: EngineCommand, confirmed: Order['confirmed'] = 'no') =>
  run.engine.dispatch(command, { client: 'test', confirmed });

test('a shard is copied anew after a yes, and the others do not notice', async () => {
  const { source, target, run } = await startClusters();
  const since = run.engine.snapshot().shards.map(({ stateSinceMs }) => stateSinceMs);
  const restart: EngineCommand = { type: 'restartShard', shard: 1 };
  expect(await ask(run, restart)).toMatchObject({ accepted: false, needs: 'yes' });
  expect(await ask(run, restart, 'yes')).toMatchObject({
    accepted: true,
    change: { from: 'streaming', to: 'retrying' },
  });
  await waitFor(() => (run.engine.snapshot().shards[1]?.stateSinceMs ?? 0) > (since[1] ?? 0), {
    what: 'a new beginning',
  });
  await run.streaming();
  const after = run.engine.snapshot().shards.map(({ stateSinceMs }) => stateSinceMs);
  expect(after[0]).toBe(since[0]);
  expect(after[1]).toBeGreaterThan(since[1] ?? 0);
  expect(after[2]).toBe(since[2]);
  expect(run.notices.some(({ message }) => /keys of the attempt before were taken off/.test(message))).toBe(true);
  expect(await ask(run, { type: 'retryShard', shard: 1 })).toMatchObject({
    accepted: false,
    message: 'shard-1 does not wait for another attempt: it is streaming.',
  });
  expect((await run.stop()).outcome).toBe('completed');
  expect((await compare(source.masters, target.masters, BOTH)).differences).toEqual([]);
}, 90_000);

test('a shard that tries in vain is skipped, and looks like it from then on', async () => {
  const [source, target] = [await testServer(), await testServer()];
  const run = migrate(endpointOf(source), endpointOf(target));
  await run.streaming();
  await source.stop();
  await untilState(run, 0, 'retrying');
  const skip: EngineCommand = { type: 'skipShard', shard: 0 };
  expect(await ask(run, skip, { target: 'target' })).toMatchObject({ accepted: true });
  const result = await run.engine.ended;
  expect(result).toMatchObject({ outcome: 'completed', exitCode: EXIT.refusals });
  const [shard] = run.engine.snapshot().shards;
  expect(shard).toMatchObject({ state: 'failed', waitingFor: null, lastError: expect.stringMatching(/^skipped: \S/) });
  expect(result.shards[0]).toMatchObject({ state: 'failed', error: shard?.lastError });
}, 60_000);

test('a shard is not copied anew by hand where it is not known what the target held before, and one that works is not skipped', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  await client(target).set('theirs', '1');
  const spoolDirectory = mkdtempSync(join(tmpdir(), 'redferry-spool-'));
  onTestFinished(() => rmSync(spoolDirectory, { recursive: true, force: true }));
  const limits = { ...TEST_LIMITS, spoolDirectory };
  const run = migrate(endpointOf(source), endpointOf(target), { conflictPolicy: 'ignore', limits });
  await run.streaming();
  for (const noted of readdirSync(spoolDirectory)) rmSync(join(spoolDirectory, noted), { recursive: true });
  expect(await ask(run, { type: 'restartShard', shard: 0 }, 'yes')).toMatchObject({
    accepted: false,
    message: expect.stringContaining('held keys before this run'),
  });
  expect(await ask(run, { type: 'skipShard', shard: 0 }, { target: 'target' })).toMatchObject({ accepted: false });
  expect(await ask(run, { type: 'skipShard', shard: 9 }, { target: 'target' })).toMatchObject({
    message: 'There is no such shard.',
  });
  expect((await run.stop()).outcome).toBe('completed');
}, 60_000);

test('a shard that waits for its source tries again at once when it is told to', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const proxy = await startTcpProxy(source);
  onTestFinished(() => proxy.stop());
  const run = migrate(endpointOf(proxy), endpointOf(target));
  await run.streaming();
  proxy.refuse(true);
  proxy.cut();
  // The waits get longer: this one is so long that what follows is no accident.
  await waitFor(() => /^next attempt in ([89]|\d\d) s/.test(run.engine.snapshot().shards[0]?.waitingFor ?? ''), {
    what: 'a long wait',
    deadlineMs: 40_000,
  });
  proxy.refuse(false);
  const askedAtMs = performance.now();
  expect(await ask(run, { type: 'retryShard', shard: 0 })).toMatchObject({
    accepted: true,
    message: 'shard-0 tries again now.',
  });
  await untilState(run, 0, 'streaming');
  expect(performance.now() - askedAtMs).toBeLessThan(4000);
  expect((await run.stop()).outcome).toBe('completed');
}, 60_000);
