// One source shard's way to the target: receiver -> queue -> pump -> writers. It owns all its connections and joins the
// parts: what one of them tells becomes the shard's state, a counter, a notice, or the end. One thread, no locks.
import { CommandTable } from '../protocol/command-table.ts';
import { acceptedVersions } from '../rdb/payload-version.ts';
import { ByteWindow } from '../readers/byte-window.ts';
import type { SnapshotFrame } from '../readers/psync-framing.ts';
import type { StreamPlace } from '../readers/replication-link.ts';
import { ElasticQueue } from '../spool/elastic-queue.ts';
import { formatAddress } from '../topology/endpoint.ts';
import type { ServerVersion } from '../topology/topology.ts';
import { overwriting, SnapshotWriter } from '../writers/snapshot-writer.ts';
import { StreamRouter } from '../writers/stream-router.ts';
import { broadcast } from '../writers/target-broadcast.ts';
import type { TargetNodes } from '../writers/target-nodes.ts';
import { Barrier } from './barrier.ts';
import { FerryError, messageOf } from './errors.ts';
import { LagMarks } from './lag-marks.ts';
import { printableKey } from './refusal.ts';
import { Refusals } from './refusals.ts';
import type { FromWorker, ShardEnd, ShardJob, ShardSample } from './shard-job.ts';
import { ShardLife } from './shard-life.ts';
import { ShardPump } from './shard-pump.ts';
import { explainSilence } from './silence.ts';
import { SnapshotIntake } from './snapshot-intake.ts';
import { type ReceiverListener, SourceReceiver } from './source-receiver.ts';
import { makeTargetNodes } from './target-writers.ts';

export class ShardPipeline {
  readonly #job: ShardJob;
  readonly #post: (message: FromWorker) => void;
  readonly #life = new ShardLife();
  readonly #refusals: Refusals;
  readonly #lag = new LagMarks();
  readonly #barrier = new Barrier();
  readonly #window = new ByteWindow();
  readonly #queue: ElasticQueue;
  readonly #nodes: TargetNodes;
  readonly #intake: SnapshotIntake;
  readonly #pump: ShardPump;
  readonly #receiver: SourceReceiver;
  /** Notices that are said once. */
  readonly #said = new Set<string>();
  /** Resolves the wait for the turn to make a snapshot. */
  #permit: (() => void) | null = null;
  #permitHeld = false;
  #draining = false;
  #ended = false;
  /** The replication offset at which the stream begins. */
  #streamOffset = 0;
  #keysDone = 0;
  #commands = 0;
  #bytesReceived = 0;
  #lastByteAtMs = Date.now();
  #rewritten = 0;
  #ignored = 0;

  constructor(job: ShardJob, post: (message: FromWorker) => void) {
    this.#job = job;
    this.#post = post;
    this.#refusals = new Refusals(job.name);
    this.#queue = this.#makeQueue();
    this.#nodes = this.#makeNodes();
    this.#intake = this.#makeIntake();
    this.#pump = new ShardPump(
      {
        queue: this.#queue,
        window: this.#window,
        nodes: this.#nodes,
        router: this.#makeRouter(),
        sink: this.#intake,
        barrier: this.#barrier,
        valueBytes: job.limits.valueInMemory,
      },
      {
        snapshotApplied: () => this.#snapshotApplied(),
        exhausted: () => this.#exhausted(),
        failed: (thrown) => this.#fail(toFerryError(thrown)),
      },
    );
    this.#receiver = new SourceReceiver(job, this.#queue, this.#receiverListener(), () => this.#appliedOffset());
  }

  /** Connects to the target, then to the source. Never rejects: a failure ends the shard. */
  async start(): Promise<void> {
    try {
      await Promise.all(this.#nodes.writers.map((writer) => writer.open()));
    } catch (error) {
      this.#fail(toFerryError(error));
      return;
    }
    if (!this.#ended) this.#receiver.start();
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
    this.#permitHeld = true;
    this.#life.waitFor(null);
    this.#permit?.();
    this.#permit = null;
  }

  /** Receives no more and applies what was received; a snapshot under way is left as it is. */
  drain(): void {
    if (this.#ended || this.#draining) return;
    this.#receiver.close();
    if (!this.#pump.inStream) {
      this.#end({ reason: 'interrupted', message: 'stopped before its full sync was done' });
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
    const { receivedOffset, replid } = this.#receiver;
    const { inStream, streamPosition, settledPosition, frame, paused } = this.#pump;
    const applied = this.#appliedOffset();
    const announced = frame?.bytes ?? null;
    return {
      state: this.#life.state,
      stateSinceMs: this.#life.sinceMs,
      waitingFor: this.#nodes.waiting ?? this.#silence() ?? this.#life.waitingFor,
      paused,
      keysDone: this.#keysDone,
      keysTotal: this.#intake.announced,
      snapshotBytesDone: inStream ? streamPosition : Math.min(settledPosition, announced ?? settledPosition),
      snapshotBytesTotal: inStream ? streamPosition : announced,
      snapshotKind: frame?.kind ?? null,
      replid,
      receivedOffset,
      appliedOffset: applied,
      lagSeconds:
        inStream && applied !== null && receivedOffset !== null
          ? this.#lag.ageSeconds(applied, receivedOffset, Date.now())
          : null,
      bytesReceived: this.#bytesReceived,
      commands: this.#commands,
      rewritten: this.#rewritten,
      ignored: this.#ignored,
      refused: this.#refusals.count,
      queued: this.#queue.size + this.#window.length,
      spoolBytes: this.#queue.diskBytes,
      inFlightBytes: this.#nodes.inFlightBytes,
      lastError: this.#life.lastError,
    };
  }

  /** Gives the refusals since the last call to the main thread. */
  tellRefusals(): void {
    const refusals = this.#refusals.take();
    if (refusals.length > 0) this.#post({ type: 'refusals', shard: this.#job.id, refusals });
  }

  #makeQueue(): ElasticQueue {
    const { limits, run, name } = this.#job;
    return new ElasticQueue({
      memoryBytes: limits.queueMemory,
      diskBytes: limits.queueDisk,
      directory: limits.spoolDirectory,
      name: `${run}-${name}`,
      onReadable: () => this.#pump.run(),
      onRelief: () => this.#receiver.relieve(),
      onError: (error) => this.#notice('error', error.message),
    });
  }

  #makeNodes(): TargetNodes {
    const pump = (): ShardPump => this.#pump;
    return makeTargetNodes(this.#job, {
      get position() {
        return pump().handedOver;
      },
      answered: (keys, streamCommands) => {
        this.#keysDone += keys;
        this.#commands += streamCommands;
        this.#pump.run();
      },
      refused: ({ database, args, reason }) => this.#refusals.add(database, args, reason),
      conflict: (database, args) => this.#conflict(database, args),
      lost: (error) => this.#fail(error),
    });
  }

  #makeIntake(): SnapshotIntake {
    const { version } = this.#job.targetTopology;
    const writer = new SnapshotWriter(this.#nodes, this.#window, {
      accepted: acceptedVersions(version),
      setTakesExpiry: setTakesExpiry(version),
    });
    return new SnapshotIntake(this.#nodes, writer, this.#barrier, this.#job.keyless.function === 'forward', {
      refused: (database, args, reason) => this.#refusals.add(database, args, reason),
      broadcast: (args) => this.#broadcast(args),
      taken: () => this.#pump.taken(),
    });
  }

  #makeRouter(): StreamRouter {
    const { keyless, sourceShards, limits, targetCommands } = this.#job;
    const table = new CommandTable();
    if (targetCommands !== null) table.addFromServer(targetCommands);
    return new StreamRouter(
      this.#nodes,
      table,
      {
        refused: (database, args, reason) => this.#refusals.add(database, args, reason),
        ignored: (name) => this.#once('info', `${name} from the source is not applied, as the settings say.`),
        broadcast: (args) => this.#broadcast(args),
        notAtomic: (reason) =>
          this.#once(
            'warn',
            `A transaction of the source was applied command by command, since ${reason}; said once for this shard.`,
          ),
      },
      { keyless, sourceIsCluster: sourceShards > 1, transactionBytes: limits.transaction },
    );
  }

  #receiverListener(): ReceiverListener {
    return {
      connecting: () => {
        if (this.#life.state === 'retrying') this.#life.on('retry');
      },
      connected: () => {
        if (this.#life.state === 'connecting') this.#life.on('connected');
      },
      handshaken: (resuming) => (resuming ? Promise.resolve() : this.#askPermit()),
      requested: () => {
        if (this.#life.state === 'handshake') this.#life.on('handshaken');
        this.#lastByteAtMs = Date.now();
        this.#life.waitFor('the source has been asked for its snapshot and prepares it');
      },
      heartbeat: () => {
        this.#lastByteAtMs = Date.now();
      },
      snapshotBegins: (place, frame) => this.#snapshotBegins(place, frame),
      snapshotReceived: () => this.#returnPermit(),
      received: (bytes, streamOffset) => {
        this.#bytesReceived += bytes;
        this.#lastByteAtMs = Date.now();
        if (streamOffset !== null) this.#lag.received(streamOffset, this.#lastByteAtMs);
        this.#pump.run();
      },
      continued: () => this.#continued(),
      retrying: (error, nextAttemptMs) => this.#retrying(error, nextAttemptMs),
      failed: (error) => this.#fail(error),
    };
  }

  #askPermit(): Promise<void> {
    if (this.#permitHeld) return Promise.resolve();
    this.#life.waitFor('other shards of the same host are being copied (limits.snapshotsAtOnce)');
    return new Promise((resolve) => {
      this.#permit = resolve;
      this.#post({ type: 'permit-wanted', shard: this.#job.id });
    });
  }

  #returnPermit(): void {
    if (!this.#permitHeld) return;
    this.#permitHeld = false;
    this.#post({ type: 'permit-returned', shard: this.#job.id });
  }

  #snapshotBegins(place: StreamPlace, frame: SnapshotFrame): void {
    this.#pump.frame = frame;
    this.#streamOffset = place.offset;
    this.#life.waitFor(null);
    this.#life.clearError();
    this.#life.on('snapshot-begins');
  }

  #continued(): void {
    this.#returnPermit();
    this.#life.waitFor(null);
    this.#life.clearError();
    if (this.#life.state !== 'full-sync') this.#life.on('continued');
    this.#notice('info', 'The link to the source is back; the stream goes on without a gap.');
    this.#pump.run();
  }

  #retrying(error: FerryError, nextAttemptMs: number): void {
    this.#returnPermit();
    const seconds = Math.max(1, Math.round((nextAttemptMs - Date.now()) / 1000));
    this.#life.setError(error.message);
    this.#life.waitFor(`${error.message} Next attempt in ${seconds} s.`);
    this.#once('warn', `${error.message} Trying again.`);
    // A shard that still writes its snapshot keeps that state; the link comes back beside it.
    if (this.#life.state !== 'full-sync') this.#life.on('link-lost');
  }

  #snapshotApplied(): void {
    this.#life.on('snapshot-applied');
    if (this.#job.snapshotOnly) this.#end({ reason: 'snapshot-done', message: null });
  }

  #exhausted(): void {
    if (this.#draining) {
      this.#life.on('drained');
      this.#end({ reason: 'drained', message: null });
    } else if (this.#life.state === 'catching-up') {
      this.#life.on('caught-up');
    }
  }

  #broadcast(args: readonly Buffer[]): void {
    const { target, targetTopology } = this.#job;
    this.#barrier.add(async () => {
      const nodes = targetTopology.shards.map((shard) => shard.address);
      for (const { address, reply } of await broadcast(target, nodes, args)) {
        // Each source shard brings the same library: that another was first is no refusal.
        if (!/already exists/.test(reply)) this.#refusals.add(0, args, `${address}: ${reply}`);
      }
    });
  }

  /** What to send in place of a snapshot key's write that found the key there already. */
  #conflict(database: number, args: readonly Buffer[]): readonly (string | Buffer)[] | null {
    switch (this.#job.conflictPolicy) {
      case 'rewrite':
        this.#rewritten++;
        return overwriting(args);
      case 'ignore':
        this.#ignored++;
        return null;
      case 'panic':
        this.#end({
          reason: 'conflict',
          message: `The key "${printableKey(args[1])}" (database ${database}) is on the target already: empty the target, or choose --on-conflict rewrite or ignore.`,
        });
        return null;
    }
  }

  /** A link that we stopped reading ourselves is not silent. */
  #silence(): string | null {
    if (this.#queue.full || this.#ended) return null;
    return explainSilence(this.#life.state, Date.now() - this.#lastByteAtMs, formatAddress(this.#job.address));
  }

  /** The offset of the last byte that has taken effect on the target; null before the source named one. */
  #appliedOffset(): number | null {
    const { inStream, frame, settledPosition, streamPosition } = this.#pump;
    if (!inStream) return frame === null ? null : this.#streamOffset;
    return this.#streamOffset + settledPosition - streamPosition;
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

  #end(end: ShardEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pump.stop();
    this.#receiver.acknowledge();
    this.#receiver.close();
    this.#returnPermit();
    this.#nodes.destroy();
    if (end.reason === 'snapshot-done') {
      this.#life.on('stop');
      this.#life.on('drained');
    }
    void this.#queue.close().then(() => {
      this.tellRefusals();
      this.#post({ type: 'sample', shard: this.#job.id, sample: this.sample() });
      this.#post({ type: 'ended', shard: this.#job.id, end });
    });
  }
}

/** SET ... PXAT is of 6.2. */
function setTakesExpiry({ product, major, minor }: ServerVersion): boolean {
  return product === 'Valkey' || major > 6 || (major === 6 && minor >= 2);
}

function toFerryError(thrown: unknown): FerryError {
  return thrown instanceof FerryError ? thrown : new FerryError(messageOf(thrown), { code: 'internal', cause: thrown });
}
