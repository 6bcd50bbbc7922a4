// Somebody sets the wall clock while a run is under way: rates, ages and lines go on as if nothing had happened.
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { steadyMs, wallMs } from '../../source/engine/steady-clock.ts';
import { runJson } from '../../source/headless/json-lines.ts';
import { endpointOf, migrate } from '../support/migration.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const HOUR_MS = 3_600_000;
const trueNow = Date.now;
let offMs = 0;

beforeEach(() => {
  vi.spyOn(Date, 'now').mockImplementation(() => trueNow() + offMs);
});
afterEach(() => {
  offMs = 0;
  vi.restoreAllMocks();
});

it('the steady clock does not see it, and what is shown follows the wall clock', () => {
  const before = steadyMs();
  const drift = Math.abs(wallMs(before) - trueNow());
  for (const step of [-HOUR_MS, HOUR_MS]) {
    offMs = step;
    const now = steadyMs();
    expect(now - before).toBeGreaterThanOrEqual(0);
    expect(now - before).toBeLessThan(HOUR_MS / 2);
    expect(Math.abs(wallMs(now) - (trueNow() + step))).toBeLessThan(drift + 1000);
  }
});

it.each([-HOUR_MS, HOUR_MS])('a step of %d ms during the stream', async (step) => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const redis = new Redis(source.port, source.host);
  onTestFinished(() => redis.disconnect());
  const run = migrate(endpointOf(source), endpointOf(target));
  const lines: string[] = [];
  const json = runJson(run.engine, (text) => lines.push(text));
  await run.streaming();

  offMs = step;
  const linesBefore = lines.length;
  const shard = () => run.engine.snapshot().shards[0];
  await waitFor(
    async () => {
      await redis.set('key', String(trueNow()));
      return (shard()?.opsPerSecond ?? 0) > 0;
    },
    { what: 'a rate to be told', deadlineMs: 10_000 },
  );
  await waitFor(() => lines.length >= linesBefore + 2, { what: 'lines to be written', deadlineMs: 10_000 });
  const { takenAtMs, startedAtMs } = run.engine.snapshot();
  const age = takenAtMs - (shard()?.stateSinceMs ?? 0);
  expect(age).toBeGreaterThanOrEqual(0);
  expect(age).toBeLessThan(60_000);
  expect(takenAtMs - startedAtMs).toBeLessThan(60_000);
  expect(shard()?.lagSeconds ?? 0).toBeLessThan(60);
  const result = await run.stop();
  await json;
  expect(result.seconds).toBeGreaterThanOrEqual(0);
  expect(result.seconds).toBeLessThan(60);
});
