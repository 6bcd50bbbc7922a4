// Comparing both sides while the run writes to one of them: what is planted is found and named, what is merely late is not,
// and the verdict stays beside the shard.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, type Redis } from 'ioredis';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import type { ValidationPicture } from '../../source/engine/contract/validation-picture.ts';
import { client } from '../support/client.ts';
import { LONG, shortOrLong } from '../support/long.ts';
import { endpointOf, type Migration, migrate } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const SAMPLE = { keys: 10_000, seed: 5 };
const EQUAL = shortOrLong(SAMPLE.keys, 1_000_000);

/** The picture of the comparison once it has ended. */
async function validated(run: Migration, size: string): Promise<ValidationPicture> {
  const asked = await run.engine.dispatch({ type: 'validate', size });
  expect(asked, asked.message).toMatchObject({ accepted: true });
  return ended(run);
}

function ended({ engine }: Migration): Promise<ValidationPicture> {
  return waitFor(
    () => {
      const { validation } = engine.snapshot();
      return validation !== null && validation.state !== 'running' && validation.state !== 'paused' && validation;
    },
    { deadlineMs: 60_000 + EQUAL / 5, what: 'the comparison to end' },
  );
}

function names({ differences }: ValidationPicture): string[] {
  return differences.map(({ key }) => Buffer.from(key, 'base64').toString()).sort();
}

test.each([false, true])(
  'under 10,000 writes a second planted faults are found, and nothing else (cluster: %s)',
  { timeout: 60_000 + EQUAL },
  async (cluster) => {
    const [from, to] = await Promise.all([
      cluster ? testCluster() : testServer().then((server) => ({ masters: [server] })),
      testCluster(),
    ]);
    const [source] = from.masters;
    const [target] = to.masters;
    if (source === undefined || target === undefined) throw new Error('no servers');
    await fillSample(from.masters, { ...SAMPLE, keys: EQUAL, cluster, databases: [0] });
    const run = migrate(endpointOf(source), endpointOf(target));
    const early = await run.engine.dispatch({ type: 'validate', size: 'full' });
    expect(early.accepted).toBe(false);
    await run.streaming();
    const theirs = new Cluster([{ host: target.host, port: target.port }]);
    onTestFinished(() => theirs.disconnect());
    const ours = cluster ? new Cluster([{ host: source.host, port: source.port }]) : client(source);
    onTestFinished(() => ours.disconnect());
    await ours.set('planted:missing', 'x');
    await ours.rpush('planted:list', 'a', 'b', 'c');
    await ours.set('planted:ttl', 'x');
    await run.caughtUp();
    await theirs.del('planted:missing');
    await theirs.rpop('planted:list');
    await theirs.expire('planted:ttl', 10_000);
    await theirs.set('planted:extra', 'x');

    const load = await startLoad(from.masters, {
      cluster,
      ratePerSecond: 10_000,
      seed: 2,
      keys: EQUAL,
      sampleSeed: SAMPLE.seed,
      databases: [0],
    });
    onTestFinished(async () => void (await load.stop()));
    const full = await validated(run, 'full');
    expect(full.verdict).toContain('4 differ');
    if (LONG) console.log(`cluster ${cluster}: ${full.verdict}`);
    expect(names(full)).toEqual(['planted:extra', 'planted:list', 'planted:missing', 'planted:ttl']);
    const list = full.differences.find(({ type }) => type === 'list');
    expect(list?.diff).toEqual([{ side: 'source', text: '2: "c"' }]);
    const written = await load.stop();
    expect(written.commands).toBeGreaterThan(5000);
    const { shards } = run.engine.snapshot();
    for (const { verified } of shards) expect(verified).toMatchObject({ stale: false });
    expect(shards.reduce((sum, { verified }) => sum + (verified?.different ?? 0), 0)).toBe(3);

    const sample = await validated(run, '100%');
    expect(names(sample)).toEqual(names(full));
    await run.stop();
  },
);

test('keys of a paused shard are late, not different; after it they are equal, and after the end of the run too', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const ours = client(source);
  for (let i = 0; i < 200; i++) await ours.set(`key:${i}`, 'old');
  const run = migrate(endpointOf(source), endpointOf(target));
  await run.streaming();
  await run.engine.dispatch({ type: 'pause', shards: 'all' });
  await waitFor(() => run.engine.snapshot().shards.every(({ paused }) => paused), { what: 'the pause' });
  await ours.set('key:7', 'new');
  const paused = await validated(run, 'full');
  expect(paused).toMatchObject({ outcome: 'equal', differences: [] });
  expect(paused.verdict).toContain('1 kept changing');
  await run.engine.dispatch({ type: 'resume', shards: 'all' });
  await run.caughtUp();
  expect((await validated(run, 'full')).verdict).toContain('All 200 keys checked, all equal.');
  await run.stop();
  expect(await validated(run, '50')).toMatchObject({ state: 'done', outcome: 'equal' });
});

test('a comparison is paused, held to a rate, cancelled; one goes on at a time', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  await fillSample([source], { ...SAMPLE, cluster: false });
  const run = migrate(endpointOf(source), endpointOf(target));
  await run.streaming();
  const { engine } = run;
  const state = () => engine.snapshot().validation?.state ?? null;
  expect(await engine.dispatch({ type: 'steer-validation', act: 'pause' })).toMatchObject({ accepted: false });
  expect(await engine.dispatch({ type: 'validate', size: 'all of it' })).toMatchObject({ accepted: false });
  await engine.dispatch({ type: 'validate', size: 'full' });
  await engine.dispatch({ type: 'set-validation-rate', keysPerSecond: 500 });
  expect(await engine.dispatch({ type: 'validate', size: 'full' })).toMatchObject({ accepted: false });
  await engine.dispatch({ type: 'steer-validation', act: 'pause' });
  expect(state()).toBe('paused');
  await engine.dispatch({ type: 'steer-validation', act: 'resume' });
  expect(engine.snapshot().validation).toMatchObject({ state: 'running', mostKeysPerSecond: 500 });
  await engine.dispatch({ type: 'steer-validation', act: 'cancel' });
  expect(await ended(run)).toMatchObject({ state: 'cancelled', outcome: null });
  expect(engine.snapshot().shards[0]?.verified).toBeNull();
  await run.stop();
});

/** Spoils the target's copy of what the test has written. */
async function plantOn(theirs: Redis): Promise<void> {
  await theirs.del('planted:missing', 'planted:type');
  await theirs.rpop('planted:list');
  await theirs.persist('planted:ttl');
  await theirs.set('planted:type', 'x');
  await theirs.set('planted:extra', 'x');
}

const journalLine = z.looseObject({ event: z.literal('repair'), stage: z.enum(['begun', 'repaired', 'left']) });

test.each(['while the run streams', 'after its end'])(
  'a repair makes them equal in the database they go to, verifies that and journals it, %s',
  async (when) => {
    const folder = mkdtempSync(join(tmpdir(), 'redferry-repair-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const cwd = vi.spyOn(process, 'cwd').mockReturnValue(folder);
    onTestFinished(() => cwd.mockRestore());
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [ours, theirs] = [client(source), client(target)];
    await theirs.select(3);
    const run = migrate(endpointOf(source), endpointOf(target), { databases: { 0: 3 } });
    await run.streaming();
    for (const key of ['planted:missing', 'planted:ttl', 'planted:type', 'planted:list']) await ours.set(key, 'before');
    await ours.del('planted:type', 'planted:list');
    await ours.rpush('planted:list', 'a', 'b', 'c');
    await ours.set('planted:ttl', 'x', 'EX', 5000);
    await ours.zadd('planted:type', '0.1', 'member');
    await run.caughtUp();
    await plantOn(theirs);
    if (when === 'after its end') await run.stop();
    const { engine } = run;
    const found = await validated(run, 'full');
    expect(names(found)).toEqual(['planted:extra', 'planted:list', 'planted:missing', 'planted:ttl', 'planted:type']);
    const repair = { type: 'repair-differences', kind: 'differing', keys: null } as const;
    expect(await engine.dispatch(repair, { client: 'test', confirmed: { target: 'another' } })).toMatchObject({
      accepted: false,
    });
    const repaired = await engine.dispatch(repair, { client: 'test', confirmed: { target: 'target' } });
    expect(repaired).toMatchObject({ accepted: true, message: '4 of 4 copied again and equal now.' });
    expect(await theirs.exists('planted:extra')).toBe(1);
    expect(engine.snapshot().shards[0]?.verified?.different).toBe(0);
    const extra = [{ database: 3, key: Buffer.from('planted:extra').toString('base64') }];
    const removed = await engine.dispatch({ ...repair, kind: 'extra', keys: extra });
    expect(removed).toMatchObject({ accepted: true });
    expect(engine.snapshot().validation?.differences.map(({ repair: state }) => state)).toEqual(
      Array(5).fill('repaired'),
    );
    expect(await validated(run, 'full')).toMatchObject({ outcome: 'equal', differences: [] });

    const [journal = ''] = readdirSync(folder).filter((name) => name.endsWith('-repairs.jsonl'));
    const lines = readFileSync(join(folder, journal), 'utf8')
      .trim()
      .split('\n')
      .map((line) => journalLine.parse(JSON.parse(line)));
    expect(lines.filter(({ stage }) => stage === 'begun')).toHaveLength(5);
    expect(lines.filter(({ stage }) => stage === 'repaired')).toHaveLength(5);
    if (when !== 'after its end') await run.stop();
  },
);

test('what was found is exported as JSON lines and as a page', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-export-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const cwd = vi.spyOn(process, 'cwd').mockReturnValue(folder);
  onTestFinished(() => cwd.mockRestore());
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const run = migrate(endpointOf(source), endpointOf(target));
  await run.streaming();
  expect(await run.engine.dispatch({ type: 'export-validation' })).toMatchObject({ accepted: false });
  await client(target).rpush('only-there', 'a', 'b');
  await validated(run, 'full');
  expect(await run.engine.dispatch({ type: 'export-validation' })).toMatchObject({ accepted: true });
  const files = readdirSync(folder).sort();
  expect(files.map((name) => name.replace(/^.*-validation/, ''))).toEqual(['-1.html', '-1.jsonl']);
  const [page = '', lines = ''] = files.map((name) => readFileSync(join(folder, name), 'utf8'));
  expect(page).toContain('only-there');
  expect(page).toContain('+ type list');
  expect(lines.trim().split('\n')).toHaveLength(2);
  await run.stop();
});
