// What a comparison has found: the differences, the first of them with key and detail, and what is worth a note in the report.
import { heldNote } from './expiry.ts';
import { type KeyScope, scopeNote } from './key-scope.ts';
import type { LinkedSides } from './linked-sides.ts';
import type { Difference } from './report.ts';
import { type SavedDifference, saveDifference } from './validate-state.ts';
import { DRIFTS, type Drift } from './value-pair.ts';

const MAX_DIFFERENCES = 1000;
/** A clock that is this far from the other one makes keys expire at moments that a person would notice. */
const WORTH_A_NOTE_MS = 1000;

export class Findings {
  readonly #most: number;
  readonly #onDifference: (difference: Difference) => void;
  readonly #differences: Difference[] = [];
  readonly #saved: SavedDifference[] = [];
  readonly #notes = new Set<string>();
  readonly #drifted = new Set<Drift>();

  /**
   * @param most differences that are kept.
   * @param onDifference gets all of them, once.
   */
  constructor(most: number = MAX_DIFFERENCES, onDifference: (difference: Difference) => void = () => {}) {
    this.#most = most;
    this.#onDifference = onDifference;
  }

  /** The first of them. */
  get differences(): readonly Difference[] {
    return this.#differences;
  }

  /** The same as a state file has them. */
  get saved(): readonly SavedDifference[] {
    return this.#saved;
  }

  add(difference: Difference, stratum: number): void {
    if (this.#differences.length < this.#most) {
      this.#differences.push(difference);
      this.#saved.push(saveDifference(difference, stratum));
    }
    this.#onDifference(difference);
  }

  /** One that was told before the comparison was stopped. */
  restore(difference: Difference, saved: SavedDifference): void {
    this.#differences.push(difference);
    this.#saved.push(saved);
  }

  drifted(what: Drift): void {
    this.#drifted.add(what);
  }

  skipped(reason: string): void {
    this.#notes.add(`Keys that could not be compared: ${reason}.`);
  }

  /** What the sides are and what is asked for limits what can be found. */
  noteSides({ source, target, clockSkewMs }: LinkedSides, scope: KeyScope): void {
    const scoped = scopeNote(scope);
    if (scoped !== null) this.#notes.add(scoped);
    if (source.side.fieldExpiry && !target.side.fieldExpiry) {
      this.#notes.add('Expiries of hash fields were not compared: the target does not know them.');
    }
    if (Math.abs(clockSkewMs) >= WORTH_A_NOTE_MS) {
      const seconds = Math.abs(clockSkewMs / 1000).toFixed(1);
      const word = clockSkewMs > 0 ? 'ahead of' : 'behind';
      this.#notes.add(`The target's clock is ${seconds} s ${word} the source's: keys expire there at another moment.`);
    }
  }

  /** For the report. */
  notes({ target }: LinkedSides): readonly string[] {
    const held = heldNote(target.side);
    const drifted = [...this.#drifted].map((what) => DRIFTS[what]);
    return [...this.#notes, ...drifted, ...(held === null ? [] : [held])];
  }
}
