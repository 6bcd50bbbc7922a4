// One chaos run: both sides, the engine, the load, the planned faults one after another, and the comparison at the end.
// Everything that was started is stopped, however it ends.
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '../../source/demo/random.ts';
import { messageOf } from '../../source/engine/errors.ts';
import { waitFor } from '../support/wait.ts';
import { info } from './ask.ts';
import type { EngineUnderTest } from './engine.ts';
import type { Repair } from './fault.ts';
import { faultNamed } from './faults.ts';
import { Ferry } from './ferry.ts';
import type { LoadStats } from './load.ts';
import { LoadProcess } from './load-process.ts';
import type { ChaosLog } from './log.ts';
import { Mirror } from './mirror.ts';
import { NativeReplication } from './native.ts';
import { planFaults } from './plan.ts';
import type { PlannedFault, Scenario } from './scenario.ts';
import { Side } from './side.ts';
import { caughtUp, compareSides, differenceLines, differing } from './verdict.ts';

export interface RunOptions {
  readonly seed: number;
  /** Default: the scenario's own. */
  readonly faults?: number | undefined;
  readonly log: ChaosLog;
  /** How long differences may last while the engine still runs, milliseconds. */
  readonly settleMs?: number | undefined;
}

export interface ChaosResult {
  /** `failed`: the engine ended or did not come back, or the harness could not go on. */
  readonly verdict: 'equal' | 'different' | 'failed';
  /** What went wrong first; null when equal. */
  readonly reason: string | null;
  readonly differences: readonly string[];
  readonly keys: number;
  readonly faults: number;
  readonly load: LoadStats | null;
  /** Faults that could not be done, and left nothing behind. */
  readonly skipped: number;
  /** Snapshots that the source made since the engine first streamed; null where its own replicas ask for some too. */
  readonly fullSyncs: number | null;
  /** After each new start of the engine: how long until every shard of the source had answered its PSYNC. */
  readonly resumes: readonly Resume[];
  /** How long it took to stream again after each fault that was waited for, milliseconds. */
  readonly recoveryMs: readonly number[];
}

export interface Resume {
  readonly ms: number;
  readonly fullSyncs: number;
  readonly continuations: number;
  /** Another fault struck meanwhile: the time says nothing of the engine. */
  readonly disturbed: boolean;
}

const RECOVER_MS = 60_000;
const RESUME_MS = 20_000;

/** Never rejects. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<ChaosResult> {
  const run = new ChaosRun(scenario, options);
  try {
    return await run.go();
  } finally {
    await run.clear();
  }
}

class ChaosRun {
  readonly #scenario: Scenario;
  readonly #options: RunOptions;
  readonly #log: ChaosLog;
  readonly #recoveryMs: number[] = [];
  #sides: { readonly source: Side; readonly target: Side } | null = null;
  #engine: EngineUnderTest | null = null;
  #load: LoadProcess | null = null;
  #stats: LoadStats | null = null;
  readonly #resumes: Resume[] = [];
  /** Looks at resumes that go on beside the next fault. */
  readonly #watching = new Set<Promise<void>>();
  #faults = 0;
  #skipped = 0;
  #fullSyncsBefore = 0;

  constructor(scenario: Scenario, options: RunOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.#log = options.log;
  }

  async go(): Promise<ChaosResult> {
    const { seed } = this.#options;
    try {
      const plan = planFaults(this.#scenario, seed, this.#options.faults ?? this.#scenario.faultCount);
      this.#log.write('begin', { scenario: this.#scenario.name, seed, faults: plan.length });
      const [source, target] = await Promise.all([
        Side.start('source', this.#scenario.source),
        Side.start('target', this.#scenario.target),
      ]);
      this.#sides = { source, target };
      const engine = this.#makeEngine(source, target);
      this.#engine = engine;
      if (!engine.copies) await engine.start();
      this.#load = await LoadProcess.start({
        ...this.#scenario.load,
        nodes: source.direct,
        cluster: source.cluster,
        seed,
      });
      if (engine.copies) await engine.start();
      this.#fullSyncsBefore = (await syncCounts(source)).full;
      this.#log.write('streaming');
      await delay(this.#scenario.calmMs);
      for (const [index, planned] of plan.entries()) await this.#strike(index, planned, { source, target, engine });
      await delay(this.#scenario.calmMs);
      return await this.#judge({ source, target, engine });
    } catch (error) {
      this.#stats ??= (await this.#load?.stats().catch(() => null)) ?? null;
      return this.#result({ verdict: 'failed', reason: this.#engine?.failure ?? messageOf(error) });
    }
  }

  /** Stops everything of this run but the servers, which end with `stopAll`. */
  async clear(): Promise<void> {
    this.#load?.kill();
    await this.#engine?.dispose();
    for (const side of [this.#sides?.source, this.#sides?.target]) await side?.stop();
    await Promise.allSettled(this.#watching);
  }

  #makeEngine(source: Side, target: Side): EngineUnderTest {
    const { engine } = this.#scenario;
    switch (engine) {
      case 'redferry':
        return new Ferry({ source, target, log: this.#log, settings: this.#scenario.settings });
      case 'native':
        return new NativeReplication(source, target);
      case 'mirror':
        return new Mirror(source, target, 'none');
      case 'doubling':
      case 'losing':
        return new Mirror(source, target, engine);
    }
  }

  async #strike(index: number, planned: PlannedFault, parts: Parts): Promise<void> {
    const { engine, source, target } = parts;
    await delay(planned.gapMs);
    if (engine.failure !== null) throw new Error(engine.failure);
    const { name, shard, holdMs } = planned;
    const detail: Record<string, unknown> = { index, name, shard, holdMs, crashInside: planned.crashInside };
    const injectedAtMs = Date.now();
    let repair: Repair;
    try {
      repair = await faultNamed(name).inject({
        ...{ source, target, engine, shard },
        random: createRandom(planned.seed),
        tell: (more) => Object.assign(detail, more),
      });
    } catch (error) {
      this.#log.write('fault-skipped', { ...detail, reason: messageOf(error) });
      this.#skipped += 1;
      await Promise.all([source.waitUntilWhole(), target.waitUntilWhole()]);
      return;
    }
    this.#faults += 1;
    this.#log.write('fault', { ...detail, injectMs: Date.now() - injectedAtMs });
    await this.#hold(planned, engine);
    const resume = name === 'engine-kill' ? await this.#watchResume(source) : null;
    await repair();
    resume?.();
    const repairedAtMs = Date.now();
    this.#log.write('repaired', { index, name });
    if (planned.waitAfter) await this.#recover(index, repairedAtMs, engine);
  }

  async #hold({ holdMs, crashInside }: PlannedFault, engine: EngineUnderTest): Promise<void> {
    const program = engine.process;
    if (!crashInside || program === null) {
      await delay(holdMs);
      return;
    }
    await delay(holdMs / 3);
    await program.crash();
    this.#log.write('engine-killed');
    await delay(holdMs / 3);
    program.again();
    this.#log.write('engine-again');
    await delay(holdMs / 3);
    if (engine.failure !== null) throw new Error(engine.failure);
  }

  async #recover(index: number, repairedAtMs: number, engine: EngineUnderTest): Promise<void> {
    await waitFor(async () => engine.failure !== null || (await engine.streaming(repairedAtMs)), {
      what: `the engine to stream again after fault ${index}`,
      deadlineMs: RECOVER_MS,
      intervalMs: 20,
    });
    if (engine.failure !== null) throw new Error(engine.failure);
    const ms = Date.now() - repairedAtMs;
    this.#recoveryMs.push(ms);
    this.#log.write('recovered', { index, ms });
  }

  /** Gives what to call at the moment of the new start; it then looks at the source's counts beside everything else. */
  async #watchResume(source: Side): Promise<(() => void) | null> {
    if (hasReplicas(this.#scenario)) return null;
    const before = await syncCounts(source);
    return () => {
      const startedAtMs = Date.now();
      const faultsBefore = this.#faults;
      const watching: Promise<void> = waitFor(
        async () => {
          const now = await syncCounts(source);
          const resume = {
            ms: Date.now() - startedAtMs,
            fullSyncs: now.full - before.full,
            continuations: now.partial - before.partial,
            disturbed: this.#faults > faultsBefore,
          };
          if (resume.fullSyncs + resume.continuations < source.groups.length) return false;
          this.#resumes.push(resume);
          this.#log.write('resumed', resume);
          return true;
        },
        { what: 'the source to answer PSYNC', deadlineMs: RESUME_MS, intervalMs: 20 },
      )
        .catch((error: unknown) => this.#log.write('not-resumed', { reason: messageOf(error) }))
        .then(() => {
          this.#watching.delete(watching);
        });
      this.#watching.add(watching);
    };
  }

  async #judge({ source, target, engine }: Parts): Promise<ChaosResult> {
    await Promise.all(this.#watching);
    this.#stats = (await this.#load?.stop()) ?? null;
    this.#log.write('load-stopped', { ...this.#stats });
    await Promise.all([source.waitUntilWhole(), target.waitUntilWhole()]);
    await caughtUp(source, target, engine);
    // Once while it runs, since what it holds back or repairs needs it; and once for good.
    await compareSides(source, target, this.#options.settleMs);
    const fullSyncs = hasReplicas(this.#scenario) ? null : (await syncCounts(source)).full - this.#fullSyncsBefore;
    const wrongEnd = await engine.stop();
    const report = await compareSides(source, target, 0);
    const different = differing(report);
    const differences = differenceLines(report);
    this.#log.write('compared', { keys: report.checked, different, differences });
    const common = { keys: report.checked, fullSyncs, differences };
    if (different > 0) {
      const reason = `${different} of ${report.checked} keys differ`;
      return this.#result({ ...common, verdict: 'different', reason });
    }
    const wrong = wrongEnd ?? this.#outOfBounds(fullSyncs);
    if (wrong !== null) return this.#result({ ...common, verdict: 'failed', reason: wrong });
    return this.#result({ ...common, verdict: 'equal', reason: null });
  }

  #outOfBounds(fullSyncs: number | null): string | null {
    const { bounds } = this.#scenario;
    if (bounds === undefined) return null;
    if (fullSyncs !== null && fullSyncs > bounds.fullSyncs) {
      return `${fullSyncs} full syncs after the first, where ${bounds.fullSyncs} would do`;
    }
    const slowest = this.#resumes.reduce((most, { ms, disturbed }) => Math.max(most, disturbed ? 0 : ms), 0);
    return slowest > bounds.resumeMs ? `a new start took ${slowest} ms to go on` : null;
  }

  #result(end: Pick<ChaosResult, 'verdict' | 'reason'> & Partial<ChaosResult>): ChaosResult {
    const result: ChaosResult = {
      differences: [],
      keys: 0,
      fullSyncs: null,
      faults: this.#faults,
      skipped: this.#skipped,
      load: this.#stats,
      resumes: this.#resumes,
      recoveryMs: this.#recoveryMs,
      ...end,
    };
    this.#log.write('end', { ...result });
    return result;
  }
}

interface Parts {
  readonly source: Side;
  readonly target: Side;
  readonly engine: EngineUnderTest;
}

function hasReplicas({ source }: Scenario): boolean {
  return (source.replicas ?? 0) > 0;
}

/** How often the source's servers have answered PSYNC with a snapshot, and with a continuation. */
async function syncCounts(source: Side): Promise<{ readonly full: number; readonly partial: number }> {
  const all = await Promise.all(source.nodes.map(({ server }) => info(server, 'stats')));
  const sum = (field: string): number => all.reduce((total, fields) => total + Number(fields.get(field) ?? 0), 0);
  return { full: sum('sync_full'), partial: sum('sync_partial_ok') };
}
