// `redferry check`: the preflight alone, finding by finding.
import type { CheckCommand } from '../config/arguments.ts';
import { toEndpoint } from '../config/endpoint.ts';
import { settingsFrom } from '../config/settings-from.ts';
import { EXIT } from '../engine/errors.ts';
import { findingLines, runPreflight } from '../preflight/preflight.ts';
import { discoverTopology } from '../topology/discover.ts';

/** @returns 0, or 5 when a check refuses. @throws FerryError when a side can not be asked. */
export async function check(command: CheckCommand): Promise<number> {
  const { settings, warnings } = settingsFrom(command);
  for (const warning of warnings) process.stderr.write(`redferry: ${warning}\n`);
  const source = toEndpoint(settings.source);
  const target = toEndpoint(settings.target);
  const [sourceTopology, targetTopology] = await Promise.all([discoverTopology(source), discoverTopology(target)]);
  const report = await runPreflight({
    source,
    sourceTopology,
    target,
    targetTopology,
    conflictPolicy: settings.conflict,
  });
  if (command.json)
    process.stdout.write(`${JSON.stringify({ v: 1, event: 'check', time: new Date().toISOString(), ...report })}\n`);
  else for (const line of findingLines(report)) process.stdout.write(`${line}\n`);
  return report.worst === 'refuse' ? EXIT.preflight : EXIT.completed;
}
