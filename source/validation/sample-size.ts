// How much is to be sampled, as people say it: a number of keys, a share of them, or the bound they want to have.

import { EXIT, FerryError } from '../engine/errors.ts';
import { keysForBound, LEAST_CONFIDENCE } from './statistics.ts';

export type SampleSize =
  | { readonly kind: 'keys'; readonly keys: number }
  /** 0 to 1 of all keys. */
  | { readonly kind: 'share'; readonly share: number }
  /** At most this fraction different, with this confidence, if none is found to be. */
  | { readonly kind: 'bound'; readonly fraction: number; readonly confidence: number };

/** Without a word about it: at most 0.1 % with 95 %. */
export const DEFAULT_SAMPLE: SampleSize = { kind: 'bound', fraction: 0.001, confidence: 0.95 };
export const DEFAULT_CONFIDENCE = 0.95;

/** What compares every key, in both directions. */
export const FULL = 'full';

/** Every key (null), or the sample that the words mean. @throws FerryError `usage` with one sentence. */
export function parseSize(text: string): SampleSize | null {
  return text === FULL ? null : parseSample(text);
}

const PATTERN = /^(\d+(?:\.\d+)?)(%)?(?:@(\d+(?:\.\d+)?)%?)?$/;

/**
 * `30000` keys, `5%` of them, `0.01%@95`: at most 0.01 % different with 95 % confidence.
 * @throws FerryError `usage` with one sentence.
 */
export function parseSample(text: string): SampleSize {
  const [, amount, percent, confidence] = PATTERN.exec(text.replaceAll(/[,_\s]/g, '')) ?? [];
  const value = Number(amount);
  if (percent === undefined && confidence === undefined && Number.isSafeInteger(value) && value > 0) {
    return { kind: 'keys', keys: value };
  }
  if (percent !== undefined && value > 0 && value <= 100) {
    if (confidence === undefined) return { kind: 'share', share: value / 100 };
    const sure = Number(confidence) / 100;
    if (sure >= LEAST_CONFIDENCE && sure < 1) return { kind: 'bound', fraction: value / 100, confidence: sure };
  }
  throw new FerryError(
    `${text} is no sample: write a number of keys (30000), a share of them (5%), or the bound you want: 0.01%@95 is at most 0.01 % different with 95 % confidence (80 to below 100).`,
    { code: 'usage', exitCode: EXIT.usage },
  );
}

export function confidenceOf(size: SampleSize): number {
  return size.kind === 'bound' ? size.confidence : DEFAULT_CONFIDENCE;
}

/** Keys to draw out of `total`. */
export function keysToDraw(size: SampleSize, total: number): number {
  switch (size.kind) {
    case 'keys':
      return Math.min(size.keys, total);
    case 'share':
      return Math.min(total, Math.ceil(size.share * total));
    case 'bound':
      return keysForBound(size.fraction, size.confidence, total);
  }
}
