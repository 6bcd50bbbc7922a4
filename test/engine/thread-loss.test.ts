// A worker thread that throws: its shard goes on on another thread and ends equal, the other shards never notice, and a
// thread that cannot be replaced ends its shard with a sentence.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import { TEST_WORKER } from '../support/global-setup.ts';
import { compare, endpointOf, migrate, TEST_LIMITS } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

/** The real worker with a mistake in it: a thread that is told to resume a shard throws. */
function brokenWorker(): URL {
  const directory = mkdtempSync(join(tmpdir(), 'redferry-broken-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'worker.mjs');
  writeFileSync(
    file,
    `import ${JSON.stringify(TEST_WORKER.href)};
import { parentPort } from 'node:worker_threads';
parentPort.on('message', ({ type }) => {
  if (type === 'resume') throw new Error('a mistake of ours');
});
`,
  );
  return pathToFileURL(file);
}

const SAMPLE = { keys: 2000, seed: 31, databases: [0] };

describe('a worker thread that throws', () => {
  it('is replaced: its shard begins anew, the other one streams on, and both end equal', async () => {
    const source = await testCluster({ masters: 3 });
    const target = await testServer();
    await fillSample(source.masters, { ...SAMPLE, cluster: true });
    const [first] = source.masters;
    if (first === undefined) throw new Error('the cluster has no master');
    const run = migrate(endpointOf(first), endpointOf(target), {}, brokenWorker());
    await run.streaming();
    const load = await startLoad(source.masters, { ...SAMPLE, cluster: true, ratePerSecond: 1000 });
    const before = run.engine.snapshot().shards;
    await run.engine.dispatch({ type: 'resume', shards: [1] });
    await waitFor(() => run.notices.some(({ message }) => message.includes('on another thread')), { what: 'a notice' });
    expect(run.notices.find(({ message }) => message.includes('another thread'))?.message).toContain(
      'a mistake of ours',
    );
    await run.streaming();
    await waitFor(() => load.stats().commands > 3000, { what: 'writes', deadlineMs: 20_000 });
    await load.stop();
    await run.caughtUp();
    const after = run.engine.snapshot().shards;
    // Two threads for three shards: 0 and 2 share one.
    for (const other of [0, 2]) expect(after[other]?.stateSinceMs).toBe(before[other]?.stateSinceMs);
    expect(after[1]?.stateSinceMs).toBeGreaterThan(before[1]?.stateSinceMs ?? 0);
    const report = await compare(source.masters, [target], { sourceCluster: true, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });

  it('ends its shard with a sentence where it is not known what the target held before, and acknowledges nothing that was not written', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [source, target].map(({ port, host }) => new Redis(port, host));
    onTestFinished(() => {
      from?.disconnect();
      to?.disconnect();
    });
    await to?.set('kept', 'from before');
    await from?.set('key', 1);
    const spoolDirectory = mkdtempSync(join(tmpdir(), 'redferry-spool-'));
    onTestFinished(() => rmSync(spoolDirectory, { recursive: true, force: true }));
    const limits = { ...TEST_LIMITS, spoolDirectory };
    const run = migrate(endpointOf(source), endpointOf(target), { conflictPolicy: 'ignore', limits }, brokenWorker());
    await run.streaming();
    for (const noted of readdirSync(spoolDirectory)) rmSync(join(spoolDirectory, noted), { recursive: true });
    await run.engine.dispatch({ type: 'pause', shards: 'all' });
    await waitFor(() => run.engine.snapshot().shards[0]?.paused, { what: 'the pause' });
    const written = Number((await from?.info('replication'))?.match(/master_repl_offset:(\d+)/)?.[1]);
    await from?.set('behind', 'the pause');
    await run.engine.dispatch({ type: 'resume', shards: 'all' });
    const result = await run.engine.ended;
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 1 });
    expect(result.message).toMatch(/worker thread of this shard died \(a mistake of ours\)/);
    expect(result.message).toMatch(/Empty the target/);
    expect(result.shards[0]?.offset.applied).toBeLessThanOrEqual(written);
    expect(await to?.get('kept')).toBe('from before');
  });

  it('is not replaced for ever', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const run = migrate(endpointOf(source), endpointOf(target), {}, brokenWorker());
    for (let losses = 1; losses <= 3; losses++) {
      await run.streaming();
      await run.engine.dispatch({ type: 'resume', shards: 'all' });
      const seen = (): number => run.notices.filter(({ message }) => message.includes('on another thread')).length;
      await waitFor(() => seen() === losses, { what: `thread ${losses + 1}` });
    }
    await run.streaming();
    await run.engine.dispatch({ type: 'resume', shards: 'all' });
    const result = await run.engine.ended;
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 1 });
    expect(result.message).toContain('4 threads have died on it');
  });
});
