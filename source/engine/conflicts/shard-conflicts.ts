// The settled conflicts of one shard: counted all, and told to the main thread in bunches for the view and the file.

import type { ConflictCounts, ToldConflict } from '../contract/conflict.ts';
import { printableKey } from '../shard/refusal.ts';
import type { Settled } from './conflict-entry.ts';

export class ShardConflicts {
  readonly #shard: string;
  #rewritten = 0;
  #ignored = 0;
  #alreadyThere = 0;
  #dropped = 0;
  #untold: ToldConflict[] = [];

  /** @param shard the shard's name. */
  constructor(shard: string) {
    this.#shard = shard;
  }

  get counts(): ConflictCounts {
    return {
      rewritten: this.#rewritten,
      ignored: this.#ignored,
      alreadyThere: this.#alreadyThere,
      dropped: this.#dropped,
    };
  }

  alreadyThere(): void {
    this.#alreadyThere++;
  }

  /** Commands of the stream that go to a key that was kept. */
  dropped(): void {
    this.#dropped++;
  }

  settled({ database, key, outcome, difference, types }: Settled): void {
    if (outcome === 'rewritten') this.#rewritten++;
    else this.#ignored++;
    this.#untold.push({
      timeMs: Date.now(),
      shard: this.#shard,
      database,
      key: printableKey(key),
      keyBase64: key.toString('base64'),
      outcome,
      difference,
      type: types,
    });
  }

  /** Those since the last call. */
  take(): readonly ToldConflict[] {
    const untold = this.#untold;
    this.#untold = [];
    return untold;
  }
}
