// `redferry status`: one picture of a run that is going on, or which runs there are.
import { homedir } from 'node:os';
import type { StatusCommand } from '../config/control-arguments.ts';
import { systemLanguage } from '../config/language.ts';
import { chooseRun, runsGoingOn } from '../control/choose-run.ts';
import { clientName } from '../control/client-name.ts';
import { ControlLink } from '../control/control-link.ts';
import { type RunRecord, runsFolder } from '../control/run-registry.ts';
import { EXIT } from '../engine/errors.ts';
import { statusLine } from '../headless/json-lines.ts';
import { statusLines } from '../headless/plain-lines.ts';
import { resultLines } from '../headless/result-lines.ts';
import { printable } from '../ui/cell-width.ts';
import { messagesFor } from '../ui/messages.ts';

/** @returns 0. @throws FerryError (exit code 1) when there is no such run or it does not answer. */
export async function status({ run, json, language }: StatusCommand): Promise<number> {
  const folder = runsFolder(process.env, homedir());
  const runs = run === null ? await runsGoingOn(folder) : [];
  if (runs.length > 1) {
    for (const line of json ? [runsJson(runs)] : runs.map(runLine)) process.stdout.write(`${line}\n`);
    return EXIT.completed;
  }
  const record = await chooseRun(folder, run);
  const { link } = await ControlLink.open(record.socket, {
    client: clientName('status'),
    onSnapshot: () => {},
    onClosed: () => {},
  });
  const snapshot = await link.snapshot().finally(() => link.close());
  if (json) {
    process.stdout.write(statusLine(snapshot));
    return EXIT.completed;
  }
  const messages = messagesFor(language ?? systemLanguage(process.env));
  const lines = [
    `redferry: run ${record.run}, process ${record.pid}${record.logFile === null ? '' : `, ${messages.logFile(record.logFile)}`}`,
    ...statusLines(snapshot, messages),
    // It has ended, and somebody still looks at its screen.
    ...(snapshot.result === null ? [] : resultLines(snapshot.result, messages)),
  ];
  for (const line of lines) process.stdout.write(`${line}\n`);
  return EXIT.completed;
}

function runLine({ run, source, target, startedAtMs, host, pid }: RunRecord): string {
  const began = new Date(startedAtMs).toISOString();
  return `${run}  ${printable(source)} -> ${printable(target)}, since ${began}, process ${pid} on ${printable(host)}`;
}

function runsJson(runs: readonly RunRecord[]): string {
  const shown = runs.map(({ run, source, target, startedAtMs, host, pid, logFile }) => ({
    ...{ run, source, target, startedAt: new Date(startedAtMs).toISOString(), host, pid, logFile },
  }));
  return JSON.stringify({ v: 1, event: 'runs', time: new Date().toISOString(), runs: shown });
}
