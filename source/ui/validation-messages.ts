// The words of the validation view, as one type: a language that misses a word does not compile. Sentences of the engine
// (verdicts, what differs, answers to commands) are not translated.
import type { ValidationState } from '../engine/contract/validation-picture.ts';

export type ValidationBindingId =
  | 'validate'
  | 'sampleSize'
  | 'comparePause'
  | 'compareRate'
  | 'compareCancel'
  | 'compareExport'
  | 'repairOne'
  | 'repairAll'
  | 'removeExtra';

export interface ValidationMessages {
  readonly keys: Readonly<Record<ValidationBindingId, { readonly help: string; readonly hint?: string }>>;
  readonly state: Readonly<Record<ValidationState, string>>;
  readonly outcome: { readonly equal: string; readonly different: string };
  readonly label: {
    readonly next: string;
    readonly state: string;
    readonly verdict: string;
    readonly shards: string;
    readonly types: string;
    readonly note: string;
  };
  readonly title: string;
  readonly differing: (shown: number, all: string) => string;
  readonly bothSides: string;
  readonly noDifferences: string;
  readonly neverCompared: string;
  /** Sizes of a sample. */
  readonly configured: string;
  readonly keysToLookAt: (keys: string) => string;
  readonly shareToLookAt: (percent: string) => string;
  readonly boundToHave: (percent: string, confidence: string) => string;
  readonly everything: string;
  readonly choose: string;
  readonly progress: (done: string, total: string) => string;
  readonly perSecond: (rate: string) => string;
  readonly heldTo: (rate: string) => string;
  readonly notHeld: string;
  readonly suspects: (count: string) => string;
  readonly looked: (looked: string, keys: string) => string;
  readonly different: (count: string) => string;
  readonly atMost: (percent: string) => string;
  readonly ago: (age: string) => string;
  readonly took: (duration: string) => string;
  /** Beside a shard. */
  readonly verified: (age: string) => string;
  readonly verifiedDifferent: (count: string, age: string) => string;
  readonly stale: (age: string) => string;
  readonly neverVerified: string;
  readonly repair: {
    readonly underWay: string;
    readonly repaired: string;
    /** An extra key. */
    readonly deleted: string;
    readonly failed: string;
  };
  readonly nothingToRepair: string;
  readonly nothingExtra: string;
  readonly repairOneTitle: (key: string) => string;
  readonly repairAllTitle: (count: string) => string;
  readonly repairEffect: string;
  readonly removeTitle: (key: string) => string;
  readonly removeEffect: string;
}
