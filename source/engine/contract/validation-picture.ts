// A comparison of both sides while it goes on and after it: how far, what differs, and what became of a repair.
import type { ValidationSize } from './command.ts';

export type ValidationState = 'running' | 'paused' | 'done' | 'cancelled' | 'failed';

/** A comparison of both sides as a screen shows it. */
export interface ValidationPicture {
  readonly state: ValidationState;
  readonly size: ValidationSize;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  /** Keys looked at, of both sides, and those that are to be. */
  readonly done: number;
  readonly total: number;
  readonly keysPerSecond: number | null;
  readonly etaSeconds: number | null;
  /** What it is held to; null for as fast as it goes. */
  readonly mostKeysPerSecond: number | null;
  /** Keys that are looked at again. */
  readonly suspects: number;
  readonly different: number;
  /** How many of those have been repaired since. */
  readonly repaired: number;
  /** The verdict, or why there is none, as one sentence; null while it is under way. */
  readonly verdict: string | null;
  readonly outcome: 'equal' | 'different' | null;
  readonly shards: readonly ValidatedShard[];
  readonly types: readonly ValidatedType[];
  readonly notes: readonly string[];
  /** The first DIFFERENCES_SHOWN of them. */
  readonly differences: readonly DifferencePicture[];
}

export interface ValidatedShard {
  readonly side: 'source' | 'target';
  readonly address: string;
  readonly keys: number;
  readonly looked: number;
  readonly different: number;
  /** At most this share differs, 0 to 1; null where nothing was drawn. */
  readonly fraction: number | null;
}

export interface ValidatedType {
  readonly type: string;
  readonly checked: number;
  readonly different: number;
  readonly fraction: number;
}

export interface DifferencePicture {
  readonly database: number;
  /** Its bytes in base64. */
  readonly key: string;
  readonly type: string;
  readonly aspects: readonly string[];
  /** What differs, in words. */
  readonly detail: string;
  /** What each side has that the other has not. */
  readonly diff: readonly DiffLine[];
  /** null when nobody has asked for it. */
  readonly repair: RepairState | null;
}

export type RepairState = 'under-way' | 'repaired' | 'failed';

export interface DiffLine {
  readonly side: 'source' | 'target';
  readonly text: string;
}

/** How many differences a picture carries; an export has more. */
export const DIFFERENCES_SHOWN = 100;
