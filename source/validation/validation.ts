// `redferry validate` without its words: connects both sides, has every key compared or a sample of them, and says what it came
// to. Reads only, on connections of its own. A screen steers it by pause, resume, the rate and the signal.
import { readBothSides, type SideLine } from './both-sides.ts';
import { Findings } from './findings.ts';
import { FullValidation } from './full-validation.ts';
import { EVERY_KEY, type KeyScope } from './key-scope.ts';
import { type LinkedSides, openSides } from './linked-sides.ts';
import { Pace } from './pace.ts';
import { replicaBarrier } from './replica-barrier.ts';
import { SampleValidation } from './sample-validation.ts';
import { readStrata } from './strata.ts';
import type { Validated, ValidateOptions } from './validate-options.ts';
import { ProgressReport } from './validate-progress.ts';
import type { ValidationWork } from './validation-work.ts';

const PROGRESS_MS = 1000;

export class Validation {
  readonly #options: ValidateOptions;
  readonly #pace: Pace;
  readonly #scope: KeyScope;
  readonly #findings: Findings;
  readonly #progress = new ProgressReport();
  /** null until both sides are connected. */
  #comparing: FullValidation | SampleValidation | null = null;

  constructor(options: ValidateOptions) {
    this.#options = options;
    this.#scope = options.scope ?? EVERY_KEY;
    this.#findings = new Findings(options.maxDifferences, options.onDifference);
    this.#pace = new Pace(options.keysPerSecond ?? null);
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
      this.#comparing = await this.#open(sides);
      const result = await this.#comparing.run();
      return { result, differences: this.#findings.differences, bothSides: await this.#showSides(sides) };
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      clearInterval(reporting);
      signal?.removeEventListener('abort', abort);
      sides.close();
    }
  }

  async #open(sides: LinkedSides): Promise<FullValidation | SampleValidation> {
    const { sample, sourceOnly, settle, seed } = this.#options;
    const startedAt = performance.now();
    const places = await readStrata(sides.source, sides.target, this.#scope);
    this.#findings.noteSides(sides, this.#scope);
    const work: ValidationWork = {
      options: this.#options,
      sides,
      places: sourceOnly === true ? places.filter(({ side }) => side === 'source') : places,
      scope: this.#scope,
      pace: this.#pace,
      findings: this.#findings,
      waitForApplied: settle?.waitForApplied ?? (await replicaBarrier(sides.source.side, sides.target.side)),
      elapsed: () => (performance.now() - startedAt) / 1000,
    };
    if (sample === null) return FullValidation.open(work);
    return new SampleValidation(work, sample, seed ?? Math.floor(Math.random() * 2 ** 32));
  }

  /** What both sides have of the first differences. */
  async #showSides({ source, target }: LinkedSides): Promise<readonly (readonly SideLine[])[]> {
    const shown: (readonly SideLine[])[] = [];
    for (const difference of this.#findings.differences.slice(0, this.#options.showSides ?? 0)) {
      shown.push(await readBothSides(source.side, target.side, difference));
    }
    return shown;
  }

  #report(): void {
    const { onProgress } = this.#options;
    if (onProgress === undefined || this.#comparing === null) return;
    onProgress(this.#progress.next(this.#comparing.counted, this.#pace.paused));
  }
}
