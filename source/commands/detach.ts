// `redferry sync --detach`, the part of whoever types it: starts the run in a process of its own, waits until it is at work,
// and says how to reach it.
import { homedir } from 'node:os';
import { STANDARD_STREAM } from '../config/address.ts';
import { configError } from '../config/config-error.ts';
import { isFile, toPlace } from '../config/place.ts';
import type { Settings } from '../config/schema.ts';
import { startDetached } from '../control/detached-run.ts';
import { placeForSocket, runsFolder } from '../control/run-registry.ts';
import { EXIT, FerryError } from '../engine/errors.ts';
import { resultLines } from '../headless/result-lines.ts';
import { messagesFor } from '../ui/messages.ts';

export interface DetachOrder {
  readonly settings: Settings;
  readonly warnings: readonly string[];
  readonly run: string;
  readonly logFile: string;
}

/** @returns 0 when the run is at work, else the exit code with which it ended. @throws FerryError when it can not start. */
export async function detach({ settings, warnings, run, logFile }: DetachOrder): Promise<number> {
  for (const warning of warnings) process.stderr.write(`redferry: ${warning}\n`);
  for (const place of [toPlace(settings.source), toPlace(settings.target)]) {
    if (isFile(place) && place.paths.includes(STANDARD_STREAM)) {
      throw configError('A detached run has no standard input and output: name a file.');
    }
  }
  const program = process.argv[1];
  if (program === undefined) throw new FerryError('The file of this program is not known.', { code: 'control' });
  const start = await startDetached({
    order: { run, logFile, args: process.argv.slice(2).filter((word) => word !== '--detach') },
    program,
    socket: await placeForSocket(runsFolder(process.env, homedir()), run),
  });
  switch (start.kind) {
    case 'running':
      process.stdout.write(
        [
          `redferry: run ${run} goes on by itself (process ${start.pid})`,
          `  its screen  redferry attach ${run}`,
          `  its state   redferry status ${run}`,
          `  to stop it  redferry ctl stop --run ${run}`,
          `  its log     ${logFile}`,
          '',
        ].join('\n'),
      );
      return EXIT.completed;
    case 'ended':
      for (const line of resultLines(start.result, messagesFor(settings.interface.language))) {
        process.stdout.write(`${line}\n`);
      }
      process.stdout.write(`  its log     ${logFile}\n`);
      return start.exitCode;
    case 'failed':
      process.stderr.write(`${start.words || `redferry: The run ended before it began; its log is ${logFile}.`}\n`);
      return start.exitCode;
  }
}
