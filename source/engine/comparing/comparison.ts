// One comparison of both sides from beginning to end, and its picture for a screen. It runs in the main thread on connections
// of its own, never touches the data of the run, and is held to a number of keys a second.
import type { KeyScope } from '../../validation/key-scope.ts';
import type { Difference } from '../../validation/report.ts';
import { parseSize } from '../../validation/sample-size.ts';
import type { CompareSide } from '../../validation/side.ts';
import type { SettleOptions } from '../../validation/suspects.ts';
import type { Validated } from '../../validation/validate-options.ts';
import type { ValidateProgress } from '../../validation/validate-progress.ts';
import type { ShardVerdict, ValidateResult } from '../../validation/validate-result.ts';
import { Validation } from '../../validation/validation.ts';
import type { KeyName, RepairKind, ValidationSize } from '../contract/command.ts';
import {
  DIFFERENCES_SHOWN,
  type DifferencePicture,
  type RepairState,
  type ValidatedShard,
  type ValidationPicture,
} from '../contract/validation-picture.ts';
import { FerryError, messageOf } from '../errors.ts';

export interface ComparisonOrder {
  readonly size: ValidationSize;
  readonly source: CompareSide;
  readonly target: CompareSide;
  readonly scope: KeyScope;
  /** Only a part of the source is compared: the target's other keys are nobody's extras. */
  readonly sourceOnly: boolean;
  readonly keysPerSecond: number | null;
  readonly toleranceMs: number | undefined;
  /** While a run writes to the target: how far it has come. */
  readonly waitForApplied: SettleOptions['waitForApplied'];
  /** Beside those of the comparison itself. */
  readonly notes: readonly string[];
  readonly changed: () => void;
}

/** Differences kept for an export; more are counted only. */
const DIFFERENCES_KEPT = 10_000;

const NOTHING_YET: ValidateProgress = {
  looking: 'source',
  done: 0,
  total: 0,
  different: 0,
  suspects: 0,
  keysPerSecond: null,
  etaSeconds: null,
  paused: false,
};

export class Comparison {
  /** Settles when it has ended, however it did. */
  readonly ended: Promise<Validated | null>;
  readonly #order: ComparisonOrder;
  readonly #validation: Validation;
  readonly #abort = new AbortController();
  readonly #startedAtMs = Date.now();
  #keysPerSecond: number | null;
  #progress = NOTHING_YET;
  #paused = false;
  #endedAtMs: number | null = null;
  #failure: { readonly cancelled: boolean; readonly message: string } | null = null;
  #validated: Validated | null = null;
  /** Found while it is under way. */
  readonly #found: Difference[] = [];
  readonly #repairs = new Map<Difference, RepairState>();
  #picture: ValidationPicture | null = null;

  /** Begins at once. @throws FerryError when the size is no size. */
  constructor(order: ComparisonOrder) {
    this.#order = order;
    this.#keysPerSecond = order.keysPerSecond;
    const { source, target, scope, sourceOnly, keysPerSecond, toleranceMs, waitForApplied } = order;
    this.#validation = new Validation({
      ...{ source, target, scope, sourceOnly, keysPerSecond, toleranceMs },
      sample: parseSize(order.size),
      settle: { waitForApplied },
      maxDifferences: DIFFERENCES_KEPT,
      showSides: DIFFERENCES_SHOWN,
      onProgress: (progress) => {
        this.#progress = progress;
        this.#changed();
      },
      onDifference: (difference) => {
        if (this.#found.length < DIFFERENCES_SHOWN) this.#found.push(difference);
      },
      signal: this.#abort.signal,
    });
    this.ended = this.#run();
  }

  /** What it came to; null while it is under way, and when it came to nothing. */
  get validated(): Validated | null {
    return this.#validated;
  }

  get size(): ValidationSize {
    return this.#order.size;
  }

  pause(): void {
    this.#paused = true;
    this.#validation.pause();
    this.#changed();
  }

  resume(): void {
    this.#paused = false;
    this.#validation.resume();
    this.#changed();
  }

  cancel(): void {
    this.#abort.abort(new FerryError('The comparison was cancelled.', { code: 'interrupted' }));
  }

  setRate(keysPerSecond: number | null): void {
    this.#keysPerSecond = keysPerSecond;
    this.#validation.setRate(keysPerSecond);
    this.#changed();
  }

  /** How the sides were asked: for who looks at some keys once more. */
  get order(): ComparisonOrder {
    return this.#order;
  }

  /** Confirmed differences of that kind that are not repaired; of `names` only, where given. */
  repairable(kind: RepairKind, names: readonly KeyName[] | null): readonly Difference[] {
    const wanted = names === null ? null : new Set(names.map(({ database, key }) => `${database}:${key}`));
    return (this.#validated?.differences ?? []).filter((difference) => {
      const { aspects, database, key } = difference;
      const repair = this.#repairs.get(difference);
      return (
        aspects.includes('extra') === (kind === 'extra') &&
        (repair === undefined || repair === 'failed') &&
        (wanted === null || wanted.has(`${database}:${key.toString('base64')}`))
      );
    });
  }

  repairOf(difference: Difference): RepairState | null {
    return this.#repairs.get(difference) ?? null;
  }

  noteRepair(differences: readonly Difference[], state: RepairState): void {
    for (const difference of differences) this.#repairs.set(difference, state);
    this.#changed();
  }

  picture(): ValidationPicture {
    this.#picture ??= this.#paint();
    return this.#picture;
  }

  async #run(): Promise<Validated | null> {
    try {
      const validated = await this.#validation.run();
      const notes = [...this.#order.notes, ...validated.result.notes];
      this.#validated = { ...validated, result: { ...validated.result, notes } };
    } catch (error) {
      this.#failure = { cancelled: this.#abort.signal.aborted, message: messageOf(error) };
    }
    this.#endedAtMs = Date.now();
    this.#changed();
    return this.#validated;
  }

  #changed(): void {
    this.#picture = null;
    this.#order.changed();
  }

  #paint(): ValidationPicture {
    const { done, total, different, suspects, keysPerSecond, etaSeconds } = this.#progress;
    const result = this.#validated?.result ?? null;
    const looked = result === null ? done : lookedAt(result);
    return {
      state: this.#state(),
      size: this.#order.size,
      startedAtMs: this.#startedAtMs,
      endedAtMs: this.#endedAtMs,
      done: looked,
      total: result === null ? total : looked,
      ...{ keysPerSecond, etaSeconds },
      mostKeysPerSecond: this.#keysPerSecond,
      suspects: result === null ? suspects : 0,
      different: result?.different ?? different,
      repaired: [...this.#repairs.values()].filter((state) => state === 'repaired').length,
      verdict: result?.verdict ?? this.#failure?.message ?? null,
      outcome: result?.outcome ?? null,
      shards: result?.shards.map(shardPicture) ?? [],
      types: Object.entries(result?.types ?? {}).map(([type, verdict]) => ({ type, ...verdict })),
      notes: result?.notes ?? this.#order.notes,
      differences: this.#differences(),
    };
  }

  #state(): ValidationPicture['state'] {
    if (this.#validated !== null) return 'done';
    if (this.#failure !== null) return this.#failure.cancelled ? 'cancelled' : 'failed';
    return this.#paused ? 'paused' : 'running';
  }

  #differences(): readonly DifferencePicture[] {
    const { differences, bothSides } = this.#validated ?? { differences: this.#found, bothSides: [] };
    return differences.slice(0, DIFFERENCES_SHOWN).map((difference, index) => ({
      ...difference,
      key: difference.key.toString('base64'),
      diff: bothSides[index] ?? [],
      repair: this.#repairs.get(difference) ?? null,
    }));
  }
}

function lookedAt({ shards }: ValidateResult): number {
  return shards.reduce((sum, { looked }) => sum + looked, 0);
}

function shardPicture({ side, address, keys, looked, different, bound }: ShardVerdict): ValidatedShard {
  return { side, address, keys, looked, different, fraction: bound?.fraction ?? null };
}
