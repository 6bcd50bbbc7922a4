// What is kept of one shard for the process that may have to go on with it: its lease on the target, and its state, in a
// file here and beside the lease. The state is written only under a lease that is held.
import type { ShardProgress } from '../../checkpoint/shard-state.ts';
import type { SlotBitmap } from '../../checkpoint/slot-bitmap.ts';
import { removeShardState, ShardStateStore } from '../../checkpoint/state-store.ts';
import { type FerryError, messageOf } from '../errors.ts';
import type { ShardEnd, ShardSample } from './shard-job.ts';
import { type LeaseTerms, ShardLease } from './shard-lease.ts';
import { copyingAnew, resumesAlike, slotsMarkedBy, streamingAt } from './shard-progress.ts';

export interface CheckpointedShard {
  readonly id: number;
  readonly name: string;
  /** In the names of its markers; that of the process that began. */
  readonly run: string;
  /** What is known of it now: what was stored, or what a new shard is. */
  readonly progress: ShardProgress;
  /** Slots that have markers. */
  readonly markedSlots: SlotBitmap;
  /** Nothing of it was left by another process. */
  readonly isNew: boolean;
}

export interface ResumableOptions extends LeaseTerms {
  readonly folder: string;
  readonly engineVersion: string;
  readonly saveEveryMs: number;
  /** The target is a cluster, in which each slot has a marker. */
  readonly marksSlots: boolean;
}

export interface ResumableHost {
  /** This process must not write for the shard any more. */
  lost(error: FerryError): void;
  notice(level: 'info' | 'warn' | 'error', message: string): void;
}

export class ResumableShard {
  readonly #shard: CheckpointedShard;
  readonly #options: ResumableOptions;
  readonly #host: ResumableHost;
  readonly #store: ShardStateStore;
  readonly #lease: ShardLease;
  #progress: ShardProgress;
  #attempt = 0;
  #done = false;
  /** Settled when it is on disk that the shard is copied anew. */
  #anew: Promise<void> = Promise.resolve();
  /** Somebody else works on it now, and what is kept of it is theirs. */
  #taken: FerryError | null = null;
  /** Set when the shard has ended. */
  #ending: Promise<void> | null = null;

  constructor(shard: CheckpointedShard, options: ResumableOptions, host: ResumableHost) {
    const { folder, engineVersion, saveEveryMs } = options;
    this.#shard = shard;
    this.#options = options;
    this.#host = host;
    this.#progress = shard.progress;
    this.#lease = new ShardLease(options, shard, {
      state: () => this.#store.state(),
      isAtWork: () => this.#ending === null && this.#taken === null,
      taken: (error) => this.#leave(error),
      notice: (level, message) => host.notice(level, message),
    });
    this.#store = new ShardStateStore({
      folder,
      run: shard.run,
      shard: shard.name,
      engineVersion,
      saveEveryMs,
      markedSlots: shard.markedSlots,
      recopied: [],
      progress: () => this.#progress,
      mayWrite: () => this.#lease.held,
      trouble: (error) => this.#stateTrouble(error),
    });
  }

  /** Everything of it is on the target. */
  get done(): boolean {
    return this.#done;
  }

  /** @throws FerryError `lease`, naming who has it. */
  async acquire(): Promise<void> {
    await this.#lease.acquire();
  }

  /** Says on disk and on the target where it stands. @throws FerryError `state` */
  async save(): Promise<void> {
    await this.#store.save();
    await this.#lease.renew();
  }

  /** Whether it is known what the target held before the run. @throws FerryError `state` */
  async setBefore(before: ShardProgress['before']): Promise<void> {
    this.#progress = { ...this.#progress, before };
    await this.save();
  }

  /** How far it is. */
  take(sample: ShardSample): void {
    if (this.#ending !== null) return;
    if (this.#attempt !== 0 && sample.attempt > this.#attempt) this.#beginsAnew();
    this.#attempt = sample.attempt;
    const { checkpoint } = sample;
    if (checkpoint === null) return;
    const former = this.#progress;
    const progress = streamingAt(former, checkpoint, sample);
    const alike = resumesAlike(former, progress);
    const begins = former.phase !== 'streaming';
    if (!begins && alike && former.offset === progress.offset) return;
    if (begins && this.#options.marksSlots) this.#store.markSlots(slotsMarkedBy(checkpoint));
    this.#progress = progress;
    // What a resume must not overlook is written at once.
    if (alike && !begins) this.#store.changed();
    else this.#store.save().catch(() => this.#store.changed());
    if (begins || !alike) void this.#lease.renew();
  }

  /** Whether this process certainly still has the lease. */
  async held(): Promise<boolean> {
    await this.#anew;
    return this.#lease.renew();
  }

  /** How the shard has ended, which is a failure when another process has taken it. */
  endOf(end: ShardEnd): ShardEnd {
    return this.#taken === null ? end : { reason: 'failed', message: this.#taken.message };
  }

  /** It was left, and is copied anew; see RunCheckpoints. @throws FerryError `state` */
  async copyAnew(): Promise<void> {
    this.#progress = copyingAnew(this.#progress);
    await this.#store.forgetSlots();
    await this.#lease.renew();
  }

  /** The shard had ended and begins once more; what its samples tell counts again. */
  revived(): void {
    this.#ending = null;
    this.#done = false;
  }

  /** @param done everything of the shard is on the target. */
  ended(done: boolean): Promise<void> {
    this.#ending ??= this.#end(done);
    return this.#ending;
  }

  /**
   * A copy that has just begun is nothing to go on with, unless its keys are known to be its own.
   * @param undecided the run ended with a conflict: who begins it again does so with another policy.
   * @param hasBegun the run did.
   */
  isWorthKeeping(undecided: boolean, hasBegun: boolean): boolean {
    const { phase, targetWasEmpty, before } = this.#progress;
    if (phase !== 'copying') return true;
    const tellsOwn = targetWasEmpty || (before === 'noted' && !undecided);
    return tellsOwn && (hasBegun || !this.#shard.isNew);
  }

  /** @param done nothing of the run is left to go on with. */
  async letGo(done: boolean): Promise<void> {
    if (this.#taken !== null) return;
    try {
      await this.#store.close();
      if (done) await removeShardState(this.#options.folder, this.#shard.name);
      await this.#lease.release(done);
    } catch (error) {
      this.#untidy(error);
    }
  }

  async #end(done: boolean): Promise<void> {
    this.#done = done;
    if (this.#taken !== null) return;
    try {
      if (done) {
        // Its markers are gone from the target. It is remembered as long as others of the run are not done.
        this.#progress = { ...this.#progress, phase: this.#progress.offset === null ? 'copying' : 'copied' };
        await this.#store.forgetSlots();
      } else {
        await this.#store.save();
      }
      await this.#lease.renew();
    } catch (error) {
      this.#untidy(error);
    }
  }

  /** What it wrote so far is going to be taken off the target: nothing of it is to be gone on with. */
  #beginsAnew(): void {
    this.#progress = copyingAnew(this.#progress);
    this.#anew = this.#store.forgetSlots().catch(() => {});
    void this.#lease.renew();
  }

  #leave(error: FerryError): void {
    this.#taken = error;
    this.#store.abandon();
    this.#host.lost(error);
  }

  #untidy(error: unknown): void {
    this.#host.notice('warn', `What is kept of this shard could not be put in order: ${messageOf(error)}`);
  }

  #stateTrouble(error: FerryError | null): void {
    if (error !== null) this.#host.notice('error', error.message);
    else this.#host.notice('info', 'The state of this shard is written again.');
  }
}
