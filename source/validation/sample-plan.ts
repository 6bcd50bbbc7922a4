// How a sample is shared out over the strata: each by its share of all keys, and none with fewer than can be said something
// about. Pure.

import { keysToDraw, type SampleSize } from './sample-size.ts';
import { DESIGN_EFFECT } from './sampler.ts';

/** 300 keys without a difference: at most 1 % of that stratum differ, with 95 % confidence. */
const FLOOR = 300;

/**
 * Keys to draw of each stratum. The floor is never more than an even share, so that many small shards at most double the
 * whole; the shares, and with them the bound of the whole, are never made smaller for it.
 */
export function shareOut(size: SampleSize, keysOf: readonly number[]): number[] {
  const total = keysOf.reduce((sum, keys) => sum + keys, 0);
  // A wanted bound is to be had whichever way the keys are drawn; numbers and shares are taken at their word.
  const wanted = Math.min(total, Math.ceil(keysToDraw(size, total) * (size.kind === 'bound' ? DESIGN_EFFECT : 1)));
  const filled = keysOf.filter((keys) => keys > 0).length;
  const floor = Math.min(FLOOR, Math.ceil(wanted / Math.max(1, filled)));
  return keysOf.map((keys) => Math.min(keys, Math.max(floor, Math.ceil((wanted * keys) / Math.max(1, total)))));
}
