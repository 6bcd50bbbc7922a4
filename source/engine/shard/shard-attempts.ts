// The attempts to carry one shard. The present one has the passage; when that broke for good the next begins after a while,
// on the nodes that are there then, and takes off the target what the one before has written (shard-passage.ts).

import { FerryError, toFerryError } from '../errors.ts';
import type { FromWorker, ShardJob } from '../run/shard-job.ts';
import type { OwnedSlots } from '../source/owned-slots.ts';
import { nextAttempt } from './next-attempt.ts';
import type { ShardLife } from './shard-life.ts';
import { type PassageHost, ShardPassage } from './shard-passage.ts';
import { refreshJob, restartDelayMs } from './shard-restart.ts';

/** What the pipeline gives to its attempts. */
export interface AttemptsHost {
  readonly life: ShardLife;
  /** The shard has its end: nothing begins any more. */
  readonly ended: boolean;
  /** What each passage is given, but for what depends on which of them is the present one. */
  readonly passage: Omit<PassageHost, 'current' | 'broken'>;
  /** Whether this process may still write for the shard. */
  mayWrite(): Promise<boolean>;
  /** What was written until now does not count: it is taken off the target again. */
  letGo(): void;
  /** The next attempt begins now. */
  begins(): void;
  tellSample(): void;
  notice(level: 'warn', message: string): void;
  post(message: FromWorker): void;
  /** The present passage met what it can not go on from. */
  broken(error: FerryError): void;
}

const NOT_OURS = 'Whether this process may still write for the shard is not certain.';

export class ShardAttempts {
  /** Where both sides are may change from one attempt to the next. */
  job: ShardJob;
  /** Of the present attempt, or of the last one while the next is waited for. */
  passage: ShardPassage;
  /** Of the present attempt; the first is 1. */
  number: number;
  readonly #host: AttemptsHost;
  /** Of a cluster's node: the slots that the pipeline carries. */
  readonly #slots: OwnedSlots | null;
  /** Since the shard last streamed. */
  #failures = 0;
  #timer: NodeJS.Timeout | null = null;
  /** The attempt that the timer is for. */
  #next: (() => void) | null = null;
  #paused = false;
  /** In the attempts before this one. */
  #divergedBefore = 0;

  constructor(job: ShardJob, slots: OwnedSlots | null, host: AttemptsHost) {
    this.job = job;
    this.number = job.attempt;
    this.#slots = slots;
    this.#host = host;
    this.passage = this.#makePassage();
  }

  /** Between two attempts: the next is waited for, or being prepared. */
  get waiting(): boolean {
    return this.#timer !== null;
  }

  /** Keys of all attempts whose target copy was seen to differ. */
  get diverged(): number {
    return this.#divergedBefore + this.#divergedNow;
  }

  set paused(paused: boolean) {
    this.#paused = paused;
    this.passage.pump.paused = paused;
  }

  /** Connects to the target, then to the source. Never rejects. */
  async start(): Promise<void> {
    const { passage } = this;
    if (this.number > 1) {
      // Another thread died on it: both sides are looked at anew.
      const { life } = this.#host;
      life.hasBegun = true;
      life.on('begin-anew');
      passage.stop();
      await this.#beginAnew(passage);
      return;
    }
    try {
      await this.#run(passage);
    } catch (error) {
      if (passage === this.passage) this.#host.broken(toFerryError(error));
    }
  }

  /** Lets go of everything and begins anew after a while. */
  restart(error: FerryError): void {
    const { life } = this.#host;
    this.number++;
    const delayMs = this.#nextDelayMs();
    const message = `${error.message} This shard begins a new full sync (attempt ${this.number}).`;
    this.#host.notice('warn', message);
    life.setError(error.message);
    life.waitFor(nextAttempt(delayMs, message));
    life.on('begin-anew');
    this.passage.stop();
    this.#host.letGo();
    this.#beginAnewAfter(delayMs, this.passage);
  }

  /** Waits no longer for the next attempt. false: none is waited for. */
  now(): boolean {
    const next = this.#next;
    if (next === null) return false;
    // What waits is told apart by its timer, which stays until the attempt is made.
    if (this.#timer !== null) clearTimeout(this.#timer);
    next();
    return true;
  }

  /** None begins any more, and the present one moves nothing more. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.passage.stop();
  }

  get #divergedNow(): number {
    return this.passage.feed.recopier?.divergedKeys ?? 0;
  }

  #makePassage(): ShardPassage {
    return new ShardPassage(this.job, this.#slots, {
      ...this.#host.passage,
      current: (passage) => passage === this.passage && !this.#host.ended && !this.waiting,
      broken: (thrown) => this.#host.broken(toFerryError(thrown)),
    });
  }

  #run(passage: ShardPassage): Promise<void> {
    return passage.start(() => !this.#host.ended && passage === this.passage);
  }

  #beginAnewAfter(delayMs: number, former: ShardPassage): void {
    const begin = (): void => {
      this.#next = null;
      void this.#beginAnew(former);
    };
    this.#next = begin;
    this.#timer = setTimeout(begin, delayMs);
  }

  async #beginAnew(former: ShardPassage): Promise<void> {
    const host = this.#host;
    try {
      await former.release();
      // In this order: the state says that the shard is copied anew before anything of it is taken off the target.
      host.tellSample();
      if (!(await host.mayWrite())) throw new FerryError(NOT_OURS, { code: 'lease', retriable: true });
      this.job = { ...(await refreshJob(this.#carried())), attempt: this.number, resume: null };
    } catch (error) {
      if (!host.ended) this.#restartLater(toFerryError(error), former);
      return;
    }
    if (host.ended) return;
    const { id, origin } = this.job;
    if (origin.kind === 'server') host.post({ type: 'moved', shard: id, address: origin.address });
    this.#timer = null;
    host.begins();
    host.life.on('retry');
    host.life.waitFor(null);
    this.#divergedBefore += this.#divergedNow;
    const passage = this.#makePassage();
    this.passage = passage;
    passage.pump.paused = this.#paused;
    try {
      await this.#run(passage);
    } catch (error) {
      if (!host.ended && passage === this.passage && !this.waiting) {
        host.life.on('link-lost');
        this.#restartLater(toFerryError(error), passage);
      }
    }
  }

  /** The job with the slots that the pipeline carries now. */
  #carried(): ShardJob {
    const { origin } = this.job;
    if (origin.kind === 'file' || this.#slots === null) return this.job;
    return { ...this.job, origin: { ...origin, slots: this.#slots.ranges } };
  }

  /** A side can not be reached yet. */
  #restartLater(error: FerryError, passage: ShardPassage): void {
    const { life } = this.#host;
    this.number++;
    const delayMs = this.#nextDelayMs();
    life.setError(error.message);
    life.waitFor(nextAttempt(delayMs, error.message));
    this.#beginAnewAfter(delayMs, passage);
  }

  /** Grows with each failure until the shard streams again: one that did for days waits no longer than at first. */
  #nextDelayMs(): number {
    const { life } = this.#host;
    if (life.hasStreamed) this.#failures = 0;
    life.hasStreamed = false;
    this.#failures++;
    return restartDelayMs(this.#failures + 1);
  }
}
