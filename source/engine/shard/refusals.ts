// The writes of one shard that do not reach the target: counted all, told to the main thread in bunches.
import type { Refusal } from '../contract/result.ts';
import { refusalOf } from './refusal.ts';

/** Refusals told in full between two samples; what is above that is only counted. */
const MOST_TOLD = 200;

export class Refusals {
  count = 0;
  readonly #shard: string;
  #untold: Refusal[] = [];

  /** @param shard the shard's name. */
  constructor(shard: string) {
    this.#shard = shard;
  }

  add(database: number, args: readonly Buffer[], reason: string): void {
    this.count++;
    if (this.#untold.length < MOST_TOLD) this.#untold.push(refusalOf(this.#shard, database, args, reason));
  }

  /** Those since the last call. */
  take(): readonly Refusal[] {
    const untold = this.#untold;
    this.#untold = [];
    return untold;
  }
}
