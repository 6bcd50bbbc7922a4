// Which keys of the target a scan may replace and remove: its own, whichever shard of the run has written them, and not those
// that were there before. What was there was noted before the run wrote anything (keys-before.ts), so that of those keys
// alone is remembered what became of them; where it could not be noted, of all that this shard writes.
import { dirname } from 'node:path';
import { KeyHash } from '../../readers/scan/key-hash.ts';
import { OwnKeys } from '../../readers/scan/own-keys.ts';
import { KeptKeys } from '../../writers/kept-keys.ts';
import type { ShardJob } from '../run/shard-job.ts';

/** sent: to a key that may be there already, and not answered yet. */
export type Standing = 'own' | 'sent' | 'unknown';

export class WrittenKeys {
  readonly #targetWasEmpty: boolean;
  readonly #before: KeptKeys | null;
  readonly #own = new OwnKeys();
  readonly #hash = new KeyHash();
  /** What was sent and is not answered, and which of that the target's own value kept out. */
  #sent = new OwnKeys();
  #left = new OwnKeys();
  readonly #unanswered: number[] = [];

  /** @throws FerryError `spool` */
  constructor({ targetWasEmpty, beforeFile }: Pick<ShardJob, 'targetWasEmpty' | 'beforeFile'>) {
    this.#targetWasEmpty = targetWasEmpty;
    this.#before = beforeFile === null ? null : new KeptKeys(dirname(beforeFile), 'before', beforeFile);
    this.#before?.restore();
  }

  /** @param database of the target. @throws FerryError `spool` */
  standing(database: number, bytes: Buffer, start: number, length: number): Standing {
    if (this.#targetWasEmpty || this.#before?.has(database, bytes, start, length) === false) return 'own';
    this.#hash.of(database, bytes, start, length);
    const { low, high } = this.#hash;
    if (this.#own.has(low, high)) return 'own';
    return this.#sent.has(low, high) ? 'sent' : 'unknown';
  }

  /** That key was sent; whether the target has taken it is not known. */
  send(database: number, bytes: Buffer, start: number, length: number): void {
    this.#hash.of(database, bytes, start, length);
    const { low, high } = this.#hash;
    this.#sent.add(low, high);
    this.#unanswered.push(low, high);
  }

  /** The target's own value was left where it is. */
  leave(database: number, key: Buffer): void {
    this.#hash.of(database, key, 0, key.length);
    this.#left.add(this.#hash.low, this.#hash.high);
  }

  /** Everything is answered: what was sent and not left is the run's. */
  confirm(): void {
    if (this.#unanswered.length === 0) return;
    for (let i = 0; i < this.#unanswered.length; i += 2) {
      const [low, high] = [this.#unanswered[i] as number, this.#unanswered[i + 1] as number];
      if (!this.#left.has(low, high)) this.#own.add(low, high);
    }
    this.#unanswered.length = 0;
    this.#sent = new OwnKeys();
    this.#left = new OwnKeys();
  }

  close(): void {
    this.#before?.close();
  }
}
