// `redferry validate` without its words: connects both sides, samples or walks, settles what differs, and says what it came
// to. Reads only, on connections of its own. A screen steers it by pause, resume, the rate and the signal.
import { FerryError } from '../engine/errors.ts';
import type { WaitForApplied } from './barrier.ts';
import { readBothSides, type SideLine } from './both-sides.ts';
import { Examiner } from './examine.ts';
import { heldNote, toleranceFor } from './expiry.ts';
import { countTarget, type WalkPlace, walkSide } from './full-walk.ts';
import { KeyBalance } from './key-balance.ts';
import { EVERY_KEY, type KeyScope, scopeNote } from './key-scope.ts';
import { type LinkedSides, openSides } from './linked-sides.ts';
import { Pace } from './pace.ts';
import { replicaBarrier } from './replica-barrier.ts';
import type { Difference } from './report.ts';
import { confidenceOf, DEFAULT_CONFIDENCE, type SampleSize } from './sample-size.ts';
import { type Drawn, drawSample, planSample, topUp } from './sample-walk.ts';
import type { CompareSide } from './side.ts';
import { readStrata, type StratumPlace } from './strata.ts';
import type { SettleOptions } from './suspects.ts';
import { emptyTally } from './tally.ts';
import { buildResult, type Part, type ValidateResult } from './validate-result.ts';
import {
  loadState,
  removeState,
  type SavedDifference,
  saveDifference,
  setupOf,
  storeState,
  type ValidateState,
} from './validate-state.ts';
import { DRIFTS, type Drift } from './value-pair.ts';

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

export interface ValidateProgress {
  readonly looking: 'source' | 'target' | 'suspects';
  /** Keys looked at, of both sides. */
  readonly done: number;
  readonly total: number;
  readonly different: number;
  readonly suspects: number;
  /** Over the last seconds; null at the start. */
  readonly keysPerSecond: number | null;
  readonly etaSeconds: number | null;
  readonly paused: boolean;
}

export interface Validated {
  readonly result: ValidateResult;
  /** The first of them, up to `maxDifferences`. */
  readonly differences: readonly Difference[];
  /** What both sides have of the first `showSides` of them, in the same order. */
  readonly bothSides: readonly (readonly SideLine[])[];
}

const MAX_DIFFERENCES = 1000;
const PROGRESS_MS = 1000;
const SAVE_MS = 5000;
/** A key this near to its expiry is neither equal nor different; what one clock is ahead is added. */
export const EXPIRY_GUARD_MS = 2000;
const WORTH_A_NOTE_MS = 1000;
/** The rate is that of this many of the last reports. */
const RATE_REPORTS = 10;

export class Validation {
  readonly #options: ValidateOptions;
  readonly #pace: Pace;
  readonly #scope: KeyScope;
  readonly #notes = new Set<string>();
  readonly #differences: SavedDifference[] = [];
  readonly #kept: Difference[] = [];
  readonly #seed: number;
  #waitForApplied: WaitForApplied | undefined;
  #looking: ValidateProgress['looking'] = 'source';
  #walked: WalkPlace[] = [];
  /** The target's places while its keys are counted up against those found on both sides. */
  #counted: WalkPlace[] = [];
  #plan: Drawn[] = [];
  #examiner: Examiner | null = null;
  #marks: { readonly atMs: number; readonly done: number }[] = [];
  #before = 0;
  readonly #drifted = new Set<Drift>();

  constructor(options: ValidateOptions) {
    this.#options = options;
    this.#scope = options.scope ?? EVERY_KEY;
    this.#waitForApplied = options.settle?.waitForApplied;
    this.#pace = new Pace(options.keysPerSecond ?? null);
    this.#seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
  }

  pause(): void {
    this.#pace.paused = true;
  }

  resume(): void {
    this.#pace.paused = false;
  }

  /** Keys a second; null for as fast as it goes. */
  setRate(keysPerSecond: number | null): void {
    this.#pace.keysPerSecond = keysPerSecond;
  }

  /**
   * Differences are no error. A cancelled full comparison leaves its state file.
   * @throws FerryError or Error when a side can not be reached or read; the signal's reason.
   */
  async run(): Promise<Validated> {
    const { source, target, signal } = this.#options;
    const sides = await openSides(source, target);
    // A read that waits for a server can not be told to stop: closing its connections does.
    const abort = (): void => sides.close();
    signal?.addEventListener('abort', abort, { once: true });
    const reporting = setInterval(() => this.#report(), PROGRESS_MS);
    reporting.unref();
    try {
      signal?.throwIfAborted();
      const startedAt = performance.now();
      const places = await readStrata(sides.source, sides.target, this.#scope);
      const wanted = this.#options.sourceOnly === true ? places.filter(({ side }) => side === 'source') : places;
      this.#noteSides(sides);
      this.#waitForApplied ??= await replicaBarrier(sides.source.side, sides.target.side);
      const spent = (): number => this.#before + (performance.now() - startedAt) / 1000;
      const result =
        this.#options.sample === null
          ? await this.#walk(sides, wanted, spent)
          : await this.#sample(sides, wanted, this.#options.sample, spent);
      const bothSides: (readonly SideLine[])[] = [];
      for (const difference of this.#kept.slice(0, this.#options.showSides ?? 0)) {
        bothSides.push(await readBothSides(sides.source.side, sides.target.side, difference));
      }
      return { result, differences: this.#kept, bothSides };
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      clearInterval(reporting);
      signal?.removeEventListener('abort', abort);
      sides.close();
    }
  }

  async #walk(sides: LinkedSides, places: readonly StratumPlace[], spent: () => number): Promise<ValidateResult> {
    const { stateFile = null, signal, sourceOnly = false } = this.#options;
    const setup = await setupOf(sides.source.side, sides.target.side, this.#asked(sides));
    const state = stateFile === null ? null : loadState(stateFile, setup);
    this.#walked =
      state === null
        ? places.map((place) => ({ place, cursor: '0', looked: 0, own: 0 }))
        : state.places.map(({ cursor, looked, ...place }, number) => ({
            place: { ...place, number },
            cursor,
            looked,
            own: 0,
          }));
    // What was counted is not in a state: a comparison that is gone on with asks the source for every key of the target.
    const balance = state === null && !sourceOnly ? this.#openBalance(sides, places) : null;
    const examiner = this.#makeExaminer(
      sides,
      this.#walked.map(({ place }) => place),
      balance,
    );
    if (state !== null) this.#restore(state, examiner);
    else this.#options.exported?.cutTo(0);
    const save = (): void => {
      if (stateFile !== null) storeState(stateFile, this.#stateOf(setup, examiner, spent()));
    };
    const saving = setInterval(save, SAVE_MS);
    saving.unref();
    try {
      const options = { sides, examiner, pace: this.#pace, scope: this.#scope, signal };
      // What was suspected when it was stopped.
      await examiner.settle();
      if (balance !== null) this.#counted = ofTarget(this.#walked).map((walked) => ({ ...walked }));
      await Promise.all([walkSide('source', this.#walked, options), countTarget(this.#counted, options)]);
      if (balance?.isEven === true) this.#takeCounted();
      else {
        this.#looking = 'target';
        await walkSide('target', this.#walked, options);
      }
    } catch (error) {
      save();
      throw error;
    } finally {
      clearInterval(saving);
    }
    if (stateFile !== null) removeState(stateFile);
    const parts = this.#walked.map(
      ({ place, looked }, number): Part => ({
        place,
        looked,
        tally: examiner.tallies[number] ?? emptyTally(),
        designEffect: 1,
      }),
    );
    const { clockSkewMs } = sides;
    const common = { notes: this.#allNotes(sides), clockSkewMs, seconds: spent(), sourceOnly, seed: null };
    return buildResult({ mode: 'full', confidence: DEFAULT_CONFIDENCE, parts, extras: [], ...common });
  }

  async #sample(
    sides: LinkedSides,
    places: readonly StratumPlace[],
    size: SampleSize,
    spent: () => number,
  ): Promise<ValidateResult> {
    const { signal, sourceOnly = false } = this.#options;
    this.#plan = planSample(places, size);
    const incomplete = this.#plan.filter(({ place, wanted }) => place.side === 'source' && wanted < place.keys);
    // A tally of its own for what is looked at beside the sample of a place.
    const beside = incomplete.map(({ place }, index) => ({
      from: place,
      into: { ...place, number: places.length + index },
    }));
    const examiner = this.#makeExaminer(sides, [...places, ...beside.map(({ into }) => into)]);
    const options = { sides, examiner, pace: this.#pace, scope: this.#scope, size, seed: this.#seed, signal };
    await drawSample(this.#plan, options);
    await topUp(beside, (type) => examiner.sum.types[type]?.checked ?? 0, options);
    this.#looking = 'suspects';
    await examiner.settle();
    const parts = this.#plan.map(
      ({ place, drawn, designEffect, own }): Part => ({
        place: { ...place, keys: Math.max(drawn, place.keys - own) },
        looked: drawn,
        designEffect,
        tally: examiner.tallies[place.number] ?? emptyTally(),
      }),
    );
    const extras = beside.map(({ into }) => examiner.tallies[into.number] ?? emptyTally());
    const { clockSkewMs } = sides;
    const common = { notes: this.#allNotes(sides), clockSkewMs, seconds: spent(), sourceOnly, seed: this.#seed };
    return buildResult({ mode: 'sample', confidence: confidenceOf(size), parts, extras, ...common });
  }

  #openBalance({ target }: LinkedSides, places: readonly StratumPlace[]): KeyBalance {
    const keys = places.reduce((sum, place) => sum + place.keys, 0) / 2;
    return new KeyBalance(target.side.description.databases, keys);
  }

  /** Counting them was looking for them: none is the target's own. */
  #takeCounted(): void {
    for (const [index, walked] of ofTarget(this.#walked).entries()) Object.assign(walked, this.#counted[index]);
    this.#counted = [];
  }

  /** What else must be the same for a state to be gone on with. */
  #asked(sides: LinkedSides): string {
    const { databases = {} } = sides.target.side.description;
    return `tolerance=${this.#tolerance(sides)} databases=${JSON.stringify(databases)} keys=${JSON.stringify(this.#scope)}`;
  }

  #tolerance({ source, target }: LinkedSides): number {
    return toleranceFor(source.side.exactExpiry && target.side.exactExpiry, this.#options.toleranceMs);
  }

  #makeExaminer(sides: LinkedSides, places: readonly StratumPlace[], balance: KeyBalance | null = null): Examiner {
    const { settle = {}, signal, onDifference, maxDifferences = MAX_DIFFERENCES } = this.#options;
    const examiner = new Examiner(
      {
        ...settle,
        waitForApplied: this.#waitForApplied,
        sides,
        balance,
        source: sides.source.side,
        target: sides.target.side,
        toleranceMs: this.#tolerance(sides),
        guardMs: EXPIRY_GUARD_MS + Math.abs(sides.clockSkewMs),
        signal,
        onDrift: (what) => {
          this.#drifted.add(what);
        },
        onDifference: (difference, stratum) => {
          if (this.#kept.length < maxDifferences) {
            this.#kept.push(difference);
            this.#differences.push(saveDifference(difference, stratum));
          }
          onDifference?.(difference);
        },
        onSkipped: (_, reason) => {
          this.#notes.add(`Keys that could not be compared: ${reason}.`);
        },
      },
      places,
    );
    this.#examiner = examiner;
    return examiner;
  }

  #restore(state: ValidateState, examiner: Examiner): void {
    this.#before = state.seconds;
    for (const [stratum, tally] of state.tallies.entries()) {
      const side = state.places[stratum]?.side ?? 'source';
      const suspects = state.suspects
        .filter((saved) => saved.stratum === stratum)
        .map(({ database, key }) => ({ side, database, stratum, key: Buffer.from(key, 'base64') }));
      examiner.commit({ stratum, tally, suspects });
    }
    for (const saved of state.differences) {
      const { database, type, aspects, detail } = saved;
      const difference = { database, type, aspects, detail, key: Buffer.from(saved.key, 'base64') };
      examiner.know(difference);
      this.#kept.push(difference);
      this.#differences.push(saved);
    }
    this.#options.exported?.cutTo(state.exportedBytes);
  }

  #stateOf(setup: string, examiner: Examiner, seconds: number): ValidateState {
    return {
      version: 1,
      setup,
      seconds,
      places: this.#walked.map(({ place, cursor, looked }) => {
        const { side, node, address, database, keys } = place;
        return { side, node, address, database, keys, cursor, looked };
      }),
      tallies: examiner.tallies,
      suspects: [...examiner.suspects].map(({ database, key, stratum }) => ({
        database,
        stratum,
        key: key.toString('base64'),
      })),
      differences: this.#differences,
      exportedBytes: this.#options.exported?.bytes() ?? 0,
    };
  }

  #noteSides({ source, target, clockSkewMs }: LinkedSides): void {
    const scoped = scopeNote(this.#scope);
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

  #allNotes({ target }: LinkedSides): readonly string[] {
    const held = heldNote(target.side);
    const drifted = [...this.#drifted].map((what) => DRIFTS[what]);
    return [...this.#notes, ...drifted, ...(held === null ? [] : [held])];
  }

  #report(): void {
    const { onProgress } = this.#options;
    const examiner = this.#examiner;
    if (onProgress === undefined || examiner === null) return;
    const { done, total } = this.#counts();
    this.#marks = [...this.#marks, { atMs: performance.now(), done }].slice(-RATE_REPORTS);
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    const overMs = first === undefined || last === undefined ? 0 : last.atMs - first.atMs;
    const keysPerSecond = overMs === 0 || first === undefined ? null : ((done - first.done) / overMs) * 1000;
    onProgress({
      looking: this.#looking,
      done,
      total,
      different: examiner.sum.different,
      suspects: examiner.suspects.size,
      keysPerSecond,
      etaSeconds: keysPerSecond ? Math.max(0, total - done) / keysPerSecond : null,
      paused: this.#pace.paused,
    });
  }

  #counts(): { done: number; total: number } {
    let done = 0;
    let total = 0;
    const counting = this.#looking === 'source' && this.#counted.length > 0;
    const walked = counting ? this.#walked.filter(({ place }) => place.side === 'source') : this.#walked;
    for (const { looked, own, place } of [...walked, ...this.#counted]) {
      // INFO counts them all.
      done += looked + own;
      total += place.keys;
    }
    for (const { drawn, wanted } of this.#plan) {
      done += drawn;
      total += wanted;
    }
    return { done, total };
  }
}

function ofTarget(walked: readonly WalkPlace[]): WalkPlace[] {
  return walked.filter(({ place }) => place.side === 'target');
}

/** The signal's reason for a person who pressed Ctrl-C. */
export function cancelled(): FerryError {
  return new FerryError('The comparison was stopped.', { code: 'interrupted' });
}
