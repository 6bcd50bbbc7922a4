// Which faults a seed gives: drawn before anything runs, so that a seed repeats its plan on any machine, however the
// servers fare. Only the moments within the run differ.
import { createRandom, type Random } from '../../source/demo/random.ts';
import { type FaultName, faultNamed } from './faults.ts';
import type { PlannedFault, Scenario } from './scenario.ts';

const GAP_MS = { least: 0, most: 1500 } as const;
/** How often the next fault waits until the engine streams again. */
const WAITING_SHARE = 0.7;
/** How often the engine is killed in the middle of another fault, where a scenario kills it at all. */
const CRASH_SHARE = 0.15;
const SEEDS = 2 ** 31;

/** @throws Error for a fault that the scenario's sides or engine cannot have. */
export function planFaults(scenario: Scenario, seed: number, count: number): readonly PlannedFault[] {
  if (scenario.script !== undefined) return scenario.script;
  const choices = Object.entries(scenario.faults).map(([name, weight]) => ({ name: name as FaultName, weight }));
  for (const { name } of choices) checkPossible(scenario, name);
  if (choices.length === 0) return [];
  const random = createRandom(seed);
  return Array.from({ length: count }, () => draw(scenario, choices, random));
}

/** A fault of a script, with nothing left to chance but what it chooses by itself. */
export function scripted(name: FaultName, more: Partial<PlannedFault> = {}): PlannedFault {
  return { name, shard: 0, holdMs: 0, gapMs: 500, waitAfter: true, crashInside: false, seed: 1, ...more };
}

interface Choice {
  readonly name: FaultName;
  readonly weight: number;
}

function draw(scenario: Scenario, choices: readonly Choice[], random: Random): PlannedFault {
  const { name } = weighted(choices, random);
  const fault = faultNamed(name);
  const [least, most] = fault.holdMs;
  const shape = scenario[fault.side ?? 'target'];
  // Every draw is made every time: the same seed stays the same faults when a probability changes.
  const shard = random.between(0, shape.masters ?? 1);
  const holdMs = random.between(least, most + 1);
  const gapMs = random.between(GAP_MS.least, GAP_MS.most);
  const waitAfter = random.next() < WAITING_SHARE;
  const crash = random.next() < CRASH_SHARE;
  const killed = fault.side !== null && scenario.faults['engine-kill'] !== undefined;
  return { name, shard, holdMs, gapMs, waitAfter, crashInside: crash && killed, seed: random.between(0, SEEDS) };
}

function weighted(choices: readonly Choice[], random: Random): Choice {
  const total = choices.reduce((sum, { weight }) => sum + weight, 0);
  let rest = random.next() * total;
  for (const choice of choices) {
    rest -= choice.weight;
    if (rest < 0) return choice;
  }
  const last = choices.at(-1);
  if (last === undefined) throw new Error('there is no fault to choose from');
  return last;
}

function checkPossible(scenario: Scenario, name: FaultName): void {
  const { needs, side } = faultNamed(name);
  const shape = scenario[side ?? 'target'];
  const missing =
    (needs === 'process' && scenario.engine !== 'redferry') ||
    ((needs === 'cluster' || needs === 'replicas') && shape.kind !== 'cluster') ||
    (needs === 'replicas' && (shape.replicas ?? 0) === 0);
  if (missing) throw new Error(`scenario ${scenario.name} cannot have ${name}: it needs ${needs}`);
}
