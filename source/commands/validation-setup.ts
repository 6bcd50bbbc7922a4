// How comparisons of a run are made: where its sides are, how much is looked at, where what was found is written to.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configError } from '../config/config-error.ts';
import type { Place } from '../config/place.ts';
import type { Settings } from '../config/schema.ts';
import type { ValidationSetup } from '../engine/comparing/validation-desk.ts';
import { messageOf } from '../engine/errors.ts';
import { DifferenceFile, differenceLine } from '../validation/difference-file.ts';
import { htmlReport, type PageSubject } from '../validation/html-report.ts';
import { compareSideOf, copiedKeys } from './compare-sides.ts';

/** What the servers of a live migration are spared for. */
const KEYS_PER_SECOND = 50_000;

export interface ValidatedPlaces {
  readonly run: string;
  /** Asked for when a comparison begins. */
  readonly places: () => { readonly source: Place; readonly target: Place };
  /** As people know them. */
  readonly names: { readonly source: string; readonly target: string };
}

export function validationSetup({ run, places, names }: ValidatedPlaces, settings: Settings): ValidationSetup {
  const { sample, keysPerSecond, ttlToleranceMs } = settings.validation;
  let journal: DifferenceFile | null = null;
  return {
    size: sample,
    keysPerSecond: keysPerSecond ?? KEYS_PER_SECOND,
    toleranceMs: ttlToleranceMs,
    scope: copiedKeys(settings),
    sides: async () => {
      const { source, target } = places();
      const [from, to] = await Promise.all([compareSideOf(source, 'source'), compareSideOf(target, 'target')]);
      return { source: from, target: { ...to, databases: settings.databases.map } };
    },
    write: ({ result, differences, bothSides }, number) => {
      const name = join(process.cwd(), `redferry-${run}-validation-${number}`);
      const finishedAt = new Date();
      writeLines(`${name}.jsonl`, { run, ...names, finishedAt, result, differences, bothSides });
      writePage(`${name}.html`, htmlReport({ run, ...names, finishedAt, result, differences, bothSides }));
      return [`${name}.jsonl`, `${name}.html`];
    },
    journal: (line) => {
      journal ??= new DifferenceFile(join(process.cwd(), `redferry-${run}-repairs.jsonl`));
      journal.write({ v: 1, run, event: 'repair', time: new Date().toISOString(), ...line });
    },
  };
}

/** Every difference that was kept, then the result, as `redferry validate --export` writes them. */
function writeLines(path: string, { run, finishedAt, result, differences }: PageSubject): void {
  const file = new DifferenceFile(path);
  try {
    file.cutTo(0);
    for (const difference of differences) file.write(differenceLine(difference));
    file.write({ v: 1, run, event: 'result', time: finishedAt.toISOString(), ...result });
  } finally {
    file.close();
  }
}

/** @throws FerryError when it can not be written. */
export function writePage(path: string, page: string): void {
  try {
    writeFileSync(path, page, { mode: 0o600 });
  } catch (error) {
    throw configError(`${path} can not be written: ${messageOf(error)}.`);
  }
}
