// What a comparison has found: every differing key once, with all aspects that differ, and the counts by aspect.

import type { SidedKey } from './database-numbers.ts';

/** `missing`: only on the source; `extra`: only on the target; `field-ttl` counts as `ttl`. */
export type Aspect = 'missing' | 'extra' | 'type' | 'value' | 'ttl' | 'field-ttl';

export interface Difference {
  /** Of the source; of an extra key the target's. */
  readonly database: number;
  readonly key: Buffer;
  readonly type: string;
  readonly aspects: readonly Aspect[];
  /** What differs, in words, one clause for each aspect. */
  readonly detail: string;
}

/** As it is looked for again. */
export function sidedKey({ database, aspects }: Pick<Difference, 'database' | 'aspects'>): SidedKey {
  return { side: aspects.includes('extra') ? 'target' : 'source', database };
}

export interface CompareProgress {
  readonly checked: number;
  /** Keys of the source, and of the target once its own keys are looked at. */
  readonly total: number;
  readonly differences: number;
  readonly looking: 'source' | 'target';
}

export interface CompareReport {
  /** Keys looked at: those of the source, and those found only on the target. */
  readonly checked: number;
  readonly equal: number;
  /** At most `maxDifferences` of them; the counts go on. */
  readonly differences: readonly Difference[];
  readonly missing: number;
  readonly extra: number;
  readonly type: number;
  readonly value: number;
  readonly ttl: number;
  /** Keys that expired, or were about to, while being compared: neither equal nor different. */
  readonly expiring: number;
  /** What could not be compared on this pair of servers. */
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** Names kept to recognise a key that SCAN gives twice; beyond that memory counts for more than an exact count. */
const NAMES_KEPT = 200_000;

export class ReportBuilder {
  checked = 0;
  equal = 0;
  expiring = 0;
  different = 0;
  readonly #startedAt = performance.now();
  readonly #maxDifferences: number;
  readonly #differences: Difference[] = [];
  readonly #seen = new Set<string>();
  readonly #counts = { missing: 0, extra: 0, type: 0, value: 0, ttl: 0 };
  readonly #notes = new Set<string>();
  #drifted = 0;

  constructor(maxDifferences: number) {
    this.#maxDifferences = maxDifferences;
  }

  /** SCAN may give a key twice: the second time counts for nothing. */
  add(difference: Difference): void {
    const name = `${difference.database}:${difference.key.toString('latin1')}`;
    if (this.#seen.has(name)) return;
    if (this.#seen.size < NAMES_KEPT) this.#seen.add(name);
    this.checked += 1;
    this.different += 1;
    for (const aspect of difference.aspects) this.#counts[aspect === 'field-ttl' ? 'ttl' : aspect] += 1;
    if (this.#differences.length >= this.#maxDifferences) return;
    // A copy: the key is a view into a chunk of 64 KB, which it would keep alive.
    this.#differences.push({ ...difference, key: Buffer.from(difference.key) });
  }

  note(sentence: string): void {
    this.#notes.add(sentence);
  }

  /** A stream group whose entries-read differs, which is no difference of the copy. */
  drift(): void {
    this.#drifted += 1;
  }

  build(): CompareReport {
    if (this.#drifted > 0) {
      this.note(
        `The entries-read of ${this.#drifted} stream groups differ: replication itself does not carry this estimate.`,
      );
    }
    return {
      checked: this.checked,
      equal: this.equal,
      differences: this.#differences,
      ...this.#counts,
      expiring: this.expiring,
      notes: [...this.#notes],
      seconds: (performance.now() - this.#startedAt) / 1000,
    };
  }
}
