// What a sample proves about the keys that were not looked at: exact one-sided bounds, no normal approximation, since the
// numbers of differences that matter are 0, 1 and 2. Pure.
//
// Strata (a database of a node, on the source and on the target) are put together without trusting their sizes or how the
// differing keys lie in them. The number X of differing keys found is a sum of hypergeometric numbers, each of which is a
// sum of independent Bernoulli trials in two ways, one for each key drawn and one for each differing key (Vatutin and
// Mikhailov 1982), with a mean of at least K times the smallest sampled share. Among all such sums of one mean the
// binomial has the heaviest lower tail, up to one below its mean (Hoeffding 1956, theorem 4): its bound holds for all.

export interface Stratum {
  /** Keys there are. */
  readonly keys: number;
  /** Different keys of them that were looked at and came to a verdict. */
  readonly drawn: number;
  /** How many equally likely draws they are worth: `drawn` divided by the design effect. */
  readonly effective: number;
  /** Of those drawn. */
  readonly different: number;
}

export interface Bound {
  /** 0.95: the share of samples for which the statement is true. */
  readonly confidence: number;
  /** At most this many keys differ, those that were found among them. */
  readonly keys: number;
  /** The same as a share of all keys. */
  readonly fraction: number;
}

/** Below this the theorem does not cover the counts it is used for. */
export const LEAST_CONFIDENCE = 0.8;

/** The chance of at most `found` successes in `trials` independent trials of this probability. Exact to 1e-9 or so. */
export function chanceOfAtMost(found: number, trials: number, probability: number): number {
  if (found >= trials || probability <= 0) return 1;
  if (probability >= 1 || found < 0) return 0;
  // From the largest term downwards: below the mean they fall off fast, and the sum stays free of underflow.
  const odds = probability / (1 - probability);
  let term = 1;
  let sum = 1;
  for (let i = found; i > 0 && term > sum * 1e-17; i--) {
    term *= i / ((trials - i + 1) * odds);
    sum += term;
  }
  const last = logChoose(trials, found) + found * Math.log(probability) + (trials - found) * Math.log1p(-probability);
  return Math.min(1, Math.exp(last + Math.log(sum)));
}

/** The largest number of differing keys, over all strata, that the sample does not exclude. */
export function boundOf(strata: readonly Stratum[], confidence: number): Bound {
  checkConfidence(confidence);
  let keys = 0;
  let unseen = 0;
  let found = 0;
  let effective = 0;
  let undrawn = 0;
  let share = 1;
  for (const stratum of strata) {
    if (stratum.keys <= 0) continue;
    keys += stratum.keys;
    found += stratum.different;
    undrawn += Math.max(0, stratum.keys - stratum.drawn);
    if (stratum.effective <= 0) {
      // Nothing is known of it: all of it may differ.
      unseen += stratum.keys;
      continue;
    }
    effective += stratum.effective;
    share = Math.min(share, stratum.effective / stratum.keys);
  }
  if (keys === 0) return { confidence, keys: 0, fraction: 0 };
  const most = unseen === keys ? keys : unseen + notExcluded(found, effective, share, keys, 1 - confidence);
  const bounded = Math.min(most, found + undrawn);
  return { confidence, keys: bounded, fraction: Math.min(1, bounded / keys) };
}

/** How many keys of `total` must be drawn, none of them differing, for a bound of `fraction` or less. */
export function keysForBound(fraction: number, confidence: number, total: number): number {
  checkConfidence(confidence);
  const allowed = Math.floor(fraction * total);
  if (allowed >= total) return 0;
  // (1 - n / total)^(allowed + 1) and (1 - (allowed + 1) / total)^n both have to fall below the risk; either will do.
  const risk = Math.log(1 - confidence);
  const byKeys = -Math.expm1(risk / (allowed + 1)) * total;
  const byDraws = risk / Math.log1p(-(allowed + 1) / total);
  return Math.min(total, Math.floor(Math.min(byKeys, byDraws)) + 1);
}

/** The largest number of differing keys that is not excluded: bisected, since the chance falls with it. */
function notExcluded(found: number, effective: number, share: number, keys: number, risk: number): number {
  const excluded = (different: number): boolean => {
    const mean = different * share;
    // Here the theorem does not speak. With nothing found it need not: the arithmetic mean bounds the geometric one.
    if (found > 0 && mean < found + 1) return false;
    const byKeys = chanceOfAtMost(found, different, Math.min(1, share));
    if (byKeys < risk) return true;
    return chanceOfAtMost(found, effective, Math.min(1, mean / effective)) < risk;
  };
  let possible = found;
  let impossible = keys + 1;
  while (impossible - possible > 1) {
    const middle = Math.floor((possible + impossible) / 2);
    if (excluded(middle)) impossible = middle;
    else possible = middle;
  }
  return possible;
}

function checkConfidence(confidence: number): void {
  if (!(confidence >= LEAST_CONFIDENCE && confidence < 1)) {
    throw new RangeError(`a confidence is from ${LEAST_CONFIDENCE} to below 1, not ${confidence}`);
  }
}

/** Above this many factors their logarithms are not summed one by one. */
const FACTORS = 2000;

function logChoose(from: number, take: number): number {
  if (take <= FACTORS) {
    let sum = 0;
    for (let i = 1; i <= take; i++) sum += Math.log((from - take + i) / i);
    return sum;
  }
  return logGamma(from + 1) - logGamma(take + 1) - logGamma(from - take + 1);
}

/** Stirling's series; arguments below 10 are raised first. */
function logGamma(x: number): number {
  let shift = 0;
  let at = x;
  while (at < 10) {
    shift += Math.log(at);
    at += 1;
  }
  const inverse = 1 / at;
  const square = inverse * inverse;
  const series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)));
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
