// Repairs keys that a comparison has found to differ: copies them again, through the pipelines that own them while the run
// goes on, compares them once more, and journals what they were and what became of them.
import { placesOf } from '../../validation/database-numbers.ts';
import { differenceLine } from '../../validation/difference-file.ts';
import { recheck } from '../../validation/recheck.ts';
import { type Difference, sidedKey } from '../../validation/report.ts';
import type { CompareSide } from '../../validation/side.ts';
import type { Settled, SettleOptions } from '../../validation/suspects.ts';
import type { CommandOutcome, KeyName, RepairKind } from '../contract/command.ts';
import { FerryError } from '../errors.ts';
import { copyDirectly } from './direct-copy.ts';

export interface RepairOrder {
  readonly kind: RepairKind;
  readonly differences: readonly Difference[];
  readonly source: CompareSide;
  readonly target: CompareSide;
  readonly toleranceMs: number | undefined;
  readonly waitForApplied: SettleOptions['waitForApplied'];
  /** Copies keys again through the pipelines of the run; null when none is at work. */
  readonly recopy: ((keys: readonly KeyName[]) => Promise<CommandOutcome>) | null;
  /** One line for each key before it is touched, and one for what became of it. */
  readonly journal: (line: object) => void;
  readonly tell: (difference: Difference, repaired: boolean) => void;
}

export interface Repaired {
  readonly repaired: number;
  readonly left: number;
}

/** Keys asked of the pipelines at a time. */
const BATCH = 500;

/** @throws FerryError or Error when nothing could be copied, a side can not be reached, or the journal not be written. */
export async function repairDifferences(order: RepairOrder): Promise<Repaired> {
  const { differences, journal, tell } = order;
  for (const difference of differences) journal({ stage: 'begun', ...differenceLine(difference) });
  const failures = await copyAgain(order);
  let repaired = 0;
  await recheck(differences, order, (difference, settled) => {
    const isRepaired = settled.outcome === 'equal' || settled.outcome === 'gone' || settled.outcome === 'expiring';
    if (isRepaired) repaired += 1;
    const { detail: was, ...line } = differenceLine(difference);
    const reason = failures.get(difference) ?? reasonOf(settled);
    journal({ stage: isRepaired ? 'repaired' : 'left', ...line, was, ...(isRepaired ? {} : { reason }) });
    tell(difference, isRepaired);
  });
  return { repaired, left: differences.length - repaired };
}

/** Why keys were not written, as far as somebody said. */
async function copyAgain(order: RepairOrder): Promise<ReadonlyMap<Difference, string>> {
  const { kind, differences, recopy, source, target } = order;
  const failures = new Map<Difference, string>();
  const owned = recopy === null ? [] : differences.filter((difference) => namesOn(difference, target).length > 0);
  // Nobody writes to a database of the target to which none of the source goes.
  const others = differences.filter((difference) => !owned.includes(difference));
  if (others.length > 0) {
    await copyDirectly(others, { source, target, mayDelete: kind === 'extra' }, (difference, failure) => {
      if (failure !== null) failures.set(difference, failure);
    });
  }
  if (recopy === null) return failures;
  for (let at = 0; at < owned.length; at += BATCH) {
    const keys = owned.slice(at, at + BATCH).flatMap((difference) => namesOn(difference, target));
    const outcome = await recopy(keys);
    if (!outcome.accepted) throw new FerryError(outcome.message, { code: 'repair' });
  }
  return failures;
}

/** As the pipelines know it. An extra key of a database into which several go: each of them says that it is not there. */
function namesOn(difference: Difference, { databases }: CompareSide): KeyName[] {
  const key = difference.key.toString('base64');
  return placesOf(databases, sidedKey(difference)).source.map((database) => ({ database, key }));
}

function reasonOf(settled: Settled): string {
  switch (settled.outcome) {
    case 'different':
      return settled.difference.detail;
    case 'skipped':
      return settled.reason;
    default:
      return settled.outcome;
  }
}
