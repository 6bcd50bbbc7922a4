// A seed is a plan: the same one whenever it is asked, another one for another seed, and only what the sides can have.
import { expect, test } from 'vitest';
import { FAULTS } from './faults.ts';
import { planFaults } from './plan.ts';
import { SCENARIOS, scenarioNamed } from './scenarios.ts';

const clusters = scenarioNamed('clusters');

test('a seed repeats its faults and differs from the next', () => {
  expect(planFaults(clusters, 7, 50)).toEqual(planFaults(clusters, 7, 50));
  expect(planFaults(clusters, 8, 50)).not.toEqual(planFaults(clusters, 7, 50));
  expect(planFaults(clusters, 7, 10)).toEqual(planFaults(clusters, 7, 50).slice(0, 10));
});

test('every scenario can be planned, within the bounds of its faults', () => {
  for (const scenario of SCENARIOS) {
    const plan = planFaults(scenario, 3, 200);
    expect(plan).toHaveLength(scenario.script?.length ?? 200);
    if (scenario.script !== undefined) continue;
    for (const { name, shard, holdMs } of plan) {
      const { side, holdMs: bounds } = FAULTS[name];
      expect(shard).toBeLessThan(scenario[side ?? 'target'].masters ?? 1);
      expect(holdMs).toBeGreaterThanOrEqual(bounds[0]);
      expect(holdMs).toBeLessThanOrEqual(bounds[1]);
    }
  }
});

test('two hundred faults of the long form meet every kind, and kill the engine inside some of them', () => {
  const plan = planFaults(clusters, 1, 200);
  const usual = Object.entries(FAULTS).filter(([, { weight }]) => weight > 0);
  expect(new Set(plan.map(({ name }) => name))).toEqual(new Set(usual.map(([name]) => name)));
  expect(plan.filter(({ crashInside }) => crashInside).length).toBeGreaterThan(10);
});

test('a fault that a scenario cannot have is refused by name', () => {
  const wrong = { ...clusters, source: { kind: 'standalone' } as const };
  expect(() => planFaults(wrong, 1, 1)).toThrow('scenario clusters cannot have source-failover');
});
