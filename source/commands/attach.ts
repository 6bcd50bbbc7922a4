// `redferry attach`: the screen of a run that another process does. Leaving it leaves the run alone.
import { homedir } from 'node:os';
import type { AttachCommand } from '../config/control-arguments.ts';
import { defaultSettings } from '../config/schema.ts';
import { chooseRun } from '../control/choose-run.ts';
import { clientName } from '../control/client-name.ts';
import { RemoteEngine } from '../control/remote-engine.ts';
import { runsFolder } from '../control/run-registry.ts';
import { EXIT } from '../engine/errors.ts';
import { runPlain } from '../headless/plain-lines.ts';
import { resultLines } from '../headless/result-lines.ts';
import { messagesFor } from '../ui/messages.ts';
import { chooseOutput } from './show-run.ts';

/** @returns 0 when it was left, the run's exit code when the run ended meanwhile. @throws FerryError when there is no run. */
export async function attach(command: AttachCommand): Promise<number> {
  const record = await chooseRun(runsFolder(process.env, homedir()), command.run);
  const settings = defaultSettings().interface;
  const language = command.language ?? settings.language;
  const engine = await RemoteEngine.open(record, { client: clientName('attach'), readOnly: command.readOnly });
  const print = (text: string): void => {
    process.stdout.write(text);
  };
  process.stdout.on('error', () => {});
  if (chooseOutput({ headless: false, json: false }) !== 'screen') {
    return (await runPlain(engine, { write: print, language })).exitCode;
  }
  // Ink and React are loaded only by who sees them.
  const { runScreen } = await import('../ui/run-screen.tsx');
  const end = await runScreen(engine, {
    language,
    refreshHz: settings.refreshHz,
    logFile: record.logFile,
    leaveWhenEnded: false,
    isAttached: true,
    readOnly: command.readOnly,
    ...(settings.ascii === undefined ? {} : { ascii: settings.ascii }),
    ...(settings.color === undefined ? {} : { color: settings.color }),
  });
  const { result } = engine.snapshot();
  engine.close();
  if (end === 'abandoned' || result === null) {
    print(`redferry: left the screen; run ${record.run} goes on (redferry attach ${record.run})\n`);
    return EXIT.completed;
  }
  for (const line of resultLines(result, messagesFor(language))) print(`${line}\n`);
  return result.exitCode;
}
