// One source shard's way to the target: feed -> pump -> target. It owns all its connections and joins the parts: what one
// of them tells becomes the shard's state, a counter, a notice, or the end. One thread, no locks.

import type { NodeAddress } from '../topology/endpoint.ts';
import type { RecopyCounts } from './contract/command.ts';
import { type ConflictDecision, type ConflictPolicy, NO_STANDING } from './contract/conflict.ts';
import { FerryError, messageOf } from './errors.ts';
import { nextAttempt } from './next-attempt.ts';
import { OwnedSlots } from './owned-slots.ts';
import { type Rate, RateGate } from './rate-gate.ts';
import { keyInWords, printableKey } from './refusal.ts';
import { Refusals } from './refusals.ts';
import { ShardConflicts } from './shard-conflicts.ts';
import {
  type FromWorker,
  originName,
  type ShardCheckpoint,
  type ShardEnd,
  type ShardJob,
  type ShardSample,
} from './shard-job.ts';
import { ShardLife } from './shard-life.ts';
import { type PassageHost, ShardPassage } from './shard-passage.ts';
import { BY_HAND, obstacleToRestart, refreshJob, restartDelayMs } from './shard-restart.ts';
import type { DatabaseKey } from './watched-keys.ts';

const NOT_OURS = 'Whether this process may still write for the shard is not certain.';
/** The main thread asks the cluster once a second. */
const LEAVE_MS = 3000;

export class ShardPipeline {
  /** Where both sides are may change from one attempt to the next. */
  #job: ShardJob;
  readonly #post: (message: FromWorker) => void;
  readonly #life = new ShardLife();
  readonly #refusals: Refusals;
  readonly #gate = new RateGate();
  /** Of a cluster's node: the slots that this pipeline carries, from one attempt to the next. */
  readonly #slots: OwnedSlots | null;
  #passage: ShardPassage;
  #attempt: number;
  /** Since the shard last streamed. */
  #failures = 0;
  #restartTimer: NodeJS.Timeout | null = null;
  /** The attempt that the timer is for. */
  #waitingRestart: (() => void) | null = null;
  /** While it is found out whether the node has left its cluster. */
  #leaveTimer: NodeJS.Timeout | null = null;
  /** Notices that are said once. */
  readonly #said = new Set<string>();
  #draining = false;
  #ended = false;
  #paused = false;
  /** Who waits for an answer about the lease. */
  readonly #leaseAsked: ((held: boolean) => void)[] = [];
  #keysDone: number;
  /** Where a shard that was drained stands. */
  #lastCheckpoint: ShardCheckpoint | null = null;
  #commands = 0;
  #bytesReceived = 0;
  /** In the attempts before this one. */
  #divergedBefore = 0;
  readonly #conflicts: ShardConflicts;

  constructor(job: ShardJob, post: (message: FromWorker) => void) {
    this.#job = job;
    this.#post = post;
    this.#attempt = job.attempt;
    this.#keysDone = job.resume?.keys ?? 0;
    this.#refusals = new Refusals(job.name);
    this.#conflicts = new ShardConflicts(job.name);
    const { origin } = job;
    this.#slots = origin.kind === 'server' && origin.nodeId !== null ? new OwnedSlots(origin.slots) : null;
    this.#passage = new ShardPassage(job, this.#slots, this.#passageHost());
  }

  /** Connects to the target, then to the source. Never rejects: a failure ends the shard. */
  async start(): Promise<void> {
    const passage = this.#passage;
    if (this.#attempt > 1) {
      // Another thread died on it: both sides are looked at anew.
      this.#life.hasBegun = true;
      this.#life.on('begin-anew');
      passage.stop();
      await this.#beginAnew(passage);
      return;
    }
    try {
      await passage.start(() => !this.#ended && passage === this.#passage);
    } catch (error) {
      if (passage === this.#passage) this.#fail(toFerryError(error));
    }
  }

  pause(): void {
    this.#paused = true;
    this.#passage.pump.paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#passage.pump.paused = false;
    this.#passage.pump.run();
  }

  setRate(rate: Rate): void {
    this.#gate.setRate(rate);
  }

  /** Waits no longer for the next attempt. */
  retryNow(): void {
    const restart = this.#waitingRestart;
    if (restart === null) {
      this.#passage.feed.retryNow?.();
      return;
    }
    // What waits is told apart by its timer, which stays until the attempt is made.
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
    restart();
  }

  /** Lets go of what there is and copies the shard anew. */
  restart(): void {
    if (this.#ended || this.#draining || this.#restartTimer !== null) return;
    this.#restart(new FerryError('Begun anew by hand.', { code: BY_HAND }));
  }

  /** The source may be asked for a snapshot now. */
  permit(): void {
    this.#passage.feed.permit();
  }

  /** The main thread says whether the lease is ours. */
  lease(held: boolean): void {
    for (const answer of this.#leaseAsked.splice(0)) answer(held);
  }

  /** The source's notify-keyspace-events was changed. */
  lookAtChanges(): void {
    this.#passage.feed.lookAtChanges?.();
  }

  /** Scans the source once more and sweeps the target. */
  rescan(): void {
    this.#passage.feed.rescan?.();
  }

  /** That node has the slots of the scanned shard now. */
  sourceMoved(address: NodeAddress): void {
    this.#passage.feed.moveTo?.(address);
  }

  /** How far the source has come by its own account. */
  sourceAt(offset: number): void {
    this.#passage.feed.sourceAt(offset);
  }

  /** Receives no more and applies what was received; a snapshot under way is left as it is. */
  drain(): void {
    if (this.#ended || this.#draining) return;
    if (this.#restartTimer !== null || !this.#passage.feed.drain()) {
      this.#end({ reason: 'interrupted', message: `stopped before ${originName(this.#job.origin)} was copied` });
      return;
    }
    this.#draining = true;
    this.#life.on('stop');
    this.resume();
  }

  /** The node has left the source, and its slots are others': what was received is applied, as far as that goes. */
  leave(): void {
    if (this.#restartTimer !== null || !this.#passage.feed.script.inStream)
      this.#end({ reason: 'left', message: null });
    else this.drain();
  }

  /** Leaves at once. */
  abort(): void {
    this.#end({ reason: 'interrupted', message: 'stopped before everything received was applied' });
  }

  /** Keys of the snapshot that are judged from now on follow this policy. */
  setConflictPolicy(policy: ConflictPolicy): void {
    this.#job = { ...this.#job, conflictPolicy: policy };
    this.#passage.target.conflicts?.setPolicy(policy);
  }

  /** Answers the question that the shard has halted with. */
  decideConflict(question: number, decision: ConflictDecision): void {
    this.#passage.target.conflicts?.answer(question, decision);
  }

  /** Copies keys again from the source; the answer goes to the main thread under this number. */
  recopy(request: number, keys: readonly DatabaseKey[]): void {
    const answer = (counts: RecopyCounts | null): void =>
      this.#post({ type: 'recopied', shard: this.#job.id, request, counts });
    const { recopier, script } = this.#passage.feed;
    if (recopier === null || this.#ended || this.#restartTimer !== null || !script.inStream) answer(null);
    else void recopier.request(keys).then(answer);
  }

  /** Another shard carries these slots: nothing more of them is taken from this node. */
  loseSlots(slots: readonly number[]): void {
    this.#slots?.lose(slots);
  }

  /** Their old shard has let go of these slots: copies their keys and carries them from then on. */
  takeSlots(slots: readonly number[], sweep: boolean): void {
    const answer = (done: boolean): void => this.#post({ type: 'slots-taken', shard: this.#job.id, slots, done });
    const { recopier } = this.#passage.feed;
    if (recopier === null || this.#ended) answer(false);
    else void recopier.takeSlots(slots, sweep).then(answer);
  }

  sample(): ShardSample {
    const { feed, target, pump, window } = this.#passage;
    const waiting = target.waiting ?? (this.#ended ? null : feed.silence);
    return {
      ...feed.sample(),
      state: this.#life.state,
      stateSinceMs: this.#life.sinceMs,
      waitingFor: waiting ?? this.#life.waitingFor,
      paused: pump.paused,
      slowed: this.#gate.isHolding,
      movedBytes: this.#gate.bytes,
      movedOperations: this.#gate.operations,
      keysDone: this.#keysDone,
      keysTotal: feed.announcedKeys ?? target.announcedKeys ?? this.#job.resume?.keys ?? null,
      bytesReceived: this.#bytesReceived,
      commands: this.#commands,
      conflicts: this.#conflicts.counts,
      conflictStanding: { ...(target.conflicts?.standing ?? NO_STANDING), kept: target.kept },
      refused: this.#refusals.count,
      diverged: this.#divergedBefore + (feed.recopier?.divergedKeys ?? 0),
      queued: feed.queued + window.length,
      inFlightBytes: target.inFlightBytes,
      held: target.held,
      // Of writes that go again behind later ones no marker tells.
      recopying: (feed.recopier?.busy ?? false) || target.outOfOrder,
      changes: feed.changes ?? null,
      attempt: this.#attempt,
      checkpoint: this.#ended ? this.#lastCheckpoint : target.checkpoint,
      lastError: this.#life.lastError,
    };
  }

  /** Gives the refusals and conflicts since the last call to the main thread. */
  tellRefusals(): void {
    const refusals = this.#refusals.take();
    if (refusals.length > 0) this.#post({ type: 'refusals', shard: this.#job.id, refusals });
    const conflicts = this.#conflicts.take();
    if (conflicts.length > 0) this.#post({ type: 'conflicts', shard: this.#job.id, conflicts });
  }

  #tellSample(): void {
    this.#post({ type: 'sample', shard: this.#job.id, sample: this.sample() });
  }

  #passageHost(): PassageHost {
    return {
      gate: this.#gate,
      current: (passage) => passage === this.#passage && !this.#ended && this.#restartTimer === null,
      broken: (thrown) => this.#fail(toFerryError(thrown)),
      target: {
        answered: (keys, streamCommands) => {
          this.#keysDone += keys;
          this.#commands += streamCommands;
        },
        refused: (database, args, reason) => this.#refusals.add(database, args, reason),
        conflicts: {
          settled: (conflict) => this.#conflicts.settled(conflict),
          alreadyThere: () => this.#conflicts.alreadyThere(),
          panic: (database, key) => this.#panic(database, key),
          dropped: () => this.#conflicts.dropped(),
        },
        mayWrite: () => this.#askLease(),
        outOfOrder: () => this.#tellSample(),
        notice: (level, message) => this.#notice(level, message),
        leftOver: (leftovers) => this.#post({ type: 'left-over', shard: this.#job.id, leftovers }),
        once: (level, message) => this.#once(level, message),
        lost: (error) => this.#fail(error),
      },
      feed: {
        life: this.#life,
        received: (bytes) => {
          this.#bytesReceived += bytes;
        },
        outOfOrder: () => this.#tellSample(),
        refused: (database, args, reason) => this.#refusals.add(database, args, reason),
        notice: (level, message) => this.#notice(level, message),
        once: (level, message) => this.#once(level, message),
        post: this.#post,
        end: (end) => this.#end(end),
        fail: (error) => this.#fail(error),
      },
    };
  }

  /** A conflict under panic with nobody there to be asked. */
  #panic(database: number, key: Buffer): void {
    this.#end({
      reason: 'conflict',
      message: `The ${keyInWords(printableKey(key), database)} is on the target already, with another value: empty the target, choose --on-conflict rewrite or ignore, or run with the screen to decide key by key.`,
    });
  }

  #askLease(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#leaseAsked.push(resolve);
      this.#post({ type: 'lease-wanted', shard: this.#job.id });
    });
  }

  #notice(level: 'info' | 'warn' | 'error', message: string): void {
    this.#post({ type: 'notice', shard: this.#job.id, level, message });
  }

  #once(level: 'info' | 'warn', message: string): void {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    this.#notice(level, message);
  }

  #fail(error: FerryError): void {
    // Of links that break together only the first begins the shard anew.
    if (this.#ended || this.#restartTimer !== null) return;
    if (this.#mayHaveLeft(error)) return;
    const obstacle = obstacleToRestart(this.#job, error);
    if (obstacle === null && !this.#draining && this.#life.hasBegun) {
      this.#restart(error);
      return;
    }
    const message = `${error.message} ${obstacle ?? ''}`.trim();
    this.#life.setError(message);
    this.#life.on('fail');
    this.#notice('error', message);
    this.#end({ reason: 'failed', message });
  }

  /**
   * A cluster's master that has lost its last slot becomes a replica of the new owner (7.0), and so begins another history:
   * the main thread, which asks the cluster, says within a second or two whether it was that.
   */
  #mayHaveLeft(error: FerryError): boolean {
    if (this.#slots === null || error.code !== 'backlog-gone' || this.#leaveTimer !== null || this.#draining)
      return false;
    this.#life.waitFor(`${error.message} Asking the cluster what has become of it.`);
    this.#leaveTimer = setTimeout(() => this.#fail(error), LEAVE_MS);
    return true;
  }

  /** Lets go of everything and begins this shard anew after a while. What it wrote before is taken off the target. */
  #restart(error: FerryError): void {
    this.#attempt++;
    const delayMs = this.#nextDelayMs();
    const message = `${error.message} This shard begins a new full sync (attempt ${this.#attempt}).`;
    this.#notice('warn', message);
    this.#life.setError(error.message);
    this.#life.waitFor(nextAttempt(delayMs, message));
    this.#life.on('begin-anew');
    const passage = this.#passage;
    passage.stop();
    this.#keysDone = 0;
    this.#beginAnewAfter(delayMs, passage);
  }

  #beginAnewAfter(delayMs: number, passage: ShardPassage): void {
    const begin = (): void => {
      this.#waitingRestart = null;
      void this.#beginAnew(passage);
    };
    this.#waitingRestart = begin;
    this.#restartTimer = setTimeout(begin, delayMs);
  }

  /** Grows with each failure until the shard streams again: one that did for days waits no longer than at first. */
  #nextDelayMs(): number {
    if (this.#life.hasStreamed) this.#failures = 0;
    this.#life.hasStreamed = false;
    this.#failures++;
    return restartDelayMs(this.#failures + 1);
  }

  async #beginAnew(former: ShardPassage): Promise<void> {
    try {
      await former.release();
      // In this order: the state says that the shard is copied anew before anything of it is taken off the target.
      this.#tellSample();
      if (!(await this.#askLease())) throw new FerryError(NOT_OURS, { code: 'lease', retriable: true });
      this.#job = { ...(await refreshJob(this.#carried())), attempt: this.#attempt, resume: null };
    } catch (error) {
      if (!this.#ended) this.#restartLater(toFerryError(error), former);
      return;
    }
    if (this.#ended) return;
    const { origin } = this.#job;
    if (origin.kind === 'server') this.#post({ type: 'moved', shard: this.#job.id, address: origin.address });
    this.#restartTimer = null;
    this.#leaveTimer = null;
    this.#life.on('retry');
    this.#life.waitFor(null);
    this.#divergedBefore += this.#passage.feed.recopier?.divergedKeys ?? 0;
    const passage = new ShardPassage(this.#job, this.#slots, this.#passageHost());
    this.#passage = passage;
    passage.pump.paused = this.#paused;
    try {
      await passage.start(() => !this.#ended && passage === this.#passage);
    } catch (error) {
      if (!this.#ended && passage === this.#passage && this.#restartTimer === null) {
        this.#life.on('link-lost');
        this.#restartLater(toFerryError(error), passage);
      }
    }
  }

  /** The job with the slots that this pipeline carries now. */
  #carried(): ShardJob {
    const { origin } = this.#job;
    if (origin.kind === 'file' || this.#slots === null) return this.#job;
    return { ...this.#job, origin: { ...origin, slots: this.#slots.ranges } };
  }

  /** A side can not be reached yet. */
  #restartLater(error: FerryError, passage: ShardPassage): void {
    this.#attempt++;
    const delayMs = this.#nextDelayMs();
    this.#life.setError(error.message);
    this.#life.waitFor(nextAttempt(delayMs, error.message));
    this.#beginAnewAfter(delayMs, passage);
  }

  /** A good end completes the target first; what fails then makes it a bad one. */
  #end(end: ShardEnd): void {
    if (this.#ended) return;
    // Everything is applied, and the markers are not taken away yet.
    if (end.reason === 'drained') this.#lastCheckpoint = this.#passage.target.checkpoint;
    this.#ended = true;
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
    if (this.#leaveTimer !== null) clearTimeout(this.#leaveTimer);
    const passage = this.#passage;
    passage.stop();
    void this.#complete(end).then(async (final) => {
      await passage.release();
      this.tellRefusals();
      this.#tellSample();
      this.#post({ type: 'ended', shard: this.#job.id, end: final });
    });
  }

  async #complete(end: ShardEnd): Promise<ShardEnd> {
    if (end.reason === 'left') {
      this.#life.on('stop');
      this.#life.on('drained');
    }
    if (end.reason !== 'snapshot-done' && end.reason !== 'drained') return end;
    if (this.#life.state !== 'draining') this.#life.on('stop');
    try {
      await this.#passage.target.finish();
      this.#life.on('drained');
      return end;
    } catch (error) {
      const message = messageOf(error);
      this.#life.setError(message);
      this.#life.on('fail');
      this.#notice('error', message);
      return { reason: 'failed', message };
    }
  }
}

function toFerryError(thrown: unknown): FerryError {
  return thrown instanceof FerryError ? thrown : new FerryError(messageOf(thrown), { code: 'internal', cause: thrown });
}
