// A comparison of every key, in both directions. Where a state file is wanted it stands there how far the walk has come, so
// that one which was cancelled or cut off is gone on with.
import type { Examiner } from './examine.ts';
import { countTarget, type WalkPlace, walkSide } from './full-walk.ts';
import { KeyBalance } from './key-balance.ts';
import { DEFAULT_CONFIDENCE } from './sample-size.ts';
import { emptyTally } from './tally.ts';
import type { Counted } from './validate-progress.ts';
import { buildResult, type Part, type ValidateResult } from './validate-result.ts';
import { loadState, removeState, setupOf, storeState, type ValidateState } from './validate-state.ts';
import { openExaminer, toleranceOf, type ValidationWork } from './validation-work.ts';

const SAVE_MS = 5000;

/** Where the progress is kept, and for which setup it holds. */
interface StateFile {
  readonly path: string;
  readonly setup: string;
}

export class FullValidation {
  readonly #work: ValidationWork;
  readonly #file: StateFile | null;
  readonly #walked: readonly WalkPlace[];
  readonly #balance: KeyBalance | null;
  readonly #examiner: Examiner;
  /** Seconds that the comparison took before it was stopped. */
  readonly #secondsBefore: number;
  /** The target's places while its keys are counted up against those found on both sides. */
  #counted: readonly WalkPlace[] = [];
  #looking: Counted['looking'] = 'source';

  /** Goes on with what the state file has, if anything. @throws FerryError when that is of another comparison. */
  static async open(work: ValidationWork): Promise<FullValidation> {
    const path = work.options.stateFile ?? null;
    if (path === null) return new FullValidation(work, null, null);
    const { source, target } = work.sides;
    const setup = await setupOf(source.side, target.side, askedFor(work));
    return new FullValidation(work, { path, setup }, loadState(path, setup));
  }

  private constructor(work: ValidationWork, file: StateFile | null, state: ValidateState | null) {
    const { options } = work;
    this.#work = work;
    this.#file = file;
    this.#walked = state === null ? fromTheStart(work) : whereItStood(state);
    // What was counted is not in a state: a comparison that is gone on with asks the source for every key of the target.
    this.#balance = state === null && options.sourceOnly !== true ? openBalance(work) : null;
    this.#examiner = openExaminer(
      work,
      this.#walked.map(({ place }) => place),
      this.#balance,
    );
    this.#secondsBefore = state?.seconds ?? 0;
    if (state !== null) this.#restore(state);
    options.exported?.cutTo(state?.exportedBytes ?? 0);
  }

  get counted(): Counted {
    let done = 0;
    let total = 0;
    const counting = this.#looking === 'source' && this.#counted.length > 0;
    const walked = counting ? this.#walked.filter(({ place }) => place.side === 'source') : this.#walked;
    for (const { looked, own, place } of [...walked, ...this.#counted]) {
      // INFO counts them all.
      done += looked + own;
      total += place.keys;
    }
    const { sum, suspects } = this.#examiner;
    return { looking: this.#looking, done, total, different: sum.different, suspects: suspects.size };
  }

  /** @throws FerryError or Error when a side can not be read, or it is cancelled; the state file stays then. */
  async run(): Promise<ValidateResult> {
    const saving = setInterval(() => this.#save(), SAVE_MS);
    saving.unref();
    try {
      await this.#walk();
    } catch (error) {
      this.#save();
      throw error;
    } finally {
      clearInterval(saving);
    }
    if (this.#file !== null) removeState(this.#file.path);
    return this.#result();
  }

  async #walk(): Promise<void> {
    const { sides, pace, scope, options } = this.#work;
    const examiner = this.#examiner;
    const walk = { sides, examiner, pace, scope, signal: options.signal };
    // What was suspected when it was stopped.
    await examiner.settle();
    if (this.#balance !== null) this.#counted = ofTarget(this.#walked).map((walked) => ({ ...walked }));
    await Promise.all([walkSide('source', this.#walked, walk), countTarget(this.#counted, walk)]);
    if (this.#balance?.isEven === true) this.#takeCounted();
    else {
      this.#looking = 'target';
      await walkSide('target', this.#walked, walk);
    }
  }

  /** Counting them was looking for them: none is the target's own. */
  #takeCounted(): void {
    for (const [index, walked] of ofTarget(this.#walked).entries()) Object.assign(walked, this.#counted[index]);
    this.#counted = [];
  }

  #result(): ValidateResult {
    const { sides, findings, options } = this.#work;
    return buildResult({
      mode: 'full',
      confidence: DEFAULT_CONFIDENCE,
      parts: this.#walked.map(
        ({ place, looked }, number): Part => ({
          place,
          looked,
          tally: this.#examiner.tallies[number] ?? emptyTally(),
          designEffect: 1,
        }),
      ),
      extras: [],
      notes: findings.notes(sides),
      clockSkewMs: sides.clockSkewMs,
      seconds: this.#seconds(),
      sourceOnly: options.sourceOnly ?? false,
      seed: null,
    });
  }

  #seconds(): number {
    return this.#secondsBefore + this.#work.elapsed();
  }

  #restore(state: ValidateState): void {
    for (const [stratum, tally] of state.tallies.entries()) {
      const side = state.places[stratum]?.side ?? 'source';
      const suspects = state.suspects
        .filter((saved) => saved.stratum === stratum)
        .map(({ database, key }) => ({ side, database, stratum, key: Buffer.from(key, 'base64') }));
      this.#examiner.commit({ stratum, tally, suspects });
    }
    for (const saved of state.differences) {
      const { database, type, aspects, detail } = saved;
      const difference = { database, type, aspects, detail, key: Buffer.from(saved.key, 'base64') };
      this.#examiner.know(difference);
      this.#work.findings.restore(difference, saved);
    }
  }

  #save(): void {
    if (this.#file === null) return;
    const { findings, options } = this.#work;
    const { tallies, suspects } = this.#examiner;
    storeState(this.#file.path, {
      version: 1,
      setup: this.#file.setup,
      seconds: this.#seconds(),
      places: this.#walked.map(({ place, cursor, looked }) => {
        const { side, node, address, database, keys } = place;
        return { side, node, address, database, keys, cursor, looked };
      }),
      tallies,
      suspects: [...suspects].map(({ database, key, stratum }) => ({
        database,
        stratum,
        key: key.toString('base64'),
      })),
      differences: findings.saved,
      exportedBytes: options.exported?.bytes() ?? 0,
    });
  }
}

/** What else must be the same for a state to be gone on with. */
function askedFor(work: ValidationWork): string {
  const { databases = {} } = work.sides.target.side.description;
  return `tolerance=${toleranceOf(work)} databases=${JSON.stringify(databases)} keys=${JSON.stringify(work.scope)}`;
}

function fromTheStart({ places }: ValidationWork): WalkPlace[] {
  return places.map((place) => ({ place, cursor: '0', looked: 0, own: 0 }));
}

function whereItStood({ places }: ValidateState): WalkPlace[] {
  return places.map(({ cursor, looked, ...place }, number) => ({
    place: { ...place, number },
    cursor,
    looked,
    own: 0,
  }));
}

function openBalance({ sides, places }: ValidationWork): KeyBalance {
  const keys = places.reduce((sum, place) => sum + place.keys, 0) / 2;
  return new KeyBalance(sides.target.side.description.databases, keys);
}

function ofTarget(walked: readonly WalkPlace[]): WalkPlace[] {
  return walked.filter(({ place }) => place.side === 'target');
}
