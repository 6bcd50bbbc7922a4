// Notices a link that nobody closes and over which nothing comes any more: a firewall forgot it, the other end is frozen
// or its machine is gone. TCP itself may take a quarter of an hour (tcp_retries2 of Linux) to say so.

const TICK_MS = 1000;

/**
 * Counts the seconds in which something was due and did not come. They are ticks of a timer and no difference of two
 * clocks: a process that was stopped for an hour finds one tick when it goes on, reads what has come, and starts anew.
 */
export class SilenceWatch {
  readonly #limitSeconds: () => number | null;
  readonly #onSilent: (seconds: number) => void;
  #timer: NodeJS.Timeout | null = null;
  #silentSeconds = 0;

  /**
   * @param limitSeconds how much silence is too much at this moment; null while none is.
   * @param onSilent told once; the watch has ended then.
   */
  constructor(limitSeconds: () => number | null, onSilent: (seconds: number) => void) {
    this.#limitSeconds = limitSeconds;
    this.#onSilent = onSilent;
  }

  /** Counts from now on, also when it did before. */
  start(): void {
    this.stop();
    this.#silentSeconds = 0;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Something came. */
  heard(): void {
    this.#silentSeconds = 0;
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(): void {
    const limit = this.#limitSeconds();
    if (limit === null) {
      this.#silentSeconds = 0;
      return;
    }
    this.#silentSeconds++;
    if (this.#silentSeconds < limit) return;
    this.stop();
    this.#onSilent(this.#silentSeconds);
  }
}
