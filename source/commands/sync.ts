// `redferry sync`: settings -> engine -> screen, nothing else.
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeAddress } from '../config/address.ts';
import type { SyncCommand } from '../config/parsed-command.ts';
import { toPlace } from '../config/place.ts';
import { runLimits, scanOrder, throttleSettings } from '../config/schema.ts';
import { settingsFrom } from '../config/settings-from.ts';
import type { DetachedOrder } from '../control/detached-run.ts';
import { runsFolder } from '../control/run-registry.ts';
import { ControlServer } from '../control/server.ts';
import type { EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import { EXIT, messageOf } from '../engine/errors.ts';
import { FerryEngine } from '../engine/ferry-engine.ts';
import { keyspaceFolder } from '../engine/run/keyspace-settings.ts';
import { resultLine } from '../headless/json-lines.ts';
import { type AuditFile, auditPath, openAuditFile } from '../telemetry/audit-file.ts';
import { ConflictLog } from '../telemetry/conflict-log.ts';
import { type KeyNames, resultWithoutKeys } from '../telemetry/hidden-keys.ts';
import { openRunLog } from '../telemetry/run-log.ts';
import { askResume } from './ask-resume.ts';
import { detach } from './detach.ts';
import { prepareRun } from './prepare-run.ts';
import { chooseOutput, showRun } from './show-run.ts';
import { validationSetup } from './validation-setup.ts';

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

function tellAuditTrouble(engine: FerryEngine, sentence: string | null): void {
  engine.report(sentence === null ? 'info' : 'error', sentence ?? 'The audit file is written again.');
}

function tellConflictTrouble(engine: FerryEngine, sentence: string | null): void {
  if (sentence !== null) engine.report('error', sentence);
  else engine.report('info', 'The file of conflicts is written again.');
}

/**
 * @param detached what this process is to do when `sync --detach` started it; null else.
 * @returns the exit code. @throws FerryError for settings that can not be used.
 */
export async function sync(command: SyncCommand, detached: DetachedOrder | null): Promise<number> {
  const { settings, warnings } = settingsFrom(command);
  const run = detached?.run ?? newRunName(new Date());
  const logFile = detached?.logFile ?? settings.log.file ?? join(tmpdir(), `redferry-${run}.log`);
  if (command.detach) return detach({ settings, warnings, run, logFile });
  const names = { source: describeAddress(settings.source.address), target: describeAddress(settings.target.address) };
  const screen = detached === null && chooseOutput(command) === 'screen';
  const choice =
    screen && command.resume === 'ask'
      ? await askResume({ names, language: settings.interface.language })
      : command.resume;
  if (choice === null) return EXIT.completed;
  const log = openRunLog(logFile, {
    level: settings.log.level,
    keys: settings.log.keys,
    trouble: (sentence) => tellLogTrouble(engine, sentence),
  });
  const conflicts = new ConflictLog({
    logFile,
    keys: settings.log.keys,
    trouble: (sentence) => tellConflictTrouble(engine, sentence),
  });
  const source = toPlace(settings.source);
  const target = toPlace(settings.target);
  const engine = new FerryEngine({
    run,
    ...names,
    validation: validationSetup({ run, names, places: () => ({ source, target }) }, settings),
    throttle: throttleSettings(settings),
    prepare: (tell, stopped) => {
      for (const warning of warnings) tell('warn', warning);
      control.catch((error: unknown) => tell('warn', `Nobody can attach to this run. ${messageOf(error)}`));
      return prepareRun(
        {
          run,
          source,
          target,
          conflictPolicy: settings.conflict,
          // A detached run has no screen yet, but being attached to is what it is for.
          asksOnConflict: detached !== null || chooseOutput(command) === 'screen',
          scan: scanOrder(settings),
          keyspace: {
            folder: keyspaceFolder(process.env, homedir()),
            restores: settings.source.scan.restoreEvents,
          },
          keyless: settings.filter,
          databases: settings.databases.map,
          exactlyOnce: settings.target.exactlyOnce,
          limits: runLimits(settings),
          snapshotOnly: command.snapshotOnly,
          resume: { names, choice, ...settings.resume },
          shards: settings.source.shards ?? null,
        },
        tell,
        stopped,
      );
    },
    onNotice: (notice) => log.notice(notice),
    onRefusals: (refusals) => log.refusals(refusals),
    onConflicts: (told) => conflicts.write(told),
    onAudit: (entry) => audit?.write(entry),
  });
  let audit: AuditFile | null = null;
  try {
    const path = settings.log.audit ?? auditPath();
    const { target } = names;
    const { keys } = settings.log;
    audit = await openAuditFile({ path, run, target, keys, trouble: (sentence) => tellAuditTrouble(engine, sentence) });
  } catch (error) {
    engine.report('warn', `Commands to this run are shown on its screen and nowhere written down. ${messageOf(error)}`);
  }
  const startedAtMs = Date.now();
  const control = ControlServer.open(engine, {
    run,
    folder: runsFolder(process.env, homedir()),
    ...names,
    logFile,
    startedAtMs,
  });
  // A run that nobody can reach is told so and goes on, unless being reached is all it was started for.
  if (detached !== null) await control;
  engine.start();
  const exitCode = await showRun(engine, {
    output: detached === null ? chooseOutput(command) : 'none',
    language: settings.interface.language,
    refreshHz: settings.interface.refreshHz,
    ascii: settings.interface.ascii ?? null,
    color: settings.interface.color ?? null,
    logFile,
    survivesHangup: true,
  });
  engine.close();
  const snapshot = engine.snapshot();
  await control.then(
    (server) => server.close(),
    () => {},
  );
  audit?.close();
  log.close();
  conflicts.close();
  logResult(logFile, snapshot, settings.log.keys);
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

/** The log file's last line is the `result` of the JSON lines: of a run that nobody watched it is the only place. */
function logResult(logFile: string, snapshot: EngineSnapshot, keys: KeyNames): void {
  const { result } = snapshot;
  if (result === null) return;
  try {
    appendFileSync(logFile, resultLine(snapshot, keys === 'hash' ? resultWithoutKeys(result) : result));
  } catch {
    // The disk is full: the exit code still tells, and so does the screen.
  }
}
