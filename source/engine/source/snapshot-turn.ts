// A shard's turn to have its source make a snapshot: of one host only so many may at the same time (snapshot-permits.ts, on the
// main thread). It is asked for before the snapshot is, and given back when that has arrived.

import type { FeedHost } from '../shard/shard-feed.ts';

export class SnapshotTurn {
  readonly #shard: number;
  readonly #host: Pick<FeedHost, 'life' | 'post'>;
  /** Resolves the wait. */
  #granted: (() => void) | null = null;
  #held = false;

  constructor(shard: number, host: Pick<FeedHost, 'life' | 'post'>) {
    this.#shard = shard;
    this.#host = host;
  }

  /** Resolves when it is the shard's. */
  wait(): Promise<void> {
    if (this.#held) return Promise.resolve();
    this.#host.life.waitFor('other shards of the same host are being copied (limits.snapshotsAtOnce)');
    return new Promise((resolve) => {
      this.#granted = resolve;
      this.#host.post({ type: 'permit-wanted', shard: this.#shard });
    });
  }

  grant(): void {
    this.#held = true;
    this.#host.life.waitFor(null);
    this.#granted?.();
    this.#granted = null;
  }

  giveBack(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#host.post({ type: 'permit-returned', shard: this.#shard });
  }
}
