// What a comparison is asked for, and what it gives.

import type { SideLine } from './both-sides.ts';
import type { KeyScope } from './key-scope.ts';
import type { Difference } from './report.ts';
import type { SampleSize } from './sample-size.ts';
import type { CompareSide } from './side.ts';
import type { SettleOptions } from './suspects.ts';
import type { ValidateProgress } from './validate-progress.ts';
import type { ValidateResult } from './validate-result.ts';

export interface ValidateOptions {
  readonly source: CompareSide;
  readonly target: CompareSide;
  /** null compares every key. */
  readonly sample: SampleSize | null;
  /** Which keys it is about; without it all. */
  readonly scope?: KeyScope | undefined;
  /** Do not look for keys that are only on the target: it is known to hold others. */
  readonly sourceOnly?: boolean;
  /** How far expiries may lie apart; without it 0, or 1 s where a side is older than 7.0. */
  readonly toleranceMs?: number | undefined;
  /** Keys a second, over all nodes; null for as fast as it goes. */
  readonly keysPerSecond?: number | null;
  /** Draws the same sample as another time. */
  readonly seed?: number | undefined;
  /** Full mode: where its progress is kept, and gone on with. */
  readonly stateFile?: string | null;
  readonly settle?: Pick<SettleOptions, 'pausesMs' | 'quietMs' | 'waitForApplied' | 'entriesRead'>;
  /** Differences that are kept with key and detail; all are counted, and told. */
  readonly maxDifferences?: number;
  /** Of how many of them what both sides have is read at the end; without it of none. */
  readonly showSides?: number;
  /** Every confirmed difference, once. */
  readonly onDifference?: (difference: Difference) => void;
  /** Length of what `onDifference` has written, for the state file; and what to cut it to when a run goes on. */
  readonly exported?: { readonly bytes: () => number; readonly cutTo: (bytes: number) => void };
  readonly onProgress?: (progress: ValidateProgress) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Validated {
  readonly result: ValidateResult;
  /** The first of them, up to `maxDifferences`. */
  readonly differences: readonly Difference[];
  /** What both sides have of the first `showSides` of them, in the same order. */
  readonly bothSides: readonly (readonly SideLine[])[];
}
