// `redferry check`: the preflight alone, finding by finding.
import type { CheckCommand } from '../config/parsed-command.ts';
import { toPlace } from '../config/place.ts';
import { settingsFrom } from '../config/settings-from.ts';
import { EXIT } from '../engine/errors.ts';
import { findingLines, runPreflight } from '../preflight/preflight.ts';
import { askSides } from './sides.ts';

/** @returns 0, or 5 when a check refuses. @throws FerryError when a side can not be asked. */
export async function check(command: CheckCommand): Promise<number> {
  const { settings, warnings } = settingsFrom(command);
  for (const warning of warnings) process.stderr.write(`redferry: ${warning}\n`);
  const { source, target } = await askSides(toPlace(settings.source), toPlace(settings.target));
  const report = await runPreflight({
    source: source.kind === 'server' ? source : null,
    target: target.kind === 'server' ? target : null,
    conflictPolicy: settings.conflict,
    reader: settings.source.reader,
    databases: settings.databases.map,
    exactlyOnce: settings.target.exactlyOnce && settings.source.reader === 'sync',
  });
  if (command.json)
    process.stdout.write(`${JSON.stringify({ v: 1, event: 'check', time: new Date().toISOString(), ...report })}\n`);
  else for (const line of findingLines(report)) process.stdout.write(`${line}\n`);
  return report.worst === 'refuse' ? EXIT.preflight : EXIT.completed;
}
