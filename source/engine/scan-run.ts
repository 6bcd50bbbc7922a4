// A server that is scanned as a shard's source. First what tells of changes is listened to, then the keys are scanned; what
// has changed takes the same lanes. A time in which nothing told of changes is closed by another scan and a sweep.

import type { ValueKind, ValueSink } from '../rdb/value-sink.ts';
import { ScanReader } from '../readers/scan/scan-reader.ts';
import type { SourceLinkOptions } from '../readers/scan/source-link.ts';
import { StreamNames } from '../readers/scan/stream-names.ts';
import { formatAddress, type NodeAddress } from '../topology/endpoint.ts';
import { DatabaseMap } from '../transforms/database-map.ts';
import type { ShardChanges } from './contract/shard-snapshot.ts';
import { FerryError, messageOf } from './errors.ts';
import { nextAttempt } from './next-attempt.ts';
import { ScanChanges } from './scan-changes.ts';
import { ScanScript } from './scan-script.ts';
import { sweep } from './scan-sweep.ts';
import type { FeedHost, FeedSample, ShardFeed } from './shard-feed.ts';
import type { ScanOrder, ServerOrigin, ShardJob } from './shard-job.ts';
import { refreshOrigin } from './shard-restart.ts';
import { SingleScan } from './single-scan.ts';
import { WrittenKeys } from './written-keys.ts';

const SWEEP_RETRY_MS = 2000;
/** How old what is known of a stream's groups may become. */
const STREAMS_MS = 30_000;

export class ScanRun implements ShardFeed {
  /** Keys are fetched again by the lanes themselves. */
  readonly recopier = null;
  readonly history = null;
  readonly silence = null;
  readonly script: ScanScript;
  readonly #job: ShardJob;
  #origin: ServerOrigin;
  readonly #order: ScanOrder;
  readonly #host: FeedHost;
  readonly #reader: ScanReader;
  /** null: one scan, and what changes meanwhile is not followed. */
  readonly #changes: ScanChanges | null;
  /** Of a cluster's node, where no changes are followed. */
  readonly #single: SingleScan | null;
  #ending = false;
  readonly #written: WrittenKeys;
  readonly #streams = new StreamNames();
  readonly #databases: DatabaseMap;
  #streamsTimer: NodeJS.Timeout | null = null;
  #address: NodeAddress;
  #counted = 0;
  #begun = false;
  #linksUp = false;
  /** The first scan has given all its keys. */
  #scanned = false;
  /** Another scan is under way, or the sweep behind it. */
  #repairing: 'no' | 'scan' | 'sweep' = 'no';
  #sweepWanted = false;
  #draining = false;
  /** What the source had told when the end was asked for is in the queue. */
  #drained = false;
  #closed = false;

  constructor(job: ShardJob, origin: ServerOrigin, order: ScanOrder, host: FeedHost) {
    this.#job = job;
    this.#origin = origin;
    this.#order = order;
    this.#host = host;
    this.#address = origin.address;
    this.#databases = new DatabaseMap(job.databases);
    this.#reader = this.#makeReader();
    this.#changes = order.changes === 'none' || job.snapshotOnly ? null : this.#makeChanges();
    this.#single =
      this.#changes === null && this.#isCluster
        ? new SingleScan({ ...this.#link, clientName: `${this.#name}:slots` })
        : null;
    this.#sweepWanted = order.sweeps;
    this.#written = new WrittenKeys(job);
    this.script = this.#makeScript();
  }

  get queued(): number {
    return this.#changes?.queuedBytes ?? 0;
  }

  get changes(): ShardChanges {
    const none = { followedBy: null, flags: null, needed: null, verdict: null, waiting: 0, oldestSeconds: 0 };
    const picture = this.#changes?.picture() ?? none;
    return { ...picture, waiting: picture.waiting + (this.#scanned ? this.#reader.keysUnderWay : 0) };
  }

  /** Keys that the scan will give, as far as can be told. */
  get announcedKeys(): number | null {
    return this.#reader.announcedKeys;
  }

  offsetAt(position: number): number {
    return position;
  }

  positionAt(offset: number): number {
    return offset;
  }

  start(): void {
    this.#reader.start();
  }

  /** What the source has told by now is applied. */
  drain(): boolean {
    if (!this.script.inStream) return false;
    this.#draining = true;
    const caughtUp = this.#changes?.caughtUp() ?? Promise.resolve();
    void caughtUp.then(() => {
      this.#fetchStreams();
      this.#drained = true;
      this.#pull();
    });
    return true;
  }

  exhausted(): void {
    if (!this.#reader.idle || (this.#changes?.waiting ?? 0) > 0) {
      this.#pull();
      return;
    }
    if (this.#repairing !== 'no') return;
    if (this.#changes === null) {
      void this.#endSingle();
      return;
    }
    if (this.#draining) {
      if (this.#drained) this.#host.end({ reason: 'drained', message: null });
      return;
    }
    const { life } = this.#host;
    if (life.state === 'catching-up' && (this.#changes?.following ?? false) && !this.#wantsRepair) life.on('caught-up');
  }

  permit(): void {}

  sourceAt(): void {}

  lookAtChanges(): void {
    this.#changes?.lookNow();
  }

  rescan(): void {
    if (this.#changes === null) return;
    this.#changes.gap = true;
    this.#repair();
  }

  moveTo(address: NodeAddress): void {
    if (this.#closed || formatAddress(address) === formatAddress(this.#address)) return;
    this.#movedTo(address);
    this.#origin = { ...this.#origin, address };
    const error = new FerryError('Another node has the slots of this shard now.', { code: 'lost', retriable: true });
    this.#changes?.connectAnew(error);
    this.#reader.connectAnew(error);
  }

  /** The target's own value of that key was left where it is. */
  leftAlone(database: number, key: Buffer): void {
    this.script.leftAlone(database, key);
  }

  sample(): FeedSample {
    this.#count();
    return {
      snapshotBytesDone: this.#reader.received,
      snapshotBytesTotal: null,
      snapshotKind: null,
      replid: null,
      receivedOffset: null,
      appliedOffset: null,
      lagSeconds: this.#scanned && this.#changes !== null ? this.#changes.picture().oldestSeconds : null,
      spoolBytes: this.#changes?.diskBytes ?? 0,
    };
  }

  close(): void {
    this.#closed = true;
    if (this.#streamsTimer !== null) clearInterval(this.#streamsTimer);
    this.#reader.close();
    this.#changes?.close();
  }

  async release(): Promise<void> {
    this.#written.close();
    await this.#changes?.release();
  }

  get #link(): Omit<SourceLinkOptions, 'address' | 'clientName'> {
    const { tls, credentials, connectTimeoutMs, preferReplica } = this.#origin.endpoint;
    return { tls, credentials, connectTimeoutMs, readsReplica: this.#isCluster && preferReplica };
  }

  get #isCluster(): boolean {
    return this.#origin.nodeId !== null;
  }

  get #name(): string {
    return `redferry:${this.#job.run}:${this.#job.name}`;
  }

  #makeReader(): ScanReader {
    const { connections, match, type, databases, keysPerSecond, bigValue } = this.#order;
    return new ScanReader(
      {
        link: this.#link,
        name: this.#name,
        version: this.#origin.version,
        cluster: this.#isCluster,
        lanes: connections,
        filter: { match, type },
        databases,
        keysPerSecond,
        bigBytes: Math.min(bigValue, this.#job.limits.valueInMemory),
      },
      {
        locate: () => this.#locate(),
        connected: () => void this.#connected(),
        delivered: (delivery) => this.script.add(delivery),
        scanned: () => this.#scanEnded(),
        relieved: () => this.#pull(),
        lost: (error, delayMs) => this.#linkLost(error, delayMs),
        failed: (error) => this.#host.fail(error),
        once: (level, message) => this.#host.once(level, message),
      },
    );
  }

  #makeChanges(): ScanChanges {
    const { keyless, limits } = this.#job;
    const host = this.#host;
    return new ScanChanges(
      {
        link: this.#link,
        name: this.#name,
        cluster: this.#isCluster,
        order: this.#order,
        limits,
        flush: keyless.flush,
        swapdb: keyless.swapdb,
      },
      {
        locate: () => this.#locate(),
        queued: () => this.#pull(),
        changed: () => this.#followedOtherwise(),
        vanished: () => {
          this.#sweepWanted = true;
          this.#repair();
        },
        refused: (command, reason) => host.refused(0, [Buffer.from(command)], reason),
        notice: (level, message) => host.notice(level, message),
        once: (level, message) => host.once(level, message),
      },
    );
  }

  #makeScript(): ScanScript {
    const host = this.#host;
    return new ScanScript({
      target: host.parts.target,
      written: this.#written,
      databaseOf: (database) => this.#databases.of(database),
      refused: (database, args, reason) => host.refused(database, args, reason),
      readBig: (lane, database, key, begin, room) =>
        this.#reader.readBig(lane, database, key, {
          begin: (kind: ValueKind, expiresAtMs: number): ValueSink | null => begin(kind, expiresAtMs),
          room,
        }),
      stream: (database, key) => this.#streams.add(database, key),
      again: (database, key) => {
        this.#reader.add(database, key, 0, key.length);
        this.#reader.run();
      },
      run: () => host.pump.run(),
      failed: (error) =>
        host.fail(
          error instanceof FerryError ? error : new FerryError(messageOf(error), { code: 'internal', cause: error }),
        ),
      snapshotApplied: () => this.#snapshotApplied(),
    });
  }

  /** The node that has the shard's slots now; at first it was just asked. */
  async #locate(): Promise<NodeAddress> {
    if (!this.#begun || this.#linksUp) return this.#address;
    if (!this.#isCluster && this.#origin.endpoint.scheme !== 'sentinel') return this.#address;
    const { address } = await refreshOrigin(this.#origin);
    if (formatAddress(address) !== formatAddress(this.#address)) this.#movedTo(address);
    return address;
  }

  #movedTo(address: NodeAddress): void {
    const sentence = `The source's ${formatAddress(this.#address)} has been replaced by ${formatAddress(address)}.`;
    this.#address = address;
    this.#host.post({ type: 'moved', shard: this.#job.id, address });
    this.#host.once('warn', sentence);
  }

  async #connected(): Promise<void> {
    const { life } = this.#host;
    this.#linksUp = true;
    life.waitFor(null);
    life.clearError();
    if (this.#begun) {
      this.#host.notice('info', 'The links to the source are back; what was on its way is fetched again.');
      this.#goOn();
      this.#pull();
      return;
    }
    this.#begun = true;
    life.on('connected');
    life.waitFor('the source is asked to tell of changes before anything is scanned');
    await this.#changes?.start();
    await this.#single?.begins(this.#address);
    if (this.#closed) return;
    life.waitFor(null);
    life.on('handshaken');
    life.on('snapshot-begins');
    await this.#reader.beginScan(false);
  }

  #linkLost(error: FerryError, delayMs: number): void {
    const { life } = this.#host;
    this.#linksUp = false;
    life.setError(error.message);
    life.waitFor(nextAttempt(delayMs, error.message));
    this.#host.once('warn', `${error.message} Trying again.`);
    this.#interrupted();
  }

  /** A shard that is still scanning keeps that state; what broke comes back beside it. */
  #interrupted(): void {
    const { life } = this.#host;
    if (life.state === 'catching-up' || life.state === 'streaming') life.on('link-lost');
  }

  /** Both the links and the changes are there again. */
  #goOn(): void {
    const { life } = this.#host;
    if (life.state !== 'retrying' || !this.#linksUp || !(this.#changes?.following ?? true)) return;
    for (const event of ['retry', 'connected', 'continued'] as const) life.on(event);
    life.clearError();
    life.waitFor(null);
  }

  #followedOtherwise(): void {
    const { life } = this.#host;
    const changes = this.#changes;
    if (changes === null || this.#closed) return;
    if (changes.following) {
      this.#goOn();
      if (life.state === 'catching-up') life.waitFor(null);
      this.#repair();
    } else {
      // Nothing is retried where a setting is missing: the shard stays where it is and says what it waits for.
      if (life.state === 'streaming')
        for (const event of ['link-lost', 'retry', 'connected', 'continued'] as const) life.on(event);
      if (this.#scanned) life.waitFor(changes.verdict);
    }
    this.#host.pump.run();
  }

  #scanEnded(): void {
    if (!this.#scanned) {
      this.#scanned = true;
      this.script.scanned();
    } else if (this.#repairing === 'scan') void this.#sweep();
  }

  #snapshotApplied(): void {
    const { life } = this.#host;
    life.on('snapshot-applied');
    const changes = this.#changes;
    // Of an earlier process; what is found is asked of the source, so that nobody needs to have told of it.
    if (this.#sweepWanted) void this.#sweep();
    if (changes === null) {
      if (this.#repairing === 'no') void this.#endSingle();
      return;
    }
    if (!changes.following) life.waitFor(changes.verdict);
    this.#streamsTimer = setInterval(() => this.#fetchStreams(), STREAMS_MS);
    this.#repair();
    this.#pull();
  }

  async #endSingle(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const missing = (await this.#single?.ended(this.#address)) ?? null;
    if (this.#closed) return;
    if (missing !== null) this.#host.refused(0, [Buffer.from('SCAN')], missing);
    this.#host.end({ reason: 'snapshot-done', message: null });
  }

  get #wantsRepair(): boolean {
    return this.#sweepWanted || (this.#changes?.gap ?? false);
  }

  /** Closes a gap once changes are told again: what changed by another scan, what went by a sweep. */
  #repair(): void {
    const changes = this.#changes;
    if (changes === null || !changes.following || !this.script.inStream || this.#repairing !== 'no' || this.#closed)
      return;
    if (changes.gap) {
      changes.gap = false;
      this.#repairing = 'scan';
      this.#host.notice('info', 'Scanning once more: nothing told of the changes for a while.');
      void this.#reader.beginScan(true);
    } else if (this.#sweepWanted) void this.#sweep();
  }

  async #sweep(): Promise<void> {
    const { destination } = this.#job;
    if (destination.kind === 'file' || this.#closed) return;
    this.#repairing = 'sweep';
    this.#sweepWanted = false;
    try {
      const missing = await sweep({
        destination,
        source: { ...this.#link, address: await this.#locate(), clientName: `${this.#name}:sweep` },
        name: this.#name,
        slots: this.#changes?.ownSlots ?? null,
        databasesOf: (database) => this.#databases.sourcesOf(database),
        isOwn: (database, key) => this.script.isOwn(database, key),
        stopped: () => this.#closed,
        missing: (database, key) => this.#fetchAgain(database, key),
      });
      this.#repairing = 'no';
      this.#host.notice('info', `The target was looked through: ${missing} keys of it are no longer on the source.`);
    } catch (error) {
      if (this.#closed) return;
      this.#host.once('warn', `The target could not be looked through (${messageOf(error)}). Trying again.`);
      this.#sweepWanted = true;
      setTimeout(() => {
        this.#repairing = 'no';
        if (this.#changes === null) void this.#sweep();
        else this.#repair();
      }, SWEEP_RETRY_MS).unref();
      return;
    }
    this.#repair();
    this.#reader.run();
    this.#pull();
    this.#host.pump.run();
  }

  #fetchAgain(database: number, key: Buffer): void {
    if (this.#changes === null) this.#reader.add(database, key, 0, key.length);
    else this.#changes.add(database, key, 0, key.length);
  }

  /** Nothing tells what consumers do to the groups of a stream. */
  #fetchStreams(): void {
    this.#streams.each((database, key) => this.#changes?.add(database, key, 0, key.length));
    if (this.#streams.incomplete)
      this.#host.once('warn', 'The source has too many streams to look at all their groups again: docs/scan.md.');
    this.#pull();
  }

  /** Gives the lanes as much of what waits as they take. */
  #pull(): void {
    const changes = this.#changes;
    const reader = this.#reader;
    let given = false;
    while (changes !== null && !reader.busy) {
      const more = changes.take((database, bytes, start, length) => reader.add(database, bytes, start, length));
      if (!more) break;
      given = true;
    }
    if (given) reader.run();
    this.#host.pump.run();
  }

  /** What was received since the last look, for the rate on the screen. */
  #count(): void {
    const { received } = this.#reader;
    this.#host.received(received - this.#counted);
    this.#counted = received;
  }
}
