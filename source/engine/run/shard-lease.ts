// One shard's lease on the target, kept for as long as this process works on the shard. A lease that could not be renewed
// in time is asked for again: whether it is still ours to have shows in the state beside it.
import {
  acquireLease,
  describeHolder,
  type Lease,
  type LeaseOptions,
  type LeaseOutcome,
  readLeftState,
} from '../../checkpoint/lease.ts';
import type { StoredShard } from '../../checkpoint/shard-state.ts';
import { EXIT, FerryError } from '../errors.ts';

/** How long to wait before a lease that could not be renewed is asked for again. */
const REACQUIRE_MS = 2000;
/** A reply may be lost: then the target has one that we do not know of. */
const STATES_REMEMBERED = 4;

/** What all leases of a run have in common. */
export interface LeaseTerms {
  readonly migration: string;
  readonly leaseMs: number;
  /** How often the state on the target is brought up to date. */
  readonly renewEveryMs: number;
  /** Where the lease of a shard is asked for, and all masters of the target. */
  readonly target: (shard: string) => Pick<LeaseOptions, 'home' | 'nodes'>;
}

export interface LeaseHost {
  /** Goes to the target with each renewal. */
  state(): StoredShard;
  /** The shard is still at work; a lease that was lost is asked for again. */
  isAtWork(): boolean;
  /** Somebody else works on the shard now, and what is kept of it is theirs. */
  taken(error: FerryError): void;
  notice(level: 'info' | 'warn', message: string): void;
}

export class ShardLease {
  readonly #terms: LeaseTerms;
  readonly #shard: { readonly name: string; readonly run: string };
  readonly #host: LeaseHost;
  #lease: Lease | null = null;
  /** When the states were saved that the target has from us, the last ones first. */
  #told: readonly string[] = [];

  constructor(terms: LeaseTerms, shard: { readonly name: string; readonly run: string }, host: LeaseHost) {
    this.#terms = terms;
    this.#shard = shard;
    this.#host = host;
  }

  /** As far as this process knows. */
  get held(): boolean {
    return this.#lease?.held ?? false;
  }

  /** @throws FerryError `lease`, naming who has it. */
  async acquire(): Promise<void> {
    const outcome = await this.#ask();
    if (outcome.status === 'busy') throw busyError(this.#shard.name, outcome);
    this.#lease = outcome.lease;
  }

  /** @returns whether it is certainly ours. */
  async renew(): Promise<boolean> {
    return this.#lease !== null && (await this.#lease.renew());
  }

  /** @param done the state beside it goes too. */
  async release(done: boolean): Promise<void> {
    await this.#lease?.release(done);
  }

  #ask(): Promise<LeaseOutcome> {
    const { migration, leaseMs, renewEveryMs, target } = this.#terms;
    const { name, run } = this.#shard;
    return acquireLease({
      migration,
      run,
      shard: name,
      expiryMs: leaseMs,
      renewEveryMs,
      ...target(name),
      state: () => {
        const state = this.#host.state();
        this.#told = [state.savedAt, ...this.#told].slice(0, STATES_REMEMBERED);
        return state;
      },
      lost: (error) => void this.#lost(error),
    });
  }

  /** The target was away for longer than a lease lasts, or somebody else has it, or had it: only the first is not the end. */
  async #lost(error: FerryError): Promise<void> {
    this.#lease = null;
    this.#host.notice('warn', `${error.message} It is asked for again.`);
    while (this.#host.isAtWork()) {
      try {
        await this.#askAgain();
        if (this.#lease !== null) return;
      } catch {
        // The target can not be asked yet.
      }
      await new Promise((resolve) => setTimeout(resolve, REACQUIRE_MS));
    }
  }

  async #askAgain(): Promise<void> {
    const { migration, target } = this.#terms;
    const { name } = this.#shard;
    const outcome = await this.#ask();
    if (outcome.status === 'busy') {
      if (outcome.holder?.pid !== process.pid) this.#host.taken(busyError(name, outcome));
      return;
    }
    const left = await readLeftState(target(name).home, migration, name);
    if (left !== null && this.#told.includes(left.savedAt)) {
      this.#lease = outcome.lease;
      this.#host.notice('info', 'The lease of this shard is ours again.');
      return;
    }
    // Free, but not as we left it: another process went on with the shard, and may have finished it.
    await outcome.lease.release(false);
    const message = `Another process has gone on with ${name} while this one was away: this one stops, and leaves everything as it is.`;
    this.#host.taken(new FerryError(message, { code: 'lease', shard: name }));
  }
}

/** Somebody else works on the shard. */
export function busyError(shard: string, outcome: Extract<LeaseOutcome, { status: 'busy' }>): FerryError {
  return new FerryError(describeHolder(outcome, shard), { code: 'lease', shard, exitCode: EXIT.preflight });
}
