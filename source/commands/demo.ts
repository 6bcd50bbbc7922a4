// `redferry demo`: two clusters of real servers on loopback, data of every type, gentle live writes, and the sync between
// them. Without a terminal it goes the whole way by itself: full sync, stop the writes, lag 0, compare all keys.
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { toEndpoint } from '../config/endpoint.ts';
import type { DemoCommand } from '../config/parsed-command.ts';
import { defaultSettings, runLimits } from '../config/schema.ts';
import { type RunningCluster, startCluster, stopAll } from '../demo/local-servers.ts';
import { WriterProcess } from '../demo/writer-process.ts';
import type { Engine } from '../engine/contract/engine.ts';
import type { NoticeLevel } from '../engine/contract/notice.ts';
import { EXIT, FerryError, messageOf } from '../engine/errors.ts';
import { FerryEngine } from '../engine/ferry-engine.ts';
import type { RunPlan } from '../engine/run/run-plan.ts';
import { openRunLog } from '../telemetry/run-log.ts';
import type { Endpoint } from '../topology/endpoint.ts';
import { compareAll } from '../validation/full-compare.ts';
import type { CompareReport } from '../validation/report.ts';
import { prepareRun } from './prepare-run.ts';
import { chooseOutput, showRun } from './show-run.ts';
import { newRunName, tellLogTrouble } from './sync.ts';
import { validationSetup } from './validation-setup.ts';

const SEED = 20_261_121;
/** Expiries travel exactly; what is left is the two servers' own rounding. */
const TTL_TOLERANCE_MS = 5;

/** Nobody wants to watch a source wait 5 s for more replicas. */
const WITHOUT_DELAY = ['--repl-diskless-sync-delay', '0'];

/** How long every shard streams live writes before a demo without a terminal ends them. */
const STREAMED_MS = 3000;

const NAMES = { source: 'demo source', target: 'demo target' } as const;

interface Stage {
  source: RunningCluster | null;
  target: RunningCluster | null;
  writer: WriterProcess | null;
}

/** @returns the exit code: 0 when all went through and, without a terminal, all keys were equal. */
export async function demo(command: DemoCommand): Promise<number> {
  const stage: Stage = { source: null, target: null, writer: null };
  const run = newRunName(new Date());
  const logFile = join(tmpdir(), `redferry-${run}.log`);
  const log = openRunLog(logFile, {
    level: 'info',
    keys: 'plain',
    trouble: (sentence) => tellLogTrouble(engine, sentence),
  });
  const output = chooseOutput(command);
  const settings = defaultSettings();
  const engine = new FerryEngine({
    run,
    ...NAMES,
    validation: validationSetup({ run, names: NAMES, places: () => placesOf(stage) }, settings),
    prepare: (tell, stopped) => setTheStage(stage, command, run, tell, stopped),
    onNotice: (notice) => log.notice(notice),
    onRefusals: (refusals) => log.refusals(refusals),
  });
  try {
    engine.start();
    const comparing = output === 'screen' ? null : finishByItself(engine, stage, output === 'json');
    const exitCode = await showRun(engine, {
      output,
      language: command.language ?? settings.interface.language,
      refreshHz: settings.interface.refreshHz,
      ascii: null,
      color: null,
      logFile,
    });
    const report = await comparing;
    if (report === null) return exitCode;
    return exitCode === EXIT.completed && report.differences.length > 0 ? EXIT.different : exitCode;
  } finally {
    stage.writer?.end();
    await stopAll();
    log.close();
  }
}

/** The clusters as the settings of a run would name them. */
function placesOf({ source, target }: Stage): { readonly source: Endpoint; readonly target: Endpoint } {
  const settings = defaultSettings();
  const endpoint = (cluster: RunningCluster | null): Endpoint =>
    toEndpoint({ ...settings.source, address: `127.0.0.1:${cluster?.masters[0]?.port ?? 0}` });
  return { source: endpoint(source), target: endpoint(target) };
}

/** Servers, data and writes; then the plan for the sync between them. */
async function setTheStage(
  stage: Stage,
  command: DemoCommand,
  run: string,
  tell: (level: NoticeLevel, message: string) => void,
  stopped: () => boolean,
): Promise<RunPlan> {
  tell('info', `Starting two clusters of ${command.masters} masters each on this machine.`);
  try {
    [stage.source, stage.target] = await Promise.all([
      startCluster({ masters: command.masters, args: WITHOUT_DELAY }),
      startCluster({ masters: command.masters, args: WITHOUT_DELAY }),
    ]);
  } catch (error) {
    throw new FerryError(`The demo's servers did not start: ${messageOf(error)}`, { code: 'demo', cause: error });
  }
  const nodes = stage.source.masters.map(({ host, port }) => ({ host, port }));
  tell('info', `Filling the source with ${command.keys} keys of every type.`);
  stage.writer = new WriterProcess();
  await stage.writer.begin({ nodes, keys: command.keys, ratePerSecond: command.rate, seed: SEED });
  tell('info', `Writing to the source ${command.rate} times a second from now on.`);
  const settings = defaultSettings();
  return prepareRun(
    {
      run,
      ...placesOf(stage),
      conflictPolicy: settings.conflict,
      asksOnConflict: chooseOutput(command) === 'screen',
      keyless: settings.filter,
      exactlyOnce: settings.target.exactlyOnce,
      limits: { ...runLimits(settings), threads: availableParallelism() },
      snapshotOnly: false,
      resume: null,
      shards: null,
    },
    tell,
    stopped,
  );
}

/** Without a person: when every shard streams, end the writes, wait for lag 0, compare, stop. null when it came to nothing. */
async function finishByItself(engine: Engine, stage: Stage, json: boolean): Promise<CompareReport | null> {
  const reached = await until(engine, () => {
    const { shards, takenAtMs } = engine.snapshot();
    return (
      shards.length > 0 &&
      shards.every((shard) => shard.state === 'streaming' && takenAtMs - shard.stateSinceMs > STREAMED_MS)
    );
  });
  if (!reached || stage.writer === null || stage.source === null || stage.target === null) return null;
  await stage.writer.stop();
  const stoppedAtMs = Date.now();
  const drained = await until(engine, () => {
    const { shards, takenAtMs } = engine.snapshot();
    // The source is asked once a second how far it is: only a picture later than that knows of the last write.
    return takenAtMs > stoppedAtMs + 2500 && shards.every((shard) => shard.lagBytes === 0);
  });
  if (!drained) return null;
  const side = (cluster: RunningCluster) => ({
    addresses: cluster.masters.map(({ host, port }) => ({ host, port })),
    cluster: true,
  });
  const report = await compareAll({
    source: side(stage.source),
    target: side(stage.target),
    toleranceMs: TTL_TOLERANCE_MS,
  });
  // Before the run ends, since its result is the last line.
  tellReport(report, json);
  await engine.dispatch({ type: 'stop' });
  return report;
}

/** Resolves with true at the first picture that fulfils the condition, with false when the run ends before. */
function until(engine: Engine, condition: () => boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (reached: boolean): void => {
      unsubscribe();
      resolve(reached);
    };
    const unsubscribe = engine.subscribe(() => {
      if (engine.snapshot().phase === 'ended') settle(false);
      else if (condition()) settle(true);
    });
  });
}

function tellReport(report: CompareReport, json: boolean): void {
  const { checked, equal, differences, missing, extra, type, value, ttl, seconds } = report;
  if (json) {
    const outcome = differences.length === 0 ? 'equal' : 'different';
    process.stdout.write(
      `${JSON.stringify({ v: 1, event: 'compare', time: new Date().toISOString(), outcome, checked, equal, missing, extra, type, value, ttl, seconds })}\n`,
    );
    return;
  }
  process.stdout.write(
    differences.length === 0
      ? `All ${checked} keys are equal on both sides (compared in ${seconds.toFixed(1)} s).\n`
      : `${differences.length} of ${checked} keys differ: missing ${missing}, extra ${extra}, type ${type}, value ${value}, expiry ${ttl}.\n`,
  );
}
