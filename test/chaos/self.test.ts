// The harness must be able to fail: an engine that doubles or loses one increment in fifty is found out, and one that
// does neither passes in the same way.
import { afterEach, expect, test } from 'vitest';
import { stopAll } from '../../source/demo/local-servers.ts';
import { ChaosLog } from './log.ts';
import { parseMonitorLine } from './mirror.ts';
import { type ChaosResult, runScenario } from './run-scenario.ts';
import type { EngineName, Scenario } from './scenario.ts';

afterEach(stopAll);

const LIMIT_MS = 90_000;

function withEngine(engine: EngineName, more: Partial<Scenario> = {}): Promise<ChaosResult> {
  const scenario: Scenario = {
    name: `self-${engine}`,
    engine,
    source: { kind: 'standalone' },
    target: { kind: 'standalone' },
    load: {
      ratePerSecond: 1000,
      tags: 10,
      constantShare: 0.3,
      // What MONITOR shows of these is what they did.
      kinds: ['incr', 'append', 'lpush', 'rpop', 'rename fill', 'rename', 'sadd', 'hincrby', 'multi', 'set', 'hset'],
      databases: [0, 5],
    },
    faults: {},
    faultCount: 0,
    calmMs: 700,
    short: true,
    ...more,
  };
  return runScenario(scenario, { seed: 1, log: new ChaosLog(null), settleMs: 500 });
}

test(
  'an engine that forwards everything once is equal',
  async () => {
    expect(await withEngine('mirror')).toMatchObject({ verdict: 'equal', reason: null });
  },
  LIMIT_MS,
);

test.each(['doubling', 'losing'] as const)(
  'an engine that is %s is different, and the keys are named',
  async (engine) => {
    const result = await withEngine(engine);
    expect(result.verdict).toBe('different');
    expect(result.reason).toMatch(/^\d+ of \d+ keys differ$/);
    expect(result.differences.join('\n')).toMatch(/db [05] chaos:\{\d+\}:(both:)?counter: value/);
    // Only increments were wrong.
    for (const line of result.differences) expect(line).toMatch(/counter: value/);
  },
  LIMIT_MS,
);

test(
  'a target that lost its data and an engine that does not notice are different',
  async () => {
    const forgets = { 'target-restart-empty': 1 };
    const result = await withEngine('mirror', { faults: forgets, faultCount: 1 });
    expect(result.verdict).not.toBe('equal');
  },
  LIMIT_MS,
);

test('a MONITOR line gives the command back as it was sent', () => {
  expect(parseMonitorLine('+OK')).toBeNull();
  expect(parseMonitorLine(String.raw`1700000000.123456 [3 127.0.0.1:99] "set" "a \"b\" \\ \n" "\x41\x00"`)).toEqual({
    database: 3,
    command: ['set', 'a "b" \\ \n', 'A\0'],
  });
});
