// `redferry validate --repair`: what was found to differ is copied again from the source, when no run does that.
import { join } from 'node:path';
import { describeAddress } from '../config/address.ts';
import { configError } from '../config/config-error.ts';
import { isFile, type Place } from '../config/place.ts';
import { FerryError } from '../engine/errors.ts';
import { type Repaired, repairDifferences } from '../engine/recopy/difference-repair.ts';
import { runsAt } from '../engine/run/runs-at-target.ts';
import { namesTarget } from '../engine/run/target-name.ts';
import { openControl } from '../topology/control-connection.ts';
import type { Endpoint } from '../topology/endpoint.ts';
import { DifferenceFile } from '../validation/difference-file.ts';
import type { Difference } from '../validation/report.ts';
import type { CompareSide } from '../validation/side.ts';

/** Of the connections that look whether a run is there. */
const NAME = 'validate';

/**
 * Before anything is compared: what was typed names the target, and no run writes to it.
 * @throws FerryError with what to do instead.
 */
export async function mayRepair(typed: string, address: string, target: Place, side: CompareSide): Promise<void> {
  if (isFile(target)) throw configError('The target is a file, which can not be repaired.');
  const name = describeAddress(address);
  if (!namesTarget(typed, name)) {
    throw configError(`--repair takes the target's address once more, as a confirmation: ${name}, not ${typed}.`);
  }
  const run = await runAt(target, side);
  if (run === null) return;
  throw new FerryError(
    `Run ${run} writes to the target: repair from its screen (v), which keeps the order of its stream.`,
    { code: 'busy' },
  );
}

/** What a comparison that knows no offset has to say about a run at the target; null where none is seen. Never rejects. */
export async function runWarning(target: Place, side: CompareSide): Promise<string | null> {
  // A user that only reads need not be allowed to see who else is there.
  const run = isFile(target) ? null : await runAt(target, side).catch(() => null);
  return run === null
    ? null
    : `Run ${run} writes to the target, and how far it has come is not known here: what it is late with may be told as different. Compare from its screen (v) or by redferry ctl validate.`;
}

/** The name of a run that writes to the target now. */
async function runAt(target: Endpoint, side: CompareSide): Promise<string | null> {
  for (const place of side.addresses) {
    const node = await openControl(target, place, `redferry:${NAME}`);
    try {
      const [run] = await runsAt(node, NAME);
      if (run !== undefined) return run;
    } finally {
      node.disconnect();
    }
  }
  return null;
}

export interface RepairAfter {
  readonly run: string;
  readonly differences: readonly Difference[];
  readonly source: CompareSide;
  readonly target: CompareSide;
  readonly toleranceMs: number | undefined;
}

/** Copies again what both sides should have; keys that only the target has stay. Journaled in the working directory. */
export async function repairAfter({ run, differences, ...sides }: RepairAfter): Promise<Repaired> {
  const journal = new DifferenceFile(join(process.cwd(), `redferry-${run}-repairs.jsonl`));
  try {
    return await repairDifferences({
      ...sides,
      kind: 'differing',
      differences: differences.filter(({ aspects }) => !aspects.includes('extra')),
      waitForApplied: undefined,
      recopy: null,
      journal: (line) => journal.write({ v: 1, run, event: 'repair', time: new Date().toISOString(), ...line }),
      tell: () => {},
    });
  } finally {
    journal.close();
  }
}
