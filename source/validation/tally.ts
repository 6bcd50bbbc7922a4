// What became of the keys that were looked at, by stratum and by type. Every key ends in exactly one class; only equal and
// different ones are `checked`.
import type { Aspect } from './report.ts';

export type Outcome = 'equal' | 'different' | 'unstable' | 'expiring' | 'skipped';

/** Aspects as they are counted: those of hash fields count as `ttl`. */
export const COUNTED = ['missing', 'extra', 'type', 'value', 'ttl'] as const;
export type Counted = (typeof COUNTED)[number];

export interface TypeTally {
  checked: number;
  different: number;
}

/** Plain data: it stands in the state file as it is. */
export interface Tally {
  equal: number;
  different: number;
  unstable: number;
  expiring: number;
  skipped: number;
  missing: number;
  extra: number;
  type: number;
  value: number;
  ttl: number;
  types: Record<string, TypeTally>;
}

export function emptyTally(): Tally {
  return {
    equal: 0,
    different: 0,
    unstable: 0,
    expiring: 0,
    skipped: 0,
    missing: 0,
    extra: 0,
    type: 0,
    value: 0,
    ttl: 0,
    types: {},
  };
}

/** `count` keys of one type that are equal. */
export function addEqual(tally: Tally, type: string, count: number): void {
  tally.equal += count;
  typeOf(tally, type).checked += count;
}

export function addDifferent(tally: Tally, type: string, aspects: readonly Aspect[]): void {
  tally.different += 1;
  const ofType = typeOf(tally, type);
  ofType.checked += 1;
  ofType.different += 1;
  for (const aspect of new Set(aspects.map(countedAs))) tally[aspect] += 1;
}

export function checkedOf({ equal, different }: Tally): number {
  return equal + different;
}

/** Adds `other` to `sum`. */
export function addTally(sum: Tally, other: Tally): void {
  for (const name of ['equal', 'different', 'unstable', 'expiring', 'skipped', ...COUNTED] as const) {
    sum[name] += other[name];
  }
  for (const [type, { checked, different }] of Object.entries(other.types)) {
    const own = typeOf(sum, type);
    own.checked += checked;
    own.different += different;
  }
}

function countedAs(aspect: Aspect): Counted {
  return aspect === 'field-ttl' ? 'ttl' : aspect;
}

function typeOf(tally: Tally, type: string): TypeTally {
  const known = tally.types[type];
  if (known !== undefined) return known;
  const made = { checked: 0, different: 0 };
  tally.types[type] = made;
  return made;
}
