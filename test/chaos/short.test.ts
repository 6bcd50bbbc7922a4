// The chaos test's short form: few faults, and the servers' own replication
// under the same harness. REDFERRY_CHAOS_SEED names another seed. The long form is scripts/chaos.mjs; docs/chaos.md.
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { stopAll } from '../../source/demo/local-servers.ts';
import { ChaosLog } from './log.ts';
import { runScenario } from './run-scenario.ts';
import { SCENARIOS } from './scenarios.ts';

const SEED = Number(process.env['REDFERRY_CHAOS_SEED'] ?? 135);
const LIMIT_MS = 150_000;

afterEach(stopAll);

test.each(SCENARIOS.filter(({ short }) => short).map((scenario) => [scenario.name, scenario] as const))(
  '%s ends with every key equal',
  async (name, scenario) => {
    const file = fileURLToPath(new URL(`../../.cache/chaos/short-${name}.jsonl`, import.meta.url));
    const result = await runScenario(scenario, { seed: SEED, log: new ChaosLog(file) });
    expect(result, `the log is in ${file}`).toMatchObject({
      verdict: 'equal',
      reason: null,
      differences: [],
      skipped: 0,
    });
    expect(result.faults).toBe(scenario.faultCount);
    expect(result.keys).toBeGreaterThan(100);
    expect(result.load?.written).toBeGreaterThan(1000);
    // The load's own mistakes would make a test of nothing.
    expect(Object.keys(result.load?.errors ?? {})).not.toContain('WRONGTYPE');
    expect(Object.keys(result.load?.errors ?? {})).not.toContain('ERR');
  },
  LIMIT_MS,
);
