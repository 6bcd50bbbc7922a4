// One source shard's way to the target: feed -> pump -> target. It owns all its connections and joins the parts: what one
// of them tells becomes the shard's state, a counter, a notice, or the end. One thread, no locks.
import { ByteWindow } from '../readers/byte-window.ts';
import { Barrier } from './barrier.ts';
import { FerryError, messageOf } from './errors.ts';
import { FileRun } from './file-run.ts';
import { FileTarget } from './file-target.ts';
import { printableKey } from './refusal.ts';
import { Refusals } from './refusals.ts';
import { ReplicationFeed } from './replication-feed.ts';
import { ServerTarget } from './server-target.ts';
import type { FeedHost } from './shard-feed.ts';
import { type FromWorker, originName, type ShardEnd, type ShardJob, type ShardSample } from './shard-job.ts';
import { ShardLife } from './shard-life.ts';
import { ShardPump } from './shard-pump.ts';
import type { ShardTarget, TargetHost } from './shard-target.ts';

export class ShardPipeline {
  readonly #job: ShardJob;
  readonly #post: (message: FromWorker) => void;
  readonly #life = new ShardLife();
  readonly #refusals: Refusals;
  readonly #barrier = new Barrier();
  readonly #window = new ByteWindow();
  readonly #target: ShardTarget;
  readonly #feed: ReplicationFeed | FileRun;
  readonly #pump: ShardPump;
  /** Notices that are said once. */
  readonly #said = new Set<string>();
  #draining = false;
  #ended = false;
  #keysDone = 0;
  #commands = 0;
  #bytesReceived = 0;
  #rewritten = 0;
  #ignored = 0;

  constructor(job: ShardJob, post: (message: FromWorker) => void) {
    this.#job = job;
    this.#post = post;
    this.#refusals = new Refusals(job.name);
    const { origin, destination } = job;
    this.#target =
      destination.kind === 'server'
        ? new ServerTarget(job, destination, this.#window, this.#barrier, this.#targetHost())
        : new FileTarget(job, destination, this.#targetHost());
    this.#feed =
      origin.kind === 'server'
        ? new ReplicationFeed(job, origin, this.#feedHost())
        : new FileRun(origin, this.#feedHost());
    const { bytes, script } = this.#feed;
    this.#pump = new ShardPump(
      { bytes, window: this.#window, target: this.#target, barrier: this.#barrier, script },
      {
        exhausted: () => this.#feed.exhausted(),
        failed: (thrown) => this.#fail(toFerryError(thrown)),
      },
    );
  }

  /** Connects to the target, then to the source. Never rejects: a failure ends the shard. */
  async start(): Promise<void> {
    try {
      await this.#target.open();
    } catch (error) {
      this.#fail(toFerryError(error));
      return;
    }
    if (!this.#ended) this.#feed.start();
  }

  pause(): void {
    this.#pump.paused = true;
  }

  resume(): void {
    this.#pump.paused = false;
    this.#pump.run();
  }

  /** The source may be asked for a snapshot now. */
  permit(): void {
    this.#feed.permit();
  }

  /** Receives no more and applies what was received; a snapshot under way is left as it is. */
  drain(): void {
    if (this.#ended || this.#draining) return;
    if (!this.#feed.drain()) {
      this.#end({ reason: 'interrupted', message: `stopped before ${originName(this.#job.origin)} was copied` });
      return;
    }
    this.#draining = true;
    this.#life.on('stop');
    this.resume();
  }

  /** Leaves at once. */
  abort(): void {
    this.#end({ reason: 'interrupted', message: 'stopped before everything received was applied' });
  }

  sample(): ShardSample {
    return {
      ...this.#feed.sample(),
      state: this.#life.state,
      stateSinceMs: this.#life.sinceMs,
      waitingFor: this.#target.waiting ?? (this.#ended ? null : this.#feed.silence) ?? this.#life.waitingFor,
      paused: this.#pump.paused,
      keysDone: this.#keysDone,
      keysTotal: this.#target.announcedKeys,
      bytesReceived: this.#bytesReceived,
      commands: this.#commands,
      rewritten: this.#rewritten,
      ignored: this.#ignored,
      refused: this.#refusals.count,
      queued: this.#feed.queued + this.#window.length,
      inFlightBytes: this.#target.inFlightBytes,
      lastError: this.#life.lastError,
    };
  }

  /** Gives the refusals since the last call to the main thread. */
  tellRefusals(): void {
    const refusals = this.#refusals.take();
    if (refusals.length > 0) this.#post({ type: 'refusals', shard: this.#job.id, refusals });
  }

  #targetHost(): TargetHost {
    const pump = (): ShardPump => this.#pump;
    return {
      get position() {
        return pump().handedOver;
      },
      answered: (keys, streamCommands) => {
        this.#keysDone += keys;
        this.#commands += streamCommands;
        this.#pump.run();
      },
      taken: () => this.#pump.taken(),
      refused: (database, args, reason) => this.#refusals.add(database, args, reason),
      conflict: (database, key) => this.#conflict(database, key),
      once: (level, message) => this.#once(level, message),
      lost: (error) => this.#fail(error),
    };
  }

  #feedHost(): FeedHost {
    const pump = (): ShardPump => this.#pump;
    return {
      life: this.#life,
      barrier: this.#barrier,
      get pump() {
        return pump();
      },
      parts: {
        window: this.#window,
        target: this.#target,
        barrier: this.#barrier,
        valueBytes: this.#job.limits.valueInMemory,
        handedOver: () => this.#pump.taken(),
      },
      received: (bytes) => {
        this.#bytesReceived += bytes;
      },
      notice: (level, message) => this.#notice(level, message),
      once: (level, message) => this.#once(level, message),
      post: this.#post,
      end: (end) => this.#end(end),
      fail: (error) => this.#fail(error),
    };
  }

  /** What becomes of a snapshot key that the target has already. */
  #conflict(database: number, key: Buffer): 'rewrite' | 'leave' {
    switch (this.#job.conflictPolicy) {
      case 'rewrite':
        this.#rewritten++;
        return 'rewrite';
      case 'ignore':
        this.#ignored++;
        return 'leave';
      case 'panic':
        this.#end({
          reason: 'conflict',
          message: `The key "${printableKey(key)}" (database ${database}) is on the target already: empty the target, or choose --on-conflict rewrite or ignore.`,
        });
        return 'leave';
    }
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
    if (this.#ended) return;
    this.#life.setError(error.message);
    this.#life.on('fail');
    this.#notice('error', error.message);
    this.#end({ reason: 'failed', message: error.message });
  }

  /** A good end completes the target first; what fails then makes it a bad one. */
  #end(end: ShardEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pump.stop();
    this.#feed.close();
    void this.#complete(end).then(async (final) => {
      this.#target.destroy();
      await this.#feed.release();
      this.tellRefusals();
      this.#post({ type: 'sample', shard: this.#job.id, sample: this.sample() });
      this.#post({ type: 'ended', shard: this.#job.id, end: final });
    });
  }

  async #complete(end: ShardEnd): Promise<ShardEnd> {
    if (end.reason !== 'snapshot-done' && end.reason !== 'drained') return end;
    if (this.#life.state !== 'draining') this.#life.on('stop');
    try {
      await this.#target.finish();
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
