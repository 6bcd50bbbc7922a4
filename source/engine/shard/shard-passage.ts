// One attempt to carry a shard: its feed, its target and the pump between them. When a link breaks for good the pipeline
// lets go of it and makes another, which begins with a new snapshot.
import { ByteWindow } from '../../readers/byte-window.ts';
import type { RateGate } from '../rate/rate-gate.ts';
import type { ShardJob } from '../run/shard-job.ts';
import { ScanRun } from '../scan/scan-run.ts';
import { FileRun } from '../source/file-run.ts';
import type { OwnedSlots } from '../source/owned-slots.ts';
import { ReplicationFeed } from '../source/replication-feed.ts';
import { FileTarget } from '../target/file-target.ts';
import { openSparedKeys, tellsOwnKeys } from '../target/keys-before.ts';
import { ServerTarget } from '../target/server-target.ts';
import { Barrier } from './barrier.ts';
import type { PumpScript } from './pump-script.ts';
import type { FeedHost, ShardFeed } from './shard-feed.ts';
import { ShardPump } from './shard-pump.ts';
import type { ShardTarget, TargetHost, TargetPlaces } from './shard-target.ts';

/** What the pipeline gives to a passage; calls of a passage that it has let go of must have no effect. */
export interface PassageHost {
  /** Holds the shard to its rate, across passages. */
  readonly gate: RateGate;
  readonly feed: Omit<FeedHost, 'barrier' | 'pump' | 'parts'>;
  readonly target: Omit<TargetHost, keyof TargetPlaces | 'taken' | 'diverged'>;
  /** Whether calls of this passage still count. */
  current(passage: ShardPassage): boolean;
  /** The pump met what it can not go on from. */
  broken(thrown: unknown): void;
}

/** A feed with what the pump does with its bytes. */
type Feed = ShardFeed & { readonly script: PumpScript };

function makeFeed(job: ShardJob, slots: OwnedSlots | null, host: FeedHost): Feed {
  const { origin } = job;
  if (origin.kind === 'file') return new FileRun(origin, host);
  return origin.scan === null
    ? new ReplicationFeed(job, origin, slots, host)
    : new ScanRun(job, origin, origin.scan, host);
}

export class ShardPassage {
  readonly target: ShardTarget;
  readonly feed: Feed;
  readonly pump: ShardPump;
  readonly window = new ByteWindow();
  readonly #barrier = new Barrier();
  readonly #job: ShardJob;
  readonly #slots: OwnedSlots | null;
  readonly #host: PassageHost;

  /** @param slots of a cluster's node: those that the pipeline carries. */
  constructor(job: ShardJob, slots: OwnedSlots | null, host: PassageHost) {
    this.#job = job;
    this.#host = host;
    const { destination } = job;
    const targetHost = this.#targetHost(host);
    this.target =
      destination.kind === 'server'
        ? new ServerTarget(job, destination, slots, this.window, this.#barrier, targetHost)
        : new FileTarget(job, destination, targetHost);
    const feedHost = this.#feedHost(job, host);
    this.#slots = slots;
    this.feed = makeFeed(job, slots, feedHost);
    const { script } = this.feed;
    this.pump = new ShardPump(
      { window: this.window, target: this.target, barrier: this.#barrier, script, gate: host.gate },
      {
        exhausted: () => this.feed.exhausted(),
        failed: (thrown) => {
          if (host.current(this)) host.broken(thrown);
        },
      },
    );
  }

  /**
   * Connects to the target, then to the source. A second attempt first takes off the target what the one before wrote.
   * @throws FerryError when the target can not be reached.
   */
  async start(stillWanted: () => boolean): Promise<void> {
    await this.target.open();
    if (this.#job.attempt > 1 && tellsOwnKeys(this.#job)) await this.#clear(stillWanted);
    if (stillWanted()) this.feed.start();
  }

  async #clear(stillWanted: () => boolean): Promise<void> {
    const { origin, destination } = this.#job;
    if (origin.kind === 'file' || destination.kind === 'file') return;
    // A cluster's shard that carries no slot has written nothing that is its own.
    if (origin.nodeId !== null && origin.slots.length === 0) return;
    this.#host.feed.life.waitFor('what the attempt before has written is taken off the target');
    // Brings the client library into this thread, which most runs never need.
    const { clearShard } = await import('../target/clear-shard.ts');
    const spared = openSparedKeys(this.#job);
    try {
      const removed = await clearShard(destination, {
        slots: () => this.#slots?.ranges ?? (origin.slots.length === 0 ? null : origin.slots),
        own: this.#job,
        spared: (database, key) => spared.has(database, key),
        stopped: () => !stillWanted(),
      });
      this.#host.feed.notice('info', `${removed} keys of the attempt before were taken off the target.`);
    } finally {
      spared.close();
      this.#host.feed.life.waitFor(null);
    }
  }

  /** Moves nothing more. */
  stop(): void {
    this.pump.stop();
    this.feed.close();
  }

  /** Gives back what it holds. */
  async release(): Promise<void> {
    this.target.destroy();
    await this.feed.release();
  }

  #targetHost(host: PassageHost): TargetHost {
    const pump = (): ShardPump => this.pump;
    const feed = (): Feed => this.feed;
    const { window } = this;
    const { target } = host;
    const current = (): boolean => host.current(this);
    return {
      get position() {
        return pump().handedOver;
      },
      get offset() {
        return feed().offsetAt(window.position);
      },
      get settledPosition() {
        return pump().settledPosition;
      },
      get historyStart() {
        return feed().script.historyStart;
      },
      get history() {
        return feed().history;
      },
      offsetAt: (position) => feed().offsetAt(position),
      positionAt: (offset) => feed().positionAt(offset),
      rewind: (position) => {
        if (position < feed().script.historyStart) return false;
        pump().rewind(position);
        feed().recopier?.rewound();
        return true;
      },
      resumed: () => this.pump.run(),
      taken: () => this.pump.taken(),
      answered: (keys, streamCommands) => {
        if (!current()) return;
        target.answered(keys, streamCommands);
        this.pump.run();
      },
      diverged: (database, args) => current() && (this.feed.recopier?.diverged(database, args) ?? false),
      refused: (database, args, reason) => {
        if (!current()) return;
        this.feed.recopier?.refusedByTarget(args);
        target.refused(database, args, reason);
      },
      conflicts: {
        settled: (conflict) => {
          if (!current()) return;
          if (conflict.outcome === 'ignored') this.feed.leftAlone?.(conflict.database, conflict.key);
          target.conflicts.settled(conflict);
        },
        alreadyThere: () => {
          if (current()) target.conflicts.alreadyThere();
        },
        panic: (database, key) => {
          if (current()) target.conflicts.panic(database, key);
        },
        dropped: () => {
          if (current()) target.conflicts.dropped();
        },
      },
      mayWrite: () => (current() ? target.mayWrite() : Promise.resolve(false)),
      outOfOrder: () => {
        if (current()) target.outOfOrder();
      },
      notice: (level, message) => {
        if (current()) target.notice(level, message);
      },
      leftOver: (leftovers) => {
        if (current()) target.leftOver(leftovers);
      },
      once: (level, message) => target.once(level, message),
      lost: (error) => {
        if (current()) target.lost(error);
      },
    };
  }

  #feedHost(job: ShardJob, host: PassageHost): FeedHost {
    const pump = (): ShardPump => this.pump;
    const { feed } = host;
    return {
      ...feed,
      barrier: this.#barrier,
      get pump() {
        return pump();
      },
      parts: {
        window: this.window,
        target: this.target,
        barrier: this.#barrier,
        valueBytes: job.limits.valueInMemory,
        historyBytes: job.limits.history,
        handedOver: () => this.pump.taken(),
        settledPosition: () => this.pump.settledPosition,
        leftOut: () =>
          feed.once('info', 'Keys of redferry itself (redferry:*), which are there from another run, are not copied.'),
      },
      end: (end) => {
        if (host.current(this)) feed.end(end);
      },
      fail: (error) => {
        if (host.current(this)) feed.fail(error);
      },
    };
  }
}
