// One source shard's way to the target: receiver -> queue -> window -> parser -> writers. It owns all its connections.
// Everything runs on one thread without locks; `#pump` is the only place where bytes move from the queue to the target.
import { CommandTable } from '../protocol/command-table.ts';
import { acceptedVersions } from '../rdb/payload-version.ts';
import { ByteWindow } from '../readers/byte-window.ts';
import { MARK_BYTES, type SnapshotFrame } from '../readers/psync-framing.ts';
import type { StreamPlace } from '../readers/replication-link.ts';
import { type SnapshotEntry, SnapshotParser, type SnapshotSink } from '../readers/snapshot-parser.ts';
import { StreamParser } from '../readers/stream-parser.ts';
import { ElasticQueue } from '../spool/elastic-queue.ts';
import { BufferPool } from '../writers/batch.ts';
import { NodeWriter, type WriterOwner } from '../writers/node-writer.ts';
import { overwriting, SnapshotWriter } from '../writers/snapshot-writer.ts';
import { StreamRouter } from '../writers/stream-router.ts';
import { broadcast } from '../writers/target-broadcast.ts';
import { TargetNodes } from '../writers/target-nodes.ts';
import { FerryError, messageOf } from './errors.ts';
import { LagMarks } from './lag-marks.ts';
import { printableKey, refusalOf } from './refusal.ts';
import type { FromWorker, ShardEnd, ShardJob, ShardSample } from './shard-job.ts';
import { ShardLife } from './shard-life.ts';
import { SourceReceiver } from './source-receiver.ts';

/** After this many bytes the pump lets the sockets have a turn. */
const TURN_BYTES = 1024 * 1024;
/** Refusals told in full between two samples; above that they are only counted until the next. */
const MOST_REFUSALS_TOLD = 200;

/** What the pump reads next. `settling`: the snapshot is written and its last replies are awaited. */
type Phase = 'snapshot' | 'mark' | 'settling' | 'stream';

export class ShardPipeline {
  readonly #job: ShardJob;
  readonly #post: (message: FromWorker) => void;
  readonly #life: ShardLife;
  readonly #queue: ElasticQueue;
  readonly #window = new ByteWindow();
  readonly #receiver: SourceReceiver;
  readonly #nodes: TargetNodes;
  readonly #snapshotWriter: SnapshotWriter;
  readonly #router: StreamRouter;
  #parser: SnapshotParser;
  readonly #stream: StreamParser;
  readonly #lag = new LagMarks();
  #phase: Phase = 'snapshot';
  #paused = false;
  #draining = false;
  #ended = false;
  #pumping = false;
  #turnPlanned = false;
  #barrier: (() => Promise<void>) | null = null;
  #barrierRunning = false;
  #permit: (() => void) | null = null;
  #permitHeld = false;
  #frame: SnapshotFrame | null = null;
  /** Everything before this position of the source was handed to a writer or needs none. */
  #settledFrom = 0;
  /** Position at which the stream begins, and the offset that it has there. */
  #streamPosition = 0;
  #streamOffset = 0;
  #keysDone = 0;
  #keysTotal: number | null = null;
  #commands = 0;
  #bytesReceived = 0;
  #rewritten = 0;
  #ignored = 0;
  #refused = 0;
  #untold: FromWorker & { type: 'refusals' } = { type: 'refusals', shard: 0, refusals: [] };
  #said = new Set<string>();

  constructor(job: ShardJob, post: (message: FromWorker) => void) {
    this.#job = job;
    this.#post = post;
    this.#untold = { type: 'refusals', shard: job.id, refusals: [] };
    this.#life = new ShardLife();
    this.#queue = new ElasticQueue({
      memoryBytes: job.limits.queueMemory,
      diskBytes: job.limits.queueDisk,
      directory: job.limits.spoolDirectory,
      name: `${job.run}-${job.name}`,
      onReadable: () => this.#pump(),
      onRelief: () => this.#receiver.relieve(),
      onError: (error) => this.#notice('error', messageOf(error)),
    });
    this.#nodes = this.#makeNodes();
    const accepted = acceptedVersions(job.targetTopology.version);
    const { product, major, minor } = job.targetTopology.version;
    this.#snapshotWriter = new SnapshotWriter(this.#nodes, this.#window, {
      accepted,
      setTakesExpiry: product === 'Valkey' || major > 6 || (major === 6 && minor >= 2),
    });
    const table = new CommandTable();
    if (job.targetCommands !== null) table.addFromServer(job.targetCommands);
    this.#router = new StreamRouter(
      this.#nodes,
      table,
      {
        refused: (database, args, reason) => this.#refuse(database, args, reason),
        ignored: (name) =>
          this.#once(`ignored ${name}`, 'info', `${name} from the source is not applied, as the settings say.`),
        broadcast: (args) => this.#broadcastBehindBarrier(args),
        notAtomic: (reason) =>
          this.#once(
            `not atomic ${reason}`,
            'warn',
            `A transaction of the source was applied command by command, since ${reason}; said once for this shard.`,
          ),
      },
      { keyless: job.keyless, sourceIsCluster: job.sourceShards > 1, transactionBytes: job.limits.transaction },
    );
    this.#parser = new SnapshotParser(this.#window, this.#sink(), { valueBytes: job.limits.valueInMemory });
    this.#stream = new StreamParser(this.#window, { commandBytes: job.limits.valueInMemory });
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
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#pump();
  }

  /** The source may be asked for a snapshot now. */
  permit(): void {
    this.#permitHeld = true;
    this.#permit?.();
    this.#permit = null;
    this.#life.waitFor(null);
  }

  /** Receives no more and applies what was received; a snapshot under way is left as it is. */
  drain(): void {
    if (this.#ended || this.#draining) return;
    this.#receiver.close();
    if (this.#phase !== 'stream') {
      this.#end({ reason: 'interrupted', message: 'stopped before its full sync was done' });
      return;
    }
    this.#draining = true;
    this.#paused = false;
    this.#life.on('stop');
    this.#pump();
  }

  /** Leaves at once. */
  abort(): void {
    this.#end({ reason: 'interrupted', message: 'stopped before everything received was applied' });
  }

  sample(): ShardSample {
    const { receivedOffset, replid } = this.#receiver;
    const applied = this.#appliedOffset();
    const inStream = this.#phase === 'stream';
    return {
      state: this.#life.state,
      stateSinceMs: this.#life.sinceMs,
      waitingFor: this.#nodes.waiting ?? this.#life.waitingFor,
      paused: this.#paused,
      keysDone: this.#keysDone,
      keysTotal: this.#keysTotal,
      snapshotBytesDone: inStream
        ? this.#streamPosition
        : Math.min(this.#settledPosition(), this.#frame?.bytes ?? Number.POSITIVE_INFINITY),
      snapshotBytesTotal: inStream ? this.#streamPosition : (this.#frame?.bytes ?? null),
      snapshotKind: this.#frame?.kind ?? null,
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
      refused: this.#refused,
      queued: this.#queue.size + this.#window.length,
      spoolBytes: this.#queue.diskBytes,
      inFlightBytes: this.#nodes.inFlightBytes,
      lastError: this.#life.lastError,
    };
  }

  /** Gives the refusals since the last call to the main thread. */
  tellRefusals(): void {
    if (this.#untold.refusals.length === 0) return;
    this.#post(this.#untold);
    this.#untold = { type: 'refusals', shard: this.#job.id, refusals: [] };
  }

  #makeNodes(): TargetNodes {
    const { job } = { job: this.#job };
    const pool = new BufferPool(job.limits.batch);
    const pipeline = this;
    const owner: WriterOwner = {
      get position() {
        return pipeline.#settledFrom;
      },
      answered: (keys, streamCommands) => this.#answered(keys, streamCommands),
      refused: ({ database, args, reason }) => this.#refuse(database, args, reason),
      conflict: (database, args) => this.#conflict(database, args),
      lost: (error) => this.#fail(error),
    };
    const writers = job.targetTopology.shards.map(
      (node) =>
        new NodeWriter(
          {
            address: node.address,
            tls: job.target.tls,
            credentials: job.target.credentials,
            connectTimeoutMs: job.target.connectTimeoutMs,
            clientName: `redferry:${job.run}:${job.name}:${node.id}`,
            inFlightBytes: job.limits.inFlightPerNode,
            flushDelayMs: job.limits.flushDelayMs,
          },
          owner,
          pool,
        ),
    );
    return new TargetNodes(job.targetTopology, writers);
  }

  #sink(): SnapshotSink {
    const pipeline = this;
    return {
      get saturated() {
        return pipeline.#nodes.saturated || pipeline.#barrier !== null;
      },
      header: (header) => this.#snapshotWriter.begin(header),
      entry: (entry) => this.#writeEntry(entry),
      oversized: (entry, bytes) => {
        const key = Buffer.from(entry.keyBytes.subarray(entry.keyStart, entry.keyStart + entry.keyLength));
        this.#refuse(
          entry.database,
          [Buffer.from('RESTORE'), key],
          `its value of ${bytes} bytes is larger than limits.valueInMemory`,
        );
      },
      announcedKeys: (count) => {
        this.#keysTotal = (this.#keysTotal ?? 0) + count;
      },
      aux: (name, value) => {
        if (name === 'lua')
          this.#broadcastBehindBarrier([Buffer.from('SCRIPT'), Buffer.from('LOAD'), Buffer.from(value)]);
      },
      functionLibrary: (code) => {
        if (this.#job.keyless.function !== 'forward') return;
        this.#broadcastBehindBarrier([Buffer.from('FUNCTION'), Buffer.from('LOAD'), Buffer.from('REPLACE'), code]);
      },
    };
  }

  #writeEntry(entry: SnapshotEntry): void {
    if (entry.database !== 0 && this.#nodes.cluster) {
      const key = Buffer.from(entry.keyBytes.subarray(entry.keyStart, entry.keyStart + entry.keyLength));
      this.#refuse(entry.database, [Buffer.from('RESTORE'), key], 'the target is a cluster, which has database 0 only');
    } else {
      this.#snapshotWriter.write(entry);
    }
    this.#settledFrom = this.#window.position;
  }

  #receiverListener(): ConstructorParameters<typeof SourceReceiver>[2] {
    return {
      connecting: () => {
        if (this.#life.state === 'retrying') this.#life.on('retry');
      },
      connected: () => {
        if (this.#life.state === 'connecting') this.#life.on('connected');
      },
      handshaken: () => this.#askPermit(),
      requested: () => {
        if (this.#life.state === 'handshake') this.#life.on('handshaken');
        this.#life.waitFor('the source has been asked for its snapshot and prepares it');
      },
      heartbeat: () => {},
      snapshotBegins: (place, frame) => this.#snapshotBegins(place, frame),
      snapshotReceived: () => this.#returnPermit(),
      received: (bytes, streamOffset) => {
        this.#bytesReceived += bytes;
        if (streamOffset !== null) this.#lag.received(streamOffset, Date.now());
        this.#pump();
      },
      continued: () => {
        this.#returnPermit();
        this.#life.waitFor(null);
        this.#life.clearError();
        if (this.#life.state !== 'full-sync') this.#life.on('continued');
        this.#notice('info', 'The link to the source is back; the stream goes on without a gap.');
        this.#pump();
      },
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
    this.#frame = frame;
    this.#streamOffset = place.offset;
    this.#life.waitFor(null);
    this.#life.clearError();
    this.#life.on('snapshot-begins');
  }

  #retrying(error: FerryError, nextAttemptMs: number): void {
    this.#returnPermit();
    const seconds = Math.max(1, Math.round((nextAttemptMs - Date.now()) / 1000));
    this.#life.setError(error.message);
    this.#life.waitFor(`${error.message} Next attempt in ${seconds} s.`);
    this.#once(`link ${error.code}`, 'warn', `${error.message} Trying again.`);
    // A shard that still writes its snapshot keeps that state; the link comes back beside it.
    if (this.#life.state !== 'full-sync') this.#life.on('link-lost');
  }

  #answered(keys: number, streamCommands: number): void {
    this.#keysDone += keys;
    this.#commands += streamCommands;
    if (!this.#pumping) this.#pump();
  }

  /** Moves bytes from the queue to the writers until there are none, a writer is full, or a turn is used up. */
  #pump(): void {
    if (this.#ended || this.#pumping || this.#barrierRunning) return;
    if (this.#paused) return;
    this.#pumping = true;
    try {
      this.#turn();
    } catch (error) {
      this.#pumping = false;
      this.#fail(toFerryError(error));
      return;
    }
    this.#pumping = false;
  }

  #turn(): void {
    const until = this.#window.position + TURN_BYTES;
    while (this.#step()) {
      if (this.#window.position >= until) {
        this.#planTurn();
        break;
      }
    }
    this.#nodes.flush(this.#barrier !== null || this.#phase === 'settling');
    if (this.#barrier !== null && this.#nodes.idle) this.#runBarrier(this.#barrier);
    else if (this.#phase === 'settling' && this.#nodes.idle) this.#snapshotApplied();
    else if (this.#phase === 'stream') this.#noticeCaughtUp();
  }

  #planTurn(): void {
    if (this.#turnPlanned) return;
    this.#turnPlanned = true;
    setImmediate(() => {
      this.#turnPlanned = false;
      this.#pump();
    });
  }

  /** Reads on in the present phase; false when nothing more can be done now. */
  #step(): boolean {
    if (this.#barrier !== null) return false;
    switch (this.#phase) {
      case 'snapshot':
        return this.#stepSnapshot();
      case 'mark':
        return this.#stepMark();
      case 'settling':
        return false;
      case 'stream':
        return this.#stepStream();
    }
  }

  #stepSnapshot(): boolean {
    switch (this.#parser.parse()) {
      case 'blocked':
        return false;
      case 'end':
        this.#phase = 'mark';
        return true;
      case 'hungry':
        return this.#window.fill(this.#queue) > 0;
    }
  }

  /** Behind a diskless snapshot stands its mark: the walk and the receiver must agree on where it ends. */
  #stepMark(): boolean {
    const mark = this.#frame?.mark ?? null;
    if (mark !== null) {
      while (this.#window.length < MARK_BYTES) if (this.#window.fill(this.#queue) === 0) return false;
      const { bytes, start } = this.#window;
      if (!bytes.subarray(start, start + MARK_BYTES).equals(mark)) throw this.#wrongEnd();
      this.#window.start += MARK_BYTES;
    } else if (this.#window.position !== this.#frame?.bytes) {
      throw this.#wrongEnd();
    }
    this.#settledFrom = this.#window.position;
    this.#streamPosition = this.#window.position;
    this.#phase = 'settling';
    return false;
  }

  #wrongEnd(): FerryError {
    return new FerryError(
      `The snapshot of ${this.#job.name} does not end where its source said (byte ${this.#window.position}).`,
      { code: 'rdb' },
    );
  }

  #stepStream(): boolean {
    for (;;) {
      if (this.#nodes.saturated) return false;
      switch (this.#stream.next()) {
        case 'command':
          this.#router.handle(this.#stream);
          break;
        case 'oversized':
          this.#router.oversized(this.#stream);
          break;
        case 'hungry':
          return this.#window.fill(this.#queue) > 0;
      }
      if (!this.#router.insideBlock) this.#settledFrom = this.#window.position;
      if (this.#barrier !== null) return false;
    }
  }

  /** The last reply to the snapshot is in: the stream may follow, or this was all. */
  #snapshotApplied(): void {
    this.#phase = 'stream';
    this.#nodes.setKind('stream');
    this.#life.on('snapshot-applied');
    if (this.#job.snapshotOnly) {
      this.#end({ reason: 'snapshot-done', message: null });
      return;
    }
    this.#planTurn();
  }

  #noticeCaughtUp(): void {
    if (this.#queue.size > 0 || !this.#nodes.idle || this.#turnPlanned) return;
    if (this.#draining) {
      this.#life.on('drained');
      this.#end({ reason: 'drained', message: null });
    } else if (this.#life.state === 'catching-up') {
      this.#life.on('caught-up');
    }
  }

  #broadcastBehindBarrier(args: readonly (string | Uint8Array)[]): void {
    const before = this.#barrier;
    this.#barrier = async () => {
      await before?.();
      const nodes = this.#job.targetTopology.shards.map((shard) => shard.address);
      const refusals = await broadcast(this.#job.target, nodes, args);
      for (const { address, reply } of refusals) {
        // Each source shard brings the same library: that another was first is no refusal.
        if (/already exists/.test(reply)) continue;
        this.#refuse(
          0,
          args.map((arg) => Buffer.from(arg)),
          `${address}: ${reply}`,
        );
      }
    };
  }

  #runBarrier(run: () => Promise<void>): void {
    this.#barrierRunning = true;
    run().then(
      () => {
        this.#barrier = null;
        this.#barrierRunning = false;
        this.#pump();
      },
      (error: unknown) => this.#fail(toFerryError(error)),
    );
  }

  #conflict(database: number, args: readonly Buffer[]): readonly (string | Buffer)[] | null {
    switch (this.#job.conflictPolicy) {
      case 'rewrite':
        this.#rewritten++;
        return overwriting(args);
      case 'ignore':
        this.#ignored++;
        return null;
      case 'panic': {
        const key = printableKey(args[1]);
        this.#end({
          reason: 'conflict',
          message: `The key "${key}" (database ${database}) is on the target already: empty the target, or choose --on-conflict rewrite or ignore.`,
        });
        return null;
      }
    }
  }

  #refuse(database: number, args: readonly Buffer[], reason: string): void {
    this.#refused++;
    if (this.#untold.refusals.length >= MOST_REFUSALS_TOLD) return;
    this.#untold = {
      ...this.#untold,
      refusals: [...this.#untold.refusals, refusalOf(this.#job.name, database, args, reason)],
    };
  }

  /** Everything before this position has taken effect on the target. */
  #settledPosition(): number {
    return Math.min(this.#nodes.settledPosition, this.#settledFrom);
  }

  #appliedOffset(): number | null {
    if (this.#phase !== 'stream') return this.#frame === null ? null : this.#streamOffset;
    return this.#streamOffset + this.#settledPosition() - this.#streamPosition;
  }

  #notice(level: 'info' | 'warn' | 'error', message: string): void {
    this.#post({ type: 'notice', shard: this.#job.id, level, message });
  }

  #once(what: string, level: 'info' | 'warn', message: string): void {
    if (this.#said.has(what)) return;
    this.#said.add(what);
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

function toFerryError(thrown: unknown): FerryError {
  return thrown instanceof FerryError ? thrown : new FerryError(messageOf(thrown), { code: 'internal', cause: thrown });
}
