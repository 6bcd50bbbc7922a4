// Holds a comparison to a number of keys a second, over all nodes together, without a burst at the start; and pauses it.
import { setTimeout as delay } from 'node:timers/promises';

/** How soon a paused comparison notices that it may go on, or must end. */
const PAUSE_LOOK_MS = 100;

export class Pace {
  /** null does not hold anything up. May be changed at any time. */
  keysPerSecond: number | null;
  paused = false;
  /** When the next keys may be looked at. */
  #freeAtMs = 0;

  constructor(keysPerSecond: number | null) {
    this.keysPerSecond = keysPerSecond;
  }

  /** Waits until `keys` more may be looked at. Rejects with the signal's reason. */
  async take(keys: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    while (this.paused) await wait(PAUSE_LOOK_MS, signal);
    if (this.keysPerSecond === null || keys === 0) return;
    const nowMs = performance.now();
    const startMs = Math.max(nowMs, this.#freeAtMs);
    this.#freeAtMs = startMs + (keys / this.keysPerSecond) * 1000;
    if (startMs > nowMs) await wait(startMs - nowMs, signal);
  }
}

/** Rejects with the signal's own reason, not with one that only says that it was aborted. */
export async function wait(forMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(forMs, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
