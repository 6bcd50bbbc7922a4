// One source shard's way to the target: feed -> pump -> target. What the main thread orders goes to the present attempt's
// passage (shard-attempts.ts); what that tells becomes a counter (shard-tally.ts), the end (shard-ending.ts), or a message. One
// thread, no locks.

import type { NodeAddress } from '../../topology/endpoint.ts';
import type { RecopyCounts } from '../contract/command.ts';
import { type ConflictDecision, type ConflictPolicy, NO_STANDING } from '../contract/conflict.ts';
import type { NoticeLevel } from '../contract/notice.ts';
import { FerryError } from '../errors.ts';
import { type Rate, RateGate } from '../rate/rate-gate.ts';
import type { DatabaseKey } from '../recopy/watched-keys.ts';
import { type FromWorker, originName, type ShardJob, type ShardSample } from '../run/shard-job.ts';
import { OwnedSlots } from '../source/owned-slots.ts';
import { keyInWords, printableKey } from './refusal.ts';
import { ShardAttempts } from './shard-attempts.ts';
import { ShardEnding } from './shard-ending.ts';
import { ShardLife } from './shard-life.ts';
import type { PassageHost, ShardPassage } from './shard-passage.ts';
import { BY_HAND } from './shard-restart.ts';
import { ShardTally } from './shard-tally.ts';

export class ShardPipeline {
  readonly #post: (message: FromWorker) => void;
  readonly #life = new ShardLife();
  readonly #tally: ShardTally;
  readonly #gate = new RateGate();
  /** Of a cluster's node: the slots that this pipeline carries, from one attempt to the next. */
  readonly #slots: OwnedSlots | null;
  readonly #attempts: ShardAttempts;
  readonly #ending: ShardEnding;
  /** Who waits for an answer about the lease. */
  readonly #leaseAsked: ((held: boolean) => void)[] = [];

  constructor(job: ShardJob, post: (message: FromWorker) => void) {
    this.#post = post;
    this.#tally = new ShardTally(job, post);
    const { origin } = job;
    this.#slots = origin.kind === 'server' && origin.nodeId !== null ? new OwnedSlots(origin.slots) : null;
    this.#attempts = this.#makeAttempts(job);
    this.#ending = this.#makeEnding();
  }

  /** Connects to the target, then to the source. Never rejects: a failure ends the shard. */
  start(): Promise<void> {
    return this.#attempts.start();
  }

  pause(): void {
    this.#attempts.paused = true;
  }

  resume(): void {
    this.#attempts.paused = false;
    this.#passage.pump.run();
  }

  setRate(rate: Rate): void {
    this.#gate.setRate(rate);
  }

  /** Waits no longer for the next attempt. */
  retryNow(): void {
    if (!this.#attempts.now()) this.#passage.feed.retryNow?.();
  }

  /** Lets go of what there is and copies the shard anew. */
  restart(): void {
    if (this.#ending.ended || this.#ending.draining || this.#attempts.waiting) return;
    this.#attempts.restart(new FerryError('Begun anew by hand.', { code: BY_HAND }));
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
    if (this.#ending.ended || this.#ending.draining) return;
    if (this.#attempts.waiting || !this.#passage.feed.drain()) {
      this.#ending.end({ reason: 'interrupted', message: `stopped before ${originName(this.#job.origin)} was copied` });
      return;
    }
    this.#ending.draining = true;
    this.#life.on('stop');
    this.resume();
  }

  /** The node has left the source, and its slots are others': what was received is applied, as far as that goes. */
  leave(): void {
    if (this.#attempts.waiting || !this.#passage.feed.script.inStream)
      this.#ending.end({ reason: 'left', message: null });
    else this.drain();
  }

  /** Leaves at once. */
  abort(): void {
    this.#ending.end({ reason: 'interrupted', message: 'stopped before everything received was applied' });
  }

  /** Keys of the snapshot that are judged from now on follow this policy. */
  setConflictPolicy(policy: ConflictPolicy): void {
    this.#attempts.job = { ...this.#job, conflictPolicy: policy };
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
    if (recopier === null || this.#ending.ended || this.#attempts.waiting || !script.inStream) answer(null);
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
    if (recopier === null || this.#ending.ended) answer(false);
    else void recopier.takeSlots(slots, sweep).then(answer);
  }

  sample(): ShardSample {
    const { feed, target, pump, window } = this.#passage;
    const tally = this.#tally;
    const waiting = target.waiting ?? (this.#ending.ended ? null : feed.silence);
    return {
      ...feed.sample(),
      state: this.#life.state,
      stateSinceMs: this.#life.sinceMs,
      waitingFor: waiting ?? this.#life.waitingFor,
      paused: pump.paused,
      slowed: this.#gate.isHolding,
      movedBytes: this.#gate.bytes,
      movedOperations: this.#gate.operations,
      keysDone: tally.keysDone,
      keysTotal: feed.announcedKeys ?? target.announcedKeys ?? this.#job.resume?.keys ?? null,
      bytesReceived: tally.bytesReceived,
      commands: tally.commands,
      conflicts: tally.conflicts.counts,
      conflictStanding: { ...(target.conflicts?.standing ?? NO_STANDING), kept: target.kept },
      refused: tally.refusals.count,
      diverged: this.#attempts.diverged,
      queued: feed.queued + window.length,
      inFlightBytes: target.inFlightBytes,
      held: target.held,
      // Of writes that go again behind later ones no marker tells.
      recopying: (feed.recopier?.busy ?? false) || target.outOfOrder,
      changes: feed.changes ?? null,
      attempt: this.#attempts.number,
      checkpoint: this.#ending.ended ? this.#ending.checkpoint : target.checkpoint,
      lastError: this.#life.lastError,
    };
  }

  /** Gives the refusals and conflicts since the last call to the main thread. */
  tellRefusals(): void {
    this.#tally.tell();
  }

  get #passage(): ShardPassage {
    return this.#attempts.passage;
  }

  get #job(): ShardJob {
    return this.#attempts.job;
  }

  #tellSample(): void {
    this.#post({ type: 'sample', shard: this.#job.id, sample: this.sample() });
  }

  #makeAttempts(job: ShardJob): ShardAttempts {
    const ended = (): boolean => this.#ending.ended;
    const tally = this.#tally;
    return new ShardAttempts(job, this.#slots, {
      life: this.#life,
      get ended() {
        return ended();
      },
      passage: this.#passageHost(),
      mayWrite: () => this.#askLease(),
      letGo: () => {
        tally.keysDone = 0;
      },
      begins: () => this.#ending.begunAnew(),
      tellSample: () => this.#tellSample(),
      notice: (level, message) => tally.notice(level, message),
      post: this.#post,
      broken: (error) => this.#ending.fail(error),
    });
  }

  #makeEnding(): ShardEnding {
    return new ShardEnding({
      life: this.#life,
      tally: this.#tally,
      attempts: this.#attempts,
      mayLeave: this.#slots !== null,
      tellSample: () => this.#tellSample(),
      post: this.#post,
    });
  }

  #passageHost(): Omit<PassageHost, 'current' | 'broken'> {
    const tally = this.#tally;
    const told = {
      refused: (database: number, args: readonly Buffer[], reason: string) => tally.refused(database, args, reason),
      outOfOrder: () => this.#tellSample(),
      notice: (level: NoticeLevel, message: string) => tally.notice(level, message),
      once: (level: 'info' | 'warn', message: string) => tally.once(level, message),
    };
    return {
      gate: this.#gate,
      target: {
        ...told,
        answered: (keys, streamCommands) => tally.answered(keys, streamCommands),
        conflicts: {
          settled: (conflict) => tally.settled(conflict),
          alreadyThere: () => tally.conflicts.alreadyThere(),
          panic: (database, key) => this.#panic(database, key),
          dropped: () => tally.conflicts.dropped(),
        },
        mayWrite: () => this.#askLease(),
        leftOver: (leftovers) => this.#post({ type: 'left-over', shard: this.#job.id, leftovers }),
        lost: (error) => this.#ending.fail(error),
      },
      feed: {
        ...told,
        life: this.#life,
        received: (bytes) => {
          tally.bytesReceived += bytes;
        },
        post: this.#post,
        end: (end) => this.#ending.end(end),
        fail: (error) => this.#ending.fail(error),
      },
    };
  }

  /** A conflict under panic with nobody there to be asked. */
  #panic(database: number, key: Buffer): void {
    this.#ending.end({
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
}
