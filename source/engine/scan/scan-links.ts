// What becomes of a scanned shard's state as the links to its source, and what tells of the source's changes, come and go.

import type { FerryError } from '../errors.ts';
import { nextAttempt } from '../shard/next-attempt.ts';
import type { FeedHost } from '../shard/shard-feed.ts';
import type { ScanChanges } from './scan-changes.ts';
import type { ScanPlace } from './scan-place.ts';

export class ScanLinks {
  readonly #host: Pick<FeedHost, 'life' | 'notice' | 'once'>;
  readonly #place: ScanPlace;
  /** null: changes are not followed. */
  readonly #changes: ScanChanges | null;
  #begun = false;
  #up = false;

  constructor(host: Pick<FeedHost, 'life' | 'notice' | 'once'>, place: ScanPlace, changes: ScanChanges | null) {
    this.#host = host;
    this.#place = place;
    this.#changes = changes;
  }

  /** The links are there. @returns whether it is for the first time. */
  connected(): boolean {
    const { life } = this.#host;
    this.#up = true;
    this.#place.certain = true;
    life.waitFor(null);
    life.clearError();
    if (this.#begun) {
      this.#host.notice('info', 'The links to the source are back; what was on its way is fetched again.');
      this.#goOn();
      return false;
    }
    this.#begun = true;
    life.on('connected');
    return true;
  }

  lost(error: FerryError, delayMs: number): void {
    const { life } = this.#host;
    this.#up = false;
    this.#place.certain = !this.#begun;
    life.setError(error.message);
    life.waitFor(nextAttempt(delayMs, error.message));
    this.#host.once('warn', `${error.message} Trying again.`);
    // A shard that is still scanning keeps that state; what broke comes back beside it.
    if (life.state === 'catching-up' || life.state === 'streaming') life.on('link-lost');
  }

  /** Changes are told again. */
  followed(): void {
    const { life } = this.#host;
    this.#goOn();
    if (life.state === 'catching-up') life.waitFor(null);
  }

  /**
   * Nothing tells of changes. Nothing is retried where a setting is missing: the shard stays where it is and says what it
   * waits for.
   */
  followedNoLonger(): void {
    const { life } = this.#host;
    if (life.state !== 'streaming') return;
    for (const event of ['link-lost', 'retry', 'connected', 'continued'] as const) life.on(event);
  }

  /** Both the links and the changes are there again. */
  #goOn(): void {
    const { life } = this.#host;
    if (life.state !== 'retrying' || !this.#up || !(this.#changes?.following ?? true)) return;
    for (const event of ['retry', 'connected', 'continued'] as const) life.on(event);
    life.clearError();
    life.waitFor(null);
  }
}
