// Looks once more at keys that were different: after a repair, each of them is equal, or still is not, and why.
import type { WaitForApplied } from './barrier.ts';
import { EXPIRY_GUARD_MS, toleranceFor } from './expiry.ts';
import { openSides } from './linked-sides.ts';
import { type Difference, sidedKey } from './report.ts';
import type { CompareSide } from './side.ts';
import { type Settled, settleSuspects } from './suspects.ts';

export interface RecheckOptions {
  readonly source: CompareSide;
  readonly target: CompareSide;
  readonly toleranceMs: number | undefined;
  /** While a run writes to the target. */
  readonly waitForApplied: WaitForApplied | undefined;
}

/** Once for each of them, in any order. @throws Error when a side can not be reached. */
export async function recheck(
  differences: readonly Difference[],
  { source, target, toleranceMs, waitForApplied }: RecheckOptions,
  tell: (difference: Difference, settled: Settled) => void,
): Promise<void> {
  const sides = await openSides(source, target);
  try {
    const exact = sides.source.side.exactExpiry && sides.target.side.exactExpiry;
    const byKey = new Map<object, Difference>();
    const suspects = differences.map((difference) => {
      const suspect = { ...sidedKey(difference), key: difference.key, stratum: 0 };
      byKey.set(suspect, difference);
      return suspect;
    });
    await settleSuspects(
      suspects,
      {
        source: sides.source.side,
        target: sides.target.side,
        toleranceMs: toleranceFor(exact, toleranceMs),
        guardMs: EXPIRY_GUARD_MS + Math.abs(sides.clockSkewMs),
        waitForApplied,
      },
      (suspect, settled) => {
        const difference = byKey.get(suspect);
        if (difference !== undefined) tell(difference, settled);
      },
    );
  } finally {
    sides.close();
  }
}
