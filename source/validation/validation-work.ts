// What a comparison of every key and one of a sample have in common: both sides, connected, what is looked at of them, and
// the examiner that looks.
import type { WaitForApplied } from './barrier.ts';
import { Examiner } from './examine.ts';
import { EXPIRY_GUARD_MS, toleranceFor } from './expiry.ts';
import type { Findings } from './findings.ts';
import type { KeyBalance } from './key-balance.ts';
import type { KeyScope } from './key-scope.ts';
import type { LinkedSides } from './linked-sides.ts';
import type { Pace } from './pace.ts';
import type { StratumPlace } from './strata.ts';
import type { ValidateOptions } from './validate-options.ts';

export interface ValidationWork {
  readonly options: ValidateOptions;
  readonly sides: LinkedSides;
  /** Where keys are looked at. */
  readonly places: readonly StratumPlace[];
  readonly scope: KeyScope;
  readonly pace: Pace;
  readonly findings: Findings;
  readonly waitForApplied: WaitForApplied | undefined;
  /** Seconds since the work began in this process. */
  elapsed(): number;
}

/** How far expiries may lie apart. */
export function toleranceOf({ sides: { source, target }, options }: ValidationWork): number {
  return toleranceFor(source.side.exactExpiry && target.side.exactExpiry, options.toleranceMs);
}

/** @param balance where all keys of both sides are gone through: what keeps the account of them. */
export function openExaminer(
  work: ValidationWork,
  places: readonly StratumPlace[],
  balance: KeyBalance | null,
): Examiner {
  const { options, sides, findings, waitForApplied } = work;
  const { settle = {}, signal } = options;
  return new Examiner(
    {
      ...settle,
      waitForApplied,
      sides,
      balance,
      source: sides.source.side,
      target: sides.target.side,
      toleranceMs: toleranceOf(work),
      guardMs: EXPIRY_GUARD_MS + Math.abs(sides.clockSkewMs),
      signal,
      onDrift: (what) => findings.drifted(what),
      onDifference: (difference, stratum) => findings.add(difference, stratum),
      onSkipped: (_, reason) => findings.skipped(reason),
    },
    places,
  );
}
