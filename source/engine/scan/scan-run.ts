// A server that is scanned as a shard's source. First what tells of changes is listened to, then the keys are scanned; what
// has changed takes the same lanes. A time in which nothing told of changes is closed by another scan and a sweep
// (scan-repair.ts).

import type { ValueKind, ValueSink } from '../../rdb/value-sink.ts';
import { ScanReader } from '../../readers/scan/scan-reader.ts';
import type { NodeAddress } from '../../topology/endpoint.ts';
import { DatabaseMap } from '../../transforms/database-map.ts';
import type { ShardChanges } from '../contract/shard-snapshot.ts';
import { FerryError, toFerryError } from '../errors.ts';
import type { ScanOrder, ServerOrigin, ShardJob } from '../run/shard-job.ts';
import type { FeedHost, FeedSample, ShardFeed } from '../shard/shard-feed.ts';
import { ScanChanges } from './scan-changes.ts';
import { ScanLinks } from './scan-links.ts';
import { ScanPlace } from './scan-place.ts';
import { ScanRepair } from './scan-repair.ts';
import { ScanScript } from './scan-script.ts';
import { ScanStreams } from './scan-streams.ts';
import { SingleScan } from './single-scan.ts';
import { WrittenKeys } from './written-keys.ts';

export class ScanRun implements ShardFeed {
  /** Keys are fetched again by the lanes themselves. */
  readonly recopier = null;
  readonly history = null;
  readonly silence = null;
  readonly script: ScanScript;
  readonly #job: ShardJob;
  readonly #order: ScanOrder;
  readonly #host: FeedHost;
  readonly #place: ScanPlace;
  readonly #reader: ScanReader;
  /** null: one scan, and what changes meanwhile is not followed. */
  readonly #changes: ScanChanges | null;
  /** Of a cluster's node, where no changes are followed. */
  readonly #single: SingleScan | null;
  readonly #links: ScanLinks;
  readonly #repair: ScanRepair;
  readonly #streams: ScanStreams;
  readonly #written: WrittenKeys;
  readonly #databases: DatabaseMap;
  #counted = 0;
  /** The first scan has given all its keys. */
  #scanned = false;
  #draining = false;
  /** What the source had told when the end was asked for is in the queue. */
  #drained = false;
  #ending = false;
  #closed = false;

  constructor(job: ShardJob, origin: ServerOrigin, order: ScanOrder, host: FeedHost) {
    this.#job = job;
    this.#order = order;
    this.#host = host;
    this.#databases = new DatabaseMap(job.databases);
    this.#place = new ScanPlace(job, origin, (address, sentence) => {
      host.post({ type: 'moved', shard: job.id, address });
      host.once('warn', sentence);
    });
    this.#reader = this.#makeReader(origin);
    this.#changes = order.changes === 'none' || job.snapshotOnly ? null : this.#makeChanges();
    this.#single =
      this.#changes === null && this.#place.isCluster
        ? new SingleScan({ ...this.#place.link, clientName: `${this.#place.name}:slots` })
        : null;
    this.#links = new ScanLinks(host, this.#place, this.#changes);
    this.#streams = this.#makeStreams();
    this.#written = new WrittenKeys(job);
    this.script = this.#makeScript();
    this.#repair = this.#makeRepair();
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
      this.#streams.fetch();
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
    if (this.#repair.busy) return;
    if (this.#changes === null) {
      void this.#endSingle();
      return;
    }
    if (this.#draining) {
      if (this.#drained) this.#host.end({ reason: 'drained', message: null });
      return;
    }
    const { life } = this.#host;
    if (life.state === 'catching-up' && (this.#changes?.following ?? false) && !this.#repair.wanted)
      life.on('caught-up');
  }

  permit(): void {}

  sourceAt(): void {}

  lookAtChanges(): void {
    this.#changes?.lookNow();
  }

  rescan(): void {
    if (this.#changes === null) return;
    this.#changes.gap = true;
    this.#repair.run();
  }

  moveTo(address: NodeAddress): void {
    if (this.#closed || !this.#place.moveTo(address)) return;
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
    this.#streams.stop();
    this.#repair.close();
    this.#reader.close();
    this.#changes?.close();
  }

  async release(): Promise<void> {
    this.#written.close();
    await this.#changes?.release();
  }

  #makeReader({ version }: ServerOrigin): ScanReader {
    const { connections, match, type, databases, keysPerSecond, bigValue } = this.#order;
    return new ScanReader(
      {
        link: this.#place.link,
        name: this.#place.name,
        version,
        cluster: this.#place.isCluster,
        lanes: connections,
        filter: { match, type },
        databases,
        keysPerSecond,
        bigBytes: Math.min(bigValue, this.#job.limits.valueInMemory),
      },
      {
        locate: () => this.#place.locate(),
        connected: () => void this.#connected(),
        delivered: (delivery) => this.script.add(delivery),
        scanned: () => this.#scanEnded(),
        relieved: () => this.#pull(),
        lost: (error, delayMs) => this.#links.lost(error, delayMs),
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
        link: this.#place.link,
        name: this.#place.name,
        cluster: this.#place.isCluster,
        order: this.#order,
        limits,
        flush: keyless.flush,
        swapdb: keyless.swapdb,
      },
      {
        locate: () => this.#place.locate(),
        queued: () => this.#pull(),
        changed: () => this.#followedOtherwise(),
        vanished: () => this.#repair.vanished(),
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
      failed: (error) => host.fail(toFerryError(error)),
      snapshotApplied: () => this.#snapshotApplied(),
    });
  }

  #makeStreams(): ScanStreams {
    return new ScanStreams({
      again: (database, key) => this.#changes?.add(database, key, 0, key.length),
      pull: () => this.#pull(),
      once: (level, message) => this.#host.once(level, message),
    });
  }

  #makeRepair(): ScanRepair {
    const { script } = this;
    return new ScanRepair(this.#order.sweeps, {
      destination: this.#job.destination,
      reader: this.#reader,
      changes: this.#changes,
      place: this.#place,
      databases: this.#databases,
      get inStream() {
        return script.inStream;
      },
      isOwn: (database, key) => script.isOwn(database, key),
      pull: () => this.#pull(),
      notice: (level, message) => this.#host.notice(level, message),
      once: (level, message) => this.#host.once(level, message),
    });
  }

  async #connected(): Promise<void> {
    if (!this.#links.connected()) {
      this.#pull();
      return;
    }
    const { life } = this.#host;
    life.waitFor('the source is asked to tell of changes before anything is scanned');
    await this.#changes?.start();
    await this.#single?.begins(this.#place.address);
    if (this.#closed) return;
    life.waitFor(null);
    life.on('handshaken');
    life.on('snapshot-begins');
    await this.#reader.beginScan(false);
  }

  #followedOtherwise(): void {
    const changes = this.#changes;
    if (changes === null || this.#closed) return;
    if (changes.following) {
      this.#links.followed();
      this.#repair.run();
    } else {
      this.#links.followedNoLonger();
      if (this.#scanned) this.#host.life.waitFor(changes.verdict);
    }
    this.#host.pump.run();
  }

  #scanEnded(): void {
    if (!this.#scanned) {
      this.#scanned = true;
      this.script.scanned();
    } else this.#repair.scanEnded();
  }

  #snapshotApplied(): void {
    const { life } = this.#host;
    life.on('snapshot-applied');
    const changes = this.#changes;
    // Of an earlier process.
    this.#repair.sweepIfWanted();
    if (changes === null) {
      if (!this.#repair.busy) void this.#endSingle();
      return;
    }
    if (!changes.following) life.waitFor(changes.verdict);
    this.#streams.start();
    this.#repair.run();
    this.#pull();
  }

  async #endSingle(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const missing = (await this.#single?.ended(this.#place.address)) ?? null;
    if (this.#closed) return;
    if (missing !== null) this.#host.refused(0, [Buffer.from('SCAN')], missing);
    this.#host.end({ reason: 'snapshot-done', message: null });
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
