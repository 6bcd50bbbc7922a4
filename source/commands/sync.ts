// `redferry sync`: settings -> engine -> screen, nothing else.
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeAddress } from '../config/address.ts';
import type { SyncCommand } from '../config/arguments.ts';
import { toPlace } from '../config/place.ts';
import { runLimits } from '../config/schema.ts';
import { settingsFrom } from '../config/settings-from.ts';
import { FerryEngine } from '../engine/ferry-engine.ts';
import { openRunLog } from '../telemetry/run-log.ts';
import { prepareRun } from './prepare-run.ts';
import { chooseOutput, showRun } from './show-run.ts';

/** A name for this run that sorts by time and that two runs do not share. */
export function newRunName(now: Date): string {
  const stamp = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${stamp}-${randomBytes(2).toString('hex')}`;
}

/** The log can not tell of itself that it is not written: the screen does. */
export function tellLogTrouble(engine: FerryEngine, sentence: string | null): void {
  if (sentence !== null) engine.report('error', sentence);
  else engine.report('info', 'The log file is written again.');
}

/** @returns the exit code. @throws FerryError for settings that can not be used. */
export async function sync(command: SyncCommand): Promise<number> {
  const { settings, warnings } = settingsFrom(command);
  const run = newRunName(new Date());
  const logFile = settings.log.file ?? join(tmpdir(), `redferry-${run}.log`);
  const log = openRunLog(logFile, {
    level: settings.log.level,
    keys: settings.log.keys,
    trouble: (sentence) => tellLogTrouble(engine, sentence),
  });
  const source = toPlace(settings.source);
  const target = toPlace(settings.target);
  const engine = new FerryEngine({
    run,
    source: describeAddress(settings.source.address),
    target: describeAddress(settings.target.address),
    prepare: (tell) => {
      for (const warning of warnings) tell('warn', warning);
      return prepareRun(
        {
          run,
          source,
          target,
          conflictPolicy: settings.conflict,
          asksOnConflict: false,
          keyless: settings.filter,
          limits: runLimits(settings),
          snapshotOnly: command.snapshotOnly,
          shards: settings.source.shards ?? null,
        },
        tell,
      );
    },
    onNotice: (notice) => log.notice(notice),
    onRefusals: (refusals) => log.refusals(refusals),
  });
  const startedAtMs = Date.now();
  engine.start();
  const exitCode = await showRun(engine, {
    output: chooseOutput(command),
    language: settings.interface.language,
    refreshHz: settings.interface.refreshHz,
    ascii: settings.interface.ascii ?? null,
    color: settings.interface.color ?? null,
    logFile,
  });
  log.close();
  const snapshot = engine.snapshot();
  // Not before the end: conf's when-exit answers a signal by sending it once more, which would end a drain half-way.
  const { recordRun } = await import('../config/recent-runs.ts');
  recordRun({
    run,
    startedAtMs,
    source: snapshot.source.address,
    target: snapshot.target.address,
    outcome: snapshot.result?.outcome ?? 'interrupted',
    exitCode,
  });
  return exitCode;
}
