// The long form, started by scripts/chaos.mjs: one scenario, one seed, so many faults, the log kept, a verdict at the end.
// Exit codes: 0 equal, 4 keys differ, 1 anything else that is wrong, 2 usage, 130 interrupted.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { stopAll } from '../../source/demo/local-servers.ts';
import { messageOf } from '../../source/engine/errors.ts';
import { FAULTS, type FaultName } from './faults.ts';
import { ChaosLog } from './log.ts';
import { type ChaosResult, runScenario } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS, scenarioNamed } from './scenarios.ts';

const USAGE = `npm run chaos -- [--scenario NAME] [--seed N] [--faults N] [--only FAULT,FAULT] [--minutes N] [--log FILE]
npm run chaos -- --list
`;
const LOG_FOLDER = fileURLToPath(new URL('../../.cache/chaos', import.meta.url));
const DEFAULT_SCENARIO = 'clusters';
/** A fault, its repair, the way back and the pause behind it, at the longest that is still no failure. */
const SECONDS_A_FAULT = 15;
const SECONDS_AROUND = 300;
const EXIT = { equal: 0, failed: 1, usage: 2, different: 4, interrupted: 130 } as const;

interface Order {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly faults: number;
  readonly seconds: number;
  readonly logFile: string;
  /** The arguments that repeat it. */
  readonly again: string;
}

async function main(): Promise<number> {
  const order = readOrder(process.argv.slice(2));
  if (order === null) return EXIT.equal;
  const { scenario, seed, faults, seconds, logFile } = order;
  const log = new ChaosLog(logFile, tell);
  say(`scenario ${scenario.name}, seed ${seed}, ${faults} faults, at most ${Math.ceil(seconds / 60)} minutes`);
  say(`log ${logFile}`);
  // What was started is ended by its own clean-up when this process ends, however it does.
  const leave = (why: string, exitCode: number): void => {
    log.write('end', { verdict: 'failed', reason: why });
    say(`FAILED: ${why}`);
    process.exit(exitCode);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => leave(signal, EXIT.interrupted));
  const timer = setTimeout(() => leave(`not done within ${seconds} s`, EXIT.failed), seconds * 1000);
  const result = await runScenario(scenario, { seed, faults, log });
  clearTimeout(timer);
  await stopAll();
  report(result);
  say(`again with: npm run chaos -- ${order.again}`);
  return EXIT[result.verdict];
}

/** null when the list was asked for. @throws Error for what cannot be read. */
function readOrder(args: readonly string[]): Order | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string', default: DEFAULT_SCENARIO },
      seed: { type: 'string' },
      faults: { type: 'string' },
      only: { type: 'string' },
      minutes: { type: 'string' },
      log: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  });
  if (values.list) {
    for (const { name, faultCount } of SCENARIOS) say(`${name} (${faultCount})`);
    return null;
  }
  const scenario = withOnly(scenarioNamed(values.scenario), values.only);
  const seed = wholeNumber('seed', values.seed) ?? Date.now() % 1_000_000;
  const faults = scenario.script?.length ?? wholeNumber('faults', values.faults) ?? scenario.faultCount;
  const minutes = wholeNumber('minutes', values.minutes);
  const only = values.only === undefined ? '' : ` --only ${values.only}`;
  const stamp = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
  return {
    scenario,
    seed,
    faults,
    again: `--scenario ${scenario.name} --seed ${seed} --faults ${faults}${only}`,
    seconds: minutes === null ? SECONDS_AROUND + faults * SECONDS_A_FAULT : minutes * 60,
    logFile: values.log ?? join(LOG_FOLDER, `${scenario.name}-${seed}-${stamp}.jsonl`),
  };
}

/** The same scenario with these faults alone, equally often: for looking at one of them. */
function withOnly(scenario: Scenario, only: string | undefined): Scenario {
  if (only === undefined) return scenario;
  const faults = Object.fromEntries(only.split(',').map((name) => [faultName(name), 1]));
  return { ...scenario, faults, script: undefined };
}

function faultName(text: string): FaultName {
  if (Object.hasOwn(FAULTS, text)) return text as FaultName;
  throw new Error(`there is no fault ${text}; there are ${Object.keys(FAULTS).join(', ')}`);
}

function wholeNumber(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error(`--${name} takes a whole number`);
}

/** What of the log is worth a line while one waits. */
function tell(event: string, detail: object): void {
  const shown = ['streaming', 'fault', 'fault-skipped', 'recovered', 'resumed', 'engine-ended', 'load-stopped'];
  if (shown.includes(event)) say(`  ${event} ${JSON.stringify(detail)}`);
}

function report(result: ChaosResult): void {
  const { verdict, reason, differences, keys, faults, skipped, fullSyncs, recoveryMs, resumes, load } = result;
  for (const difference of differences) say(`  ${difference}`);
  const recovered = recoveryMs.toSorted((a, b) => a - b);
  const resumed = resumes.map(({ ms }) => ms).sort((a, b) => a - b);
  say(`${faults} faults (${skipped} not possible), ${keys} keys compared, ${load?.written ?? 0} units written`);
  say(`streaming again after ms: median ${middle(recovered)}, longest ${recovered.at(-1) ?? '-'}`);
  say(`continued after a kill after ms: median ${middle(resumed)}, longest ${resumed.at(-1) ?? '-'}`);
  if (fullSyncs !== null) say(`full syncs after the first: ${fullSyncs}`);
  say(verdict === 'equal' ? 'EQUAL' : `${verdict.toUpperCase()}: ${reason}`);
}

function middle(sorted: readonly number[]): number | '-' {
  return sorted[Math.floor(sorted.length / 2)] ?? '-';
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

main().then(
  (exitCode) => process.exit(exitCode),
  (error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n${USAGE}`);
    process.exit(EXIT.usage);
  },
);
