// What a comparison came to: counts, bound, verdict, by shard and by type. The shape of the design's section 7; fields may
// be added, never renamed.
import { type Bound, boundOf, type Stratum } from './statistics.ts';
import type { StratumPlace } from './strata.ts';
import { addTally, checkedOf, emptyTally, type Tally } from './tally.ts';
import { verdictSentence } from './verdict.ts';

export interface ShardVerdict {
  readonly side: 'source' | 'target';
  readonly address: string;
  readonly keys: number;
  /** Of the source: compared. Of the target: looked for on the source. */
  readonly looked: number;
  readonly different: number;
  /** null where nothing was drawn. */
  readonly bound: Bound | null;
  /** When it was finished, unix ms: what "verified 2 h ago" is counted from. */
  readonly verifiedAtMs: number;
}

export interface TypeVerdict {
  readonly checked: number;
  readonly different: number;
  /** At most this share of the type's keys differ, with the result's confidence. */
  readonly fraction: number;
}

export interface ValidateResult {
  readonly outcome: 'equal' | 'different';
  readonly mode: 'full' | 'sample';
  /** Keys of the source when it began. */
  readonly total: number;
  readonly checked: number;
  readonly equal: number;
  readonly different: number;
  readonly missing: number;
  readonly extra: number;
  readonly type: number;
  readonly value: number;
  readonly ttl: number;
  readonly unstable: number;
  readonly expiring: number;
  readonly skipped: number;
  readonly bound: Bound;
  /** Keys of the target that were looked for on the source; null when only the source was looked at. */
  readonly targetChecked: number | null;
  readonly verdict: string;
  readonly shards: readonly ShardVerdict[];
  readonly types: Readonly<Record<string, TypeVerdict>>;
  readonly notes: readonly string[];
  readonly clockSkewMs: number;
  readonly seconds: number;
  /** Draws the same sample again; null in full mode. */
  readonly seed: number | null;
}

/** One stratum's outcome. */
export interface Part {
  readonly place: StratumPlace;
  readonly tally: Tally;
  /** Keys looked at. */
  readonly looked: number;
  readonly designEffect: number;
}

export interface ResultParts {
  readonly mode: 'full' | 'sample';
  readonly confidence: number;
  readonly parts: readonly Part[];
  /** Keys that were looked at beside the sample. */
  readonly extras: readonly Tally[];
  readonly sourceOnly: boolean;
  readonly notes: readonly string[];
  readonly clockSkewMs: number;
  readonly seconds: number;
  readonly seed: number | null;
}

export function buildResult(given: ResultParts): ValidateResult {
  const { mode, parts, confidence } = given;
  const sum = emptyTally();
  for (const { tally } of parts) addTally(sum, tally);
  const drawn = structuredClone(sum);
  for (const tally of given.extras) addTally(sum, { ...tally, equal: 0 });
  // Others may have written more since it began.
  const total = parts.reduce(
    (keys, { place, looked }) => keys + (place.side === 'source' ? Math.max(place.keys, looked) : 0),
    0,
  );
  const bound = mode === 'full' ? fullBound(sum, total) : sampleBound(parts, sum, total, confidence);
  const judged = { total, checked: checkedOf(sum), bound, full: mode === 'full' };
  const { equal, different, missing, extra, type, value, ttl, unstable, expiring, skipped } = sum;
  const { sourceOnly, notes, clockSkewMs, seconds, seed } = given;
  return {
    outcome: different > 0 ? 'different' : 'equal',
    mode,
    total,
    checked: checkedOf(sum),
    ...{ equal, different, missing, extra, type, value, ttl, unstable, expiring, skipped },
    bound,
    targetChecked: sourceOnly ? null : lookedOnTarget(parts),
    verdict: verdictSentence({ ...judged, different, unstable, expiring, skipped }),
    shards: shardVerdicts(parts, confidence, mode),
    types: typeVerdicts(drawn, given.extras, confidence, mode),
    ...{ notes, clockSkewMs, seconds, seed },
  };
}

/** Every key was looked at: what may still differ is what came to no verdict. */
function fullBound(sum: Tally, total: number): Bound {
  const keys = sum.different + sum.unstable + sum.skipped;
  return { confidence: 1, keys, fraction: total === 0 ? Number(keys > 0) : Math.min(1, keys / total) };
}

/** What was found beside the sample is known to differ, whatever the sample says. */
function sampleBound(parts: readonly Part[], sum: Tally, total: number, confidence: number): Bound {
  const bound = boundOf(parts.map(stratumOf), confidence);
  const keys = Math.max(bound.keys, sum.different);
  return { confidence, keys, fraction: total === 0 ? Number(keys > 0) : Math.min(1, keys / total) };
}

/** Keys without a verdict were not drawn, as far as the bound goes. */
function stratumOf({ place, tally, looked, designEffect }: Part): Stratum {
  const open = tally.unstable + tally.expiring + tally.skipped;
  const drawn = Math.max(0, looked - open);
  return { keys: place.keys, drawn, effective: drawn / designEffect, different: tally.different };
}

function lookedOnTarget(parts: readonly Part[]): number {
  return parts.reduce((keys, { place, looked }) => keys + (place.side === 'target' ? looked : 0), 0);
}

function shardVerdicts(parts: readonly Part[], confidence: number, mode: 'full' | 'sample'): ShardVerdict[] {
  const verifiedAtMs = Date.now();
  const byShard = new Map<string, Part[]>();
  for (const part of parts) {
    const name = `${part.place.side} ${part.place.node}`;
    byShard.set(name, [...(byShard.get(name) ?? []), part]);
  }
  return [...byShard.values()].flatMap((own) => {
    const place = own[0]?.place;
    if (place === undefined) return [];
    const sum = emptyTally();
    for (const { tally } of own) addTally(sum, tally);
    const looked = own.reduce((count, part) => count + part.looked, 0);
    // DBSIZE counts redferry's own keys too; who has seen all of them knows better.
    const keys = mode === 'full' ? looked : own.reduce((count, part) => count + part.place.keys, 0);
    const bound =
      mode === 'full' ? fullBound(sum, keys) : looked === 0 ? null : boundOf(own.map(stratumOf), confidence);
    const { side, address } = place;
    return [{ side, address, keys, looked, different: sum.different, bound, verifiedAtMs }];
  });
}

/** Of how many keys of a type there are nothing is known: the bound is that of an endless number. */
function typeVerdicts(
  drawn: Tally,
  extras: readonly Tally[],
  confidence: number,
  mode: 'full' | 'sample',
): Record<string, TypeVerdict> {
  const sum = structuredClone(drawn);
  for (const tally of extras) addTally(sum, tally);
  return Object.fromEntries(
    Object.entries(sum.types)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([type, { checked, different }]) => {
        const endless = { keys: 1e12, drawn: checked, effective: checked, different };
        const fraction = mode === 'full' ? different / Math.max(1, checked) : boundOf([endless], confidence).fraction;
        return [type, { checked, different, fraction }];
      }),
  );
}
