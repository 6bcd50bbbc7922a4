// What a run keeps for the process that may have to go on with it: for each shard a lease on the target, and its state, in a
// file here and beside the lease. Lives on the main thread; the workers tell how far they are.
import type { Setup } from '../checkpoint/fingerprint.ts';
import {
  acquireLease,
  describeHolder,
  type Lease,
  type LeaseOptions,
  type LeaseOutcome,
  readLeftState,
} from '../checkpoint/lease.ts';
import type { KnownNode, ShardProgress, StoredShard } from '../checkpoint/shard-state.ts';
import type { SlotBitmap } from '../checkpoint/slot-bitmap.ts';
import { removeShardState, ShardStateStore } from '../checkpoint/state-store.ts';
import { formatSlots, normalizeSlots } from '../topology/slots.ts';
import { SLOT_COUNT, type SlotRange } from '../topology/topology.ts';
import { EXIT, FerryError, messageOf } from './errors.ts';
import type { ShardEnd, ShardSample } from './shard-job.ts';

/** How long to wait before a lease that could not be renewed is asked for again. */
const REACQUIRE_MS = 2000;
/** A reply may be lost: then the target has one that we do not know of. */
const STATES_REMEMBERED = 4;
/** What a shard of a standalone carries. */
const ALL_SLOTS: readonly SlotRange[] = [{ first: 0, last: SLOT_COUNT - 1 }];

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

export interface CheckpointOptions {
  readonly migration: string;
  readonly folder: string;
  readonly engineVersion: string;
  readonly saveEveryMs: number;
  readonly leaseMs: number;
  /** How often the state on the target is brought up to date. */
  readonly renewEveryMs: number;
  /** The target is a cluster, in which each slot has a marker. */
  readonly marksSlots: boolean;
  /** Where the lease of a shard is asked for, and all masters of the target. */
  readonly target: (shard: string) => Pick<LeaseOptions, 'home' | 'nodes'>;
  readonly close: () => void;
}

export interface CheckpointHost {
  /** This process must not write for the shard any more. */
  lost(shard: number, error: FerryError): void;
  notice(level: 'info' | 'warn' | 'error', shard: string, message: string): void;
}

interface Kept {
  readonly shard: CheckpointedShard;
  readonly store: ShardStateStore;
  lease: Lease | null;
  progress: ShardProgress;
  attempt: number;
  /** Everything of it is on the target. */
  done: boolean;
  /** Settled when it is on disk that the shard is copied anew. */
  anew: Promise<void>;
  /** When the states were saved that the target has from us, the last ones first. */
  told: readonly string[];
  /** Somebody else works on it now, and what is kept of it is theirs. */
  taken: FerryError | null;
  /** Set when the shard has ended. */
  ending: Promise<void> | null;
}

export class RunCheckpoints {
  readonly #options: CheckpointOptions;
  readonly #kept = new Map<number, Kept>();
  #host: CheckpointHost | null = null;
  #closed = false;

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  /**
   * Takes the lease of a shard, and says on disk and on the target where it stands.
   * @throws FerryError `lease`, naming who has it.
   */
  async add(shard: CheckpointedShard): Promise<void> {
    const { folder, engineVersion, saveEveryMs } = this.#options;
    const kept: Kept = {
      shard,
      lease: null,
      progress: shard.progress,
      attempt: 0,
      done: false,
      taken: null,
      told: [],
      anew: Promise.resolve(),
      ending: null,
      store: new ShardStateStore({
        folder,
        run: shard.run,
        shard: shard.name,
        engineVersion,
        saveEveryMs,
        markedSlots: shard.markedSlots,
        recopied: [],
        progress: () => kept.progress,
        mayWrite: () => kept.lease?.held ?? false,
        trouble: (error) => this.#stateTrouble(shard.name, error),
      }),
    };
    const outcome = await this.#acquire(kept);
    if (outcome.status === 'busy') throw busyError(shard.name, outcome);
    kept.lease = outcome.lease;
    this.#kept.set(shard.id, kept);
    await kept.store.save();
    await outcome.lease.renew();
  }

  /**
   * Whether it is known what the target held before the run; nothing may be written there before this has resolved.
   * @throws FerryError `state`
   */
  async setBefore(id: number, before: ShardProgress['before']): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    kept.progress = { ...kept.progress, before };
    await kept.store.save();
    await kept.lease?.renew();
  }

  /** The run begins. */
  begin(host: CheckpointHost): void {
    this.#host = host;
  }

  /** How far a shard is. */
  take(id: number, sample: ShardSample): void {
    const kept = this.#kept.get(id);
    if (kept === undefined || kept.ending !== null) return;
    if (kept.attempt !== 0 && sample.attempt > kept.attempt) this.#beginsAnew(kept);
    kept.attempt = sample.attempt;
    const { checkpoint } = sample;
    if (checkpoint === null) return;
    const { history, offset, db, nodes, kept: keptKeys } = checkpoint;
    const slots = checkpoint.slots ?? [];
    const { recopying } = sample;
    const { progress } = kept;
    const same = progress.recopying === recopying && sameSlots(progress.slots, slots);
    const begins = kept.progress.phase !== 'streaming';
    if (!begins && progress.offset === offset && same) return;
    if (begins && this.#options.marksSlots) kept.store.markSlots(slotsIn(checkpoint.slots ?? ALL_SLOTS));
    kept.progress = {
      ...kept.progress,
      source: { ...kept.progress.source, ...history },
      phase: 'streaming',
      offset,
      db,
      nodes: nodes.map(plainNode),
      slots: slots.map(({ first, last }) => ({ first, last })),
      recopying,
      kept: keptKeys,
      keys: sample.keysDone,
    };
    // What a resume must not overlook is written at once.
    if (same && !begins) kept.store.changed();
    else kept.store.save().catch(() => kept.store.changed());
    if (begins || !same) void kept.lease?.renew();
  }

  /** Whether this process certainly still has the shard's lease. */
  async held(id: number): Promise<boolean> {
    const kept = this.#kept.get(id);
    if (kept === undefined) return true;
    await kept.anew;
    return kept.lease !== null && (await kept.lease.renew());
  }

  /** How the shard has ended, which is a failure when another process has taken it. */
  endOf(id: number, end: ShardEnd): ShardEnd {
    const taken = this.#kept.get(id)?.taken ?? null;
    return taken === null ? end : { reason: 'failed', message: taken.message };
  }

  /**
   * A shard that was left is copied anew. Resolves when that is on disk and on the target, which must be before anything of
   * it is taken off: a stream must never go on upon half of its keys. @throws FerryError `state`
   */
  async copyAnew(id: number): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    kept.progress = copying(kept.progress);
    await kept.store.forgetSlots();
    await kept.lease?.renew();
  }

  /** A shard that had ended begins once more; what its samples tell counts again. */
  revived(id: number): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    kept.ending = null;
    kept.done = false;
  }

  /** @param done everything of the shard is on the target. */
  ended(id: number, done: boolean): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept === undefined) return Promise.resolve();
    kept.ending ??= this.#end(kept, done);
    return kept.ending;
  }

  async #end(kept: Kept, done: boolean): Promise<void> {
    kept.done = done;
    if (kept.taken !== null) return;
    try {
      if (done) {
        // Its markers are gone from the target. It is remembered as long as others of the run are not done.
        const { offset } = kept.progress;
        kept.progress = { ...kept.progress, phase: offset === null ? 'copying' : 'copied' };
        await kept.store.forgetSlots();
      } else {
        await kept.store.save();
      }
      await kept.lease?.renew();
    } catch (error) {
      this.#untidy(kept.shard.name, error);
    }
  }

  /**
   * Lets go of what was not ended.
   * @param undecided the run ended with a conflict: who begins it again does so with another policy.
   */
  async close(undecided = false): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#kept.keys()].map((id) => this.ended(id, false)));
    const all = [...this.#kept.values()];
    const done = all.every((kept) => kept.done) || !all.some((kept) => this.#isWorthKeeping(kept, undecided));
    await Promise.all(all.map((kept) => this.#letGo(kept, done)));
    this.#options.close();
  }

  /** A copy that has just begun is nothing to go on with, unless its keys are known to be its own. */
  #isWorthKeeping({ shard, progress }: Kept, undecided: boolean): boolean {
    if (progress.phase !== 'copying') return true;
    const tellsOwn = progress.targetWasEmpty || (progress.before === 'noted' && !undecided);
    return tellsOwn && (this.#host !== null || !shard.isNew);
  }

  /** @param done nothing of the run is left to go on with. */
  async #letGo(kept: Kept, done: boolean): Promise<void> {
    const { name } = kept.shard;
    if (kept.taken !== null) return;
    try {
      await kept.store.close();
      if (done) await removeShardState(this.#options.folder, name);
      await kept.lease?.release(done);
    } catch (error) {
      this.#untidy(name, error);
    }
  }

  #untidy(shard: string, error: unknown): void {
    this.#host?.notice('warn', shard, `What is kept of this shard could not be put in order: ${messageOf(error)}`);
  }

  /** What it wrote so far is going to be taken off the target: nothing of it is to be gone on with. */
  #beginsAnew(kept: Kept): void {
    kept.progress = copying(kept.progress);
    kept.anew = kept.store.forgetSlots().catch(() => {});
    void kept.lease?.renew();
  }

  async #acquire(kept: Kept): Promise<LeaseOutcome> {
    const { migration, leaseMs, renewEveryMs, target } = this.#options;
    const { shard } = kept;
    return acquireLease({
      migration,
      run: shard.run,
      shard: shard.name,
      expiryMs: leaseMs,
      renewEveryMs,
      ...target(shard.name),
      state: (): StoredShard => {
        const state = kept.store.state();
        kept.told = [state.savedAt, ...kept.told].slice(0, STATES_REMEMBERED);
        return state;
      },
      lost: (error) => void this.#lost(kept, error),
    });
  }

  /** The target was away for longer than a lease lasts, or somebody else has it, or had it: only the first is not the end. */
  async #lost(kept: Kept, error: FerryError): Promise<void> {
    kept.lease = null;
    const { name } = kept.shard;
    this.#host?.notice('warn', name, `${error.message} It is asked for again.`);
    while (!this.#closed && kept.ending === null && kept.taken === null) {
      try {
        await this.#askAgain(kept);
        if (kept.lease !== null) return;
      } catch {
        // The target can not be asked yet.
      }
      await new Promise((resolve) => setTimeout(resolve, REACQUIRE_MS));
    }
  }

  async #askAgain(kept: Kept): Promise<void> {
    const { migration, target } = this.#options;
    const { name } = kept.shard;
    const outcome = await this.#acquire(kept);
    if (outcome.status === 'busy') {
      if (outcome.holder?.pid !== process.pid) this.#taken(kept, busyError(name, outcome));
      return;
    }
    const left = await readLeftState(target(name).home, migration, name);
    if (left !== null && kept.told.includes(left.savedAt)) {
      kept.lease = outcome.lease;
      this.#host?.notice('info', name, 'The lease of this shard is ours again.');
      return;
    }
    // Free, but not as we left it: another process went on with the shard, and may have finished it.
    await outcome.lease.release(false);
    const message = `Another process has gone on with ${name} while this one was away: this one stops, and leaves everything as it is.`;
    this.#taken(kept, new FerryError(message, { code: 'lease', shard: name }));
  }

  #taken(kept: Kept, error: FerryError): void {
    kept.taken = error;
    kept.store.abandon();
    this.#host?.lost(kept.shard.id, error);
  }

  #stateTrouble(shard: string, error: FerryError | null): void {
    if (error !== null) this.#host?.notice('error', shard, error.message);
    else this.#host?.notice('info', shard, 'The state of this shard is written again.');
  }
}

/** What a shard that has not begun is to be remembered as. */
export function newProgress(setup: Setup, address: string, targetWasEmpty: boolean): ShardProgress {
  return {
    source: { address, nodeId: null, replid: null, replid2: null, secondReplOffset: -1 },
    phase: 'copying',
    offset: null,
    db: 0,
    targetWasEmpty,
    before: 'unknown',
    nodes: [],
    slots: [],
    recopying: false,
    kept: 0,
    keys: 0,
    setup,
  };
}

function copying(progress: ShardProgress): ShardProgress {
  return { ...progress, phase: 'copying', offset: null, nodes: [], slots: [], recopying: false, kept: 0, keys: 0 };
}

function* slotsIn(ranges: readonly SlotRange[]): Generator<number> {
  for (const { first, last } of ranges) for (let slot = first; slot <= last; slot++) yield slot;
}

/** Somebody else works on the shard. */
export function busyError(shard: string, outcome: Extract<LeaseOutcome, { status: 'busy' }>): FerryError {
  return new FerryError(describeHolder(outcome, shard), { code: 'lease', shard, exitCode: EXIT.preflight });
}

function sameSlots(a: readonly SlotRange[], b: readonly SlotRange[]): boolean {
  return formatSlots(normalizeSlots(a)) === formatSlots(normalizeSlots(b));
}

function plainNode(node: KnownNode): KnownNode {
  return { ...node, replicaIds: [...node.replicaIds], slots: node.slots.map(({ first, last }) => ({ first, last })) };
}
