// A server that is scanned as a shard's source: the reader's events become the shard's state, what it delivers goes to the
// script, and keys that have to be fetched once more go back to it.
import type { ValueKind, ValueSink } from '../rdb/value-sink.ts';
import { ScanReader } from '../readers/scan/scan-reader.ts';
import { formatAddress, type NodeAddress } from '../topology/endpoint.ts';
import { type FerryError, messageOf, FerryError as Trouble } from './errors.ts';
import { ScanScript } from './scan-script.ts';
import type { FeedHost, FeedSample, ShardFeed } from './shard-feed.ts';
import type { ScanOrder, ServerOrigin, ShardJob } from './shard-job.ts';
import { refreshOrigin } from './shard-restart.ts';

export class ScanRun implements ShardFeed {
  /** Keys are fetched again by the lanes themselves. */
  readonly recopier = null;
  readonly history = null;
  readonly silence = null;
  readonly script: ScanScript;
  readonly #job: ShardJob;
  readonly #origin: ServerOrigin;
  readonly #host: FeedHost;
  readonly #reader: ScanReader;
  #address: NodeAddress;
  #counted = 0;
  #begun = false;
  #lost = false;
  #draining = false;

  constructor(job: ShardJob, origin: ServerOrigin, scan: ScanOrder, host: FeedHost) {
    this.#job = job;
    this.#origin = origin;
    this.#host = host;
    this.#address = origin.address;
    this.#reader = this.#makeReader(scan);
    this.script = new ScanScript({
      target: host.parts.target,
      targetWasEmpty: job.targetWasEmpty,
      refused: (database, args, reason) => host.refused(database, args, reason),
      readBig: (lane, database, key, begin, room) =>
        this.#reader.readBig(lane, database, key, {
          begin: (kind: ValueKind, expiresAtMs: number): ValueSink | null => begin(kind, expiresAtMs),
          room,
        }),
      again: (database, key) => {
        this.#reader.add(database, key, 0, key.length);
        this.#reader.run();
      },
      run: () => host.pump.run(),
      failed: (error) =>
        host.fail(error instanceof Trouble ? error : new Trouble(messageOf(error), { code: 'internal', cause: error })),
      snapshotApplied: () => this.#snapshotApplied(),
    });
  }

  get queued(): number {
    return 0;
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

  drain(): boolean {
    this.#draining = true;
    return this.script.inStream;
  }

  exhausted(): void {
    if (!this.#reader.idle) return;
    if (this.#draining) this.#host.end({ reason: 'drained', message: null });
    else if (this.#host.life.state === 'catching-up') this.#host.life.on('caught-up');
  }

  permit(): void {}

  sourceAt(): void {}

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
      lagSeconds: null,
      spoolBytes: 0,
    };
  }

  close(): void {
    this.#reader.close();
  }

  async release(): Promise<void> {}

  #makeReader(scan: ScanOrder): ScanReader {
    const { endpoint, version, slots } = this.#origin;
    const { tls, credentials, connectTimeoutMs, preferReplica } = endpoint;
    const cluster = slots.length > 0;
    const { life } = this.#host;
    return new ScanReader(
      {
        link: { tls, credentials, connectTimeoutMs, readsReplica: cluster && preferReplica },
        name: `redferry:${this.#job.run}:${this.#job.name}`,
        version,
        cluster,
        lanes: scan.connections,
        filter: { match: scan.match, type: scan.type },
        databases: scan.databases,
        keysPerSecond: scan.keysPerSecond,
        bigBytes: Math.min(scan.bigValue, this.#job.limits.valueInMemory),
      },
      {
        locate: () => this.#locate(),
        connected: () => this.#connected(),
        delivered: (delivery) => this.script.add(delivery),
        scanned: () => this.script.scanned(),
        relieved: () => this.#relieved(),
        lost: (error, delayMs) => this.#linkLost(error, delayMs),
        failed: (error) => {
          life.waitFor(null);
          this.#host.fail(error);
        },
        once: (level, message) => this.#host.once(level, message),
      },
    );
  }

  /** The node that has the shard's slots now; at first it was just asked. */
  async #locate(): Promise<NodeAddress> {
    if (!this.#lost) return this.#address;
    const { slots, endpoint } = this.#origin;
    if (slots.length === 0 && endpoint.scheme !== 'sentinel') return this.#address;
    const { address } = await refreshOrigin(this.#origin);
    if (formatAddress(address) !== formatAddress(this.#address)) {
      this.#host.post({ type: 'moved', shard: this.#job.id, address });
      this.#host.once(
        'warn',
        `The source's ${formatAddress(this.#address)} has been replaced by ${formatAddress(address)}.`,
      );
      this.#address = address;
    }
    return address;
  }

  #connected(): void {
    const { life } = this.#host;
    this.#lost = false;
    life.waitFor(null);
    life.clearError();
    if (life.state === 'retrying') life.on('retry');
    if (life.state === 'connecting') life.on('connected');
    if (!this.#begun) {
      this.#begun = true;
      life.on('handshaken');
      life.on('snapshot-begins');
      void this.#reader.beginScan();
    } else {
      if (life.state === 'handshake') life.on('continued');
      this.#host.notice('info', 'The links to the source are back; what was on its way is fetched again.');
    }
    this.#host.pump.run();
  }

  #linkLost(error: FerryError, delayMs: number): void {
    const { life } = this.#host;
    this.#lost = true;
    life.setError(error.message);
    life.waitFor(`${error.message} Next attempt in ${Math.max(1, Math.round(delayMs / 1000))} s.`);
    this.#host.once('warn', `${error.message} Trying again.`);
    // A shard that is still scanning keeps that state; the links come back beside it.
    if (life.state !== 'full-sync' && life.state !== 'draining') life.on('link-lost');
  }

  #relieved(): void {
    this.#host.pump.run();
  }

  #snapshotApplied(): void {
    this.#host.life.on('snapshot-applied');
    this.#host.end({ reason: 'snapshot-done', message: null });
  }

  /** What was received since the last look, for the rate on the screen. */
  #count(): void {
    const { received } = this.#reader;
    this.#host.received(received - this.#counted);
    this.#counted = received;
  }
}
