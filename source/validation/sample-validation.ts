// A comparison of a sample: keys of both sides are drawn and looked at, and the result says what that means for all of them.
import type { Examiner } from './examine.ts';
import { confidenceOf, type SampleSize } from './sample-size.ts';
import { type Drawn, drawSample, planSample, topUp } from './sample-walk.ts';
import type { StratumPlace } from './strata.ts';
import { emptyTally } from './tally.ts';
import type { Counted } from './validate-progress.ts';
import { buildResult, type Part, type ValidateResult } from './validate-result.ts';
import { openExaminer, type ValidationWork } from './validation-work.ts';

/** A place that the sample does not cover whole, and the same with a tally of its own for what is looked at beside it. */
interface Beside {
  readonly from: StratumPlace;
  readonly into: StratumPlace;
}

export class SampleValidation {
  readonly #work: ValidationWork;
  readonly #size: SampleSize;
  readonly #seed: number;
  readonly #plan: readonly Drawn[];
  readonly #beside: readonly Beside[];
  readonly #examiner: Examiner;
  #looking: Counted['looking'] = 'source';

  /** @param seed draws the same sample as another time. */
  constructor(work: ValidationWork, size: SampleSize, seed: number) {
    const { places } = work;
    this.#work = work;
    this.#size = size;
    this.#seed = seed;
    this.#plan = planSample(places, size);
    const incomplete = this.#plan.filter(({ place, wanted }) => place.side === 'source' && wanted < place.keys);
    this.#beside = incomplete.map(({ place }, index) => ({
      from: place,
      into: { ...place, number: places.length + index },
    }));
    this.#examiner = openExaminer(work, [...places, ...this.#beside.map(({ into }) => into)], null);
  }

  get counted(): Counted {
    let done = 0;
    let total = 0;
    for (const { drawn, wanted } of this.#plan) {
      done += drawn;
      total += wanted;
    }
    const { sum, suspects } = this.#examiner;
    return { looking: this.#looking, done, total, different: sum.different, suspects: suspects.size };
  }

  /** @throws FerryError or Error when a side can not be read. */
  async run(): Promise<ValidateResult> {
    const { sides, scope, pace, options } = this.#work;
    const examiner = this.#examiner;
    const { signal } = options;
    const walk = { sides, examiner, pace, scope, size: this.#size, seed: this.#seed, signal };
    await drawSample(this.#plan, walk);
    await topUp(this.#beside, (type) => examiner.sum.types[type]?.checked ?? 0, walk);
    this.#looking = 'suspects';
    await examiner.settle();
    return this.#result();
  }

  #result(): ValidateResult {
    const { sides, findings, options } = this.#work;
    const { tallies } = this.#examiner;
    return buildResult({
      mode: 'sample',
      confidence: confidenceOf(this.#size),
      parts: this.#plan.map(
        ({ place, drawn, designEffect, own }): Part => ({
          place: { ...place, keys: Math.max(drawn, place.keys - own) },
          looked: drawn,
          designEffect,
          tally: tallies[place.number] ?? emptyTally(),
        }),
      ),
      extras: this.#beside.map(({ into }) => tallies[into.number] ?? emptyTally()),
      notes: findings.notes(sides),
      clockSkewMs: sides.clockSkewMs,
      seconds: this.#work.elapsed(),
      sourceOnly: options.sourceOnly ?? false,
      seed: this.#seed,
    });
  }
}
