// Holds one shard to a rate, in bytes of the source and in operations (keys of the snapshot, commands of the stream; a
// MULTI block counts as one). Two buckets that fill with time and may be overdrawn: what is read is read in pieces, and a
// piece too much is waited off afterwards, so that the mean is exact. Without a limit it costs nothing.
import { steadyMs } from '../steady-clock.ts';

/** What a shard may do a second; null is as much as it can. */
export interface Rate {
  readonly bytesPerSecond: number | null;
  readonly operationsPerSecond: number | null;
}

export const UNLIMITED: Rate = { bytesPerSecond: null, operationsPerSecond: null };

/** Share of a second that may be saved up: longer makes bursts that the target feels. */
const BURST_SECONDS = 0.1;
/** A wait shorter than this is not worth a timer. */
const LEAST_WAIT_MS = 5;
const MOST_WAIT_MS = 1000;
/** Before anything was counted. */
const FIRST_GUESS_BYTES = 128;
/** How far the mean size of an operation follows each count. */
const FOLLOW = 0.2;

/** @param clock milliseconds that never go back. */
export class RateGate {
  /** All that went through: for the rates that are measured. */
  bytes = 0;
  operations = 0;
  readonly #clock: () => number;
  #rate: Rate = UNLIMITED;
  #byteCredit = 0;
  #operationCredit = 0;
  #filledAtMs: number;
  #bytesEach = FIRST_GUESS_BYTES;
  #heldAtMs: number | null = null;

  constructor(clock: () => number = steadyMs) {
    this.#clock = clock;
    this.#filledAtMs = clock();
  }

  /** A debt made under another rate is forgiven: it may be minutes at the new one. */
  setRate(rate: Rate): void {
    if (
      rate.bytesPerSecond === this.#rate.bytesPerSecond &&
      rate.operationsPerSecond === this.#rate.operationsPerSecond
    )
      return;
    this.#refill();
    this.#rate = rate;
    this.#byteCredit = Math.max(0, this.#byteCredit);
    this.#operationCredit = Math.max(0, this.#operationCredit);
  }

  /** Bytes that may be read now: Infinity without a limit, 0 when it is time to wait. */
  allowance(): number {
    const { bytesPerSecond, operationsPerSecond } = this.#rate;
    if (bytesPerSecond === null && operationsPerSecond === null) return Number.POSITIVE_INFINITY;
    this.#refill();
    const byBytes = bytesPerSecond === null ? Number.POSITIVE_INFINITY : this.#byteCredit;
    const byOperations =
      operationsPerSecond === null ? Number.POSITIVE_INFINITY : this.#operationCredit * this.#bytesEach;
    return Math.max(0, Math.ceil(Math.min(byBytes, byOperations)));
  }

  /** What was read and handed on since the last call. */
  spend(bytes: number, operations: number): void {
    this.bytes += bytes;
    this.operations += operations;
    this.#byteCredit -= bytes;
    this.#operationCredit -= operations;
    if (operations > 0) this.#bytesEach += (bytes / operations - this.#bytesEach) * FOLLOW;
  }

  /** @param wanted there is something to read. Gives how long to wait for an allowance, milliseconds. */
  hold(wanted: boolean): number {
    if (wanted) this.#heldAtMs = this.#clock();
    const { bytesPerSecond, operationsPerSecond } = this.#rate;
    const forBytes = waitFor(bytesPerSecond, this.#byteCredit);
    const forOperations = waitFor(operationsPerSecond, this.#operationCredit);
    return Math.min(MOST_WAIT_MS, Math.max(LEAST_WAIT_MS, forBytes, forOperations));
  }

  /** Whether the limit has held the shard back in the last second. */
  get isHolding(): boolean {
    return this.#heldAtMs !== null && this.#clock() - this.#heldAtMs < MOST_WAIT_MS + LEAST_WAIT_MS;
  }

  #refill(): void {
    const nowMs = this.#clock();
    const seconds = (nowMs - this.#filledAtMs) / 1000;
    this.#filledAtMs = nowMs;
    this.#byteCredit = filled(this.#byteCredit, this.#rate.bytesPerSecond, seconds);
    this.#operationCredit = filled(this.#operationCredit, this.#rate.operationsPerSecond, seconds);
  }
}

function filled(credit: number, rate: number | null, seconds: number): number {
  return rate === null ? 0 : Math.min(Math.max(1, rate * BURST_SECONDS), credit + rate * seconds);
}

/** Until half of a burst is there again, milliseconds. */
function waitFor(rate: number | null, credit: number): number {
  if (rate === null || rate <= 0) return rate === null ? 0 : MOST_WAIT_MS;
  return ((rate * (BURST_SECONDS / 2) - credit) / rate) * 1000;
}
