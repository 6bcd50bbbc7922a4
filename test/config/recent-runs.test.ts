import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { recentRuns, recordRun } from '../../source/config/recent-runs.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'redferry-runs-'));
  vi.stubEnv('REDFERRY_STATE_DIR', directory);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

const run = (number: number) => ({
  run: `run-${number}`,
  startedAtMs: number,
  source: 'redis://u:geheim@a:1',
  target: 'b:2',
  outcome: 'completed',
  exitCode: 0,
});

test('keeps the newest twenty, newest first, without secrets, for its owner only', () => {
  for (let number = 1; number <= 25; number++) expect(recordRun(run(number))).toBe(true);
  const kept = recentRuns();
  expect(kept).toHaveLength(20);
  expect(kept[0]).toEqual({ ...run(25), source: 'redis://a:1' });
  expect(kept.at(-1)?.run).toBe('run-6');
  const [name = ''] = readdirSync(directory);
  expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
});

test('a broken file is replaced', () => {
  writeFileSync(join(directory, 'recent-runs.json'), '{"runs": [');
  expect(recentRuns()).toEqual([]);
  expect(recordRun(run(1))).toBe(true);
  expect(recentRuns()).toHaveLength(1);
});

test('a place that cannot be written breaks nothing', () => {
  writeFileSync(join(directory, 'file'), '');
  vi.stubEnv('REDFERRY_STATE_DIR', join(directory, 'file', 'below'));
  expect(recordRun(run(1))).toBe(false);
  expect(recentRuns()).toEqual([]);
});
