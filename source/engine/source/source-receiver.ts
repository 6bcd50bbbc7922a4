// Keeps a shard's source coming: opens the link, passes its bytes into the queue, stops reading while the queue is full,
// and opens the link anew when it breaks. It knows nothing of what the bytes mean behind the frame of the snapshot.

import { SilenceWatch } from '../../protocol/silence-watch.ts';
import type { SnapshotFrame } from '../../readers/psync-framing.ts';
import { type LinkListener, ReplicationLink, type StreamPlace } from '../../readers/replication-link.ts';
import type { ElasticQueue } from '../../spool/elastic-queue.ts';
import { formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import { FerryError, toFerryError } from '../errors.ts';
import type { ServerOrigin } from '../run/shard-job.ts';
import { GATHER_MS, ReadGatherer } from './read-gatherer.ts';

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
/** A link that broke for a moment needs no look around. */
const ATTEMPTS_BEFORE_LOCATING = 2;
/**
 * As long as a server itself waits for its master (repl-timeout, 60 s by default, which has to be more than the
 * repl-ping-replica-period in which a master says something at least).
 */
const LONGEST_SILENCE_S = 60;
/** The same when the source is known to have written what we have not received. */
const LONGEST_LACK_S = 8;

export interface ReceiverListener {
  connected(): void;
  /** Resolves when the source may be asked; `resuming` asks for no snapshot. */
  handshaken(resuming: boolean): Promise<void>;
  requested(): void;
  heartbeat(): void;
  snapshotBegins(place: StreamPlace, frame: SnapshotFrame): void;
  snapshotReceived(): void;
  /** Bytes came into the queue; `streamOffset` is the offset of the last one once the stream flows. */
  received(bytes: number, streamOffset: number | null): void;
  /** A broken stream goes on without a gap. */
  continued(): void;
  /** The link broke and will be tried again after `delayMs`. */
  retrying(error: FerryError, delayMs: number): void;
  /** Where the shard's master is now, when one attempt was not enough: a failover may have moved it. */
  locate(): Promise<NodeAddress>;
  /** An attempt begins. */
  connecting(): void;
  /** It can not go on. */
  failed(error: FerryError): void;
}

export class SourceReceiver {
  readonly #origin: ServerOrigin;
  readonly #queue: ElasticQueue;
  readonly #listener: ReceiverListener;
  readonly #appliedOffset: () => number | null;
  readonly #gatherer = new ReadGatherer();
  #address: NodeAddress;
  #link: ReplicationLink | null = null;
  #place: StreamPlace | null = null;
  #inStream = false;
  #snapshotUnderWay = false;
  #attempt = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;
  /** Reading stands still until the queue has room. */
  #stopped = false;
  readonly #watch = new SilenceWatch(
    () => this.#longestSilence(),
    (seconds) => this.#silent(seconds),
  );
  /** How far the source itself says it has come, seen from beside the link. */
  #sourceOffset = 0;

  constructor(
    origin: ServerOrigin,
    queue: ElasticQueue,
    listener: ReceiverListener,
    appliedOffset: () => number | null,
  ) {
    this.#origin = origin;
    this.#address = origin.address;
    this.#queue = queue;
    this.#listener = listener;
    this.#appliedOffset = appliedOffset;
  }

  get replid(): string | null {
    return this.#place?.replid ?? null;
  }

  /** The node that the shard is read from. */
  get address(): NodeAddress {
    return this.#address;
  }

  /** Offset of the last byte received of the stream; null before the source named one. */
  get receivedOffset(): number | null {
    return this.#place?.offset ?? null;
  }

  /** Everything up to this place was received by an earlier process. */
  resume(place: StreamPlace): void {
    this.#place = place;
    this.#inStream = true;
  }

  start(): void {
    void this.#open();
  }

  /** The queue has room again. */
  relieve(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#link?.resume();
  }

  /** Tells the source how far we are, outside the regular rhythm. */
  acknowledge(): void {
    if (this.#inStream) this.#link?.acknowledge();
  }

  /** The source said on another connection that its history has come to this offset. */
  sourceAt(offset: number): void {
    this.#sourceOffset = offset;
  }

  close(): void {
    this.#closed = true;
    this.#watch.stop();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#link?.close();
  }

  async #open(): Promise<void> {
    this.#listener.connecting();
    const address = await this.#locate();
    if (this.#closed) return;
    const { endpoint, version } = this.#origin;
    const link = new ReplicationLink(
      { address, tls: endpoint.tls, credentials: endpoint.credentials, connectTimeoutMs: endpoint.connectTimeoutMs },
      version,
      this.#linkListener(),
      this.#appliedOffset,
    );
    this.#link = link;
    try {
      await link.open(this.#inStream ? this.#place : null);
    } catch (error) {
      link.close();
      this.#lost(toFerryError(error));
    }
  }

  /** A side that can not be asked for its nodes is no reason to give up the node that is known. */
  async #locate(): Promise<NodeAddress> {
    if (this.#attempt < ATTEMPTS_BEFORE_LOCATING) return this.#address;
    try {
      this.#address = await this.#listener.locate();
    } catch {
      // The attempt itself tells what is wrong.
    }
    return this.#address;
  }

  #linkListener(): LinkListener {
    return {
      connected: () => this.#listener.connected(),
      handshaken: () => this.#listener.handshaken(this.#inStream),
      requested: () => {
        this.#watch.start();
        this.#listener.requested();
      },
      fullResync: (place) => {
        if (this.#inStream) throw this.#backlogGone(place);
        this.#sourceOffset = 0;
        this.#place = place;
      },
      continued: (replid) => {
        if (this.#place !== null && replid !== '') this.#place = { ...this.#place, replid };
        this.#attempt = 0;
        this.#listener.continued();
      },
      heartbeat: () => {
        this.#watch.heard();
        this.#listener.heartbeat();
      },
      snapshotBegins: (frame) => {
        this.#attempt = 0;
        this.#snapshotUnderWay = true;
        if (this.#place !== null) this.#listener.snapshotBegins(this.#place, frame);
      },
      bytes: (view) => this.#take(view),
      snapshotReceived: () => {
        this.#snapshotUnderWay = false;
        this.#inStream = true;
        this.#listener.snapshotReceived();
      },
      lost: (error) => this.#lost(error),
    };
  }

  #take(view: Buffer): boolean {
    this.#watch.heard();
    this.#queue.push(view);
    if (this.#inStream && this.#place !== null) {
      this.#place = { replid: this.#place.replid, offset: this.#place.offset + view.length };
    }
    this.#listener.received(view.length, this.#inStream ? this.receivedOffset : null);
    this.#stopped = this.#queue.full;
    if (this.#stopped) return false;
    if (!this.#gatherer.shouldWait(view.length, performance.now())) return true;
    setTimeout(() => {
      if (!this.#stopped) this.#link?.resume();
    }, GATHER_MS);
    return false;
  }

  /** null while it is us who do not read. */
  #longestSilence(): number | null {
    if (this.#stopped) return null;
    const lacks = this.#inStream && this.#place !== null && this.#sourceOffset > this.#place.offset;
    return lacks ? LONGEST_LACK_S : LONGEST_SILENCE_S;
  }

  #silent(seconds: number): void {
    this.#link?.close();
    const source = formatAddress(this.#address);
    this.#lost(
      new FerryError(`The source ${source} has sent nothing for ${seconds} s, and the link to it was given up.`, {
        code: 'source-silent',
        retriable: true,
      }),
    );
  }

  /** Waits no longer for the next attempt. */
  retryNow(): void {
    if (this.#closed || this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    void this.#open();
  }

  #lost(error: FerryError): void {
    if (this.#closed) return;
    this.#watch.stop();
    if (this.#snapshotUnderWay) {
      this.#listener.failed(
        new FerryError(`${error.message} Its snapshot had not arrived in full.`, {
          code: 'snapshot-cut',
          cause: error,
        }),
      );
      return;
    }
    if (!error.retriable) {
      this.#listener.failed(error);
      return;
    }
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** this.#attempt, LONGEST_RETRY_MS);
    this.#attempt++;
    this.#listener.retrying(error, delayMs);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#open();
    }, delayMs);
  }

  /** @param offered where the source would begin anew. */
  #backlogGone(offered: StreamPlace): FerryError {
    const source = formatAddress(this.#address);
    const missed = offered.offset - (this.#place?.offset ?? 0);
    const sameHistory = offered.replid === this.#place?.replid && missed > 0;
    return new FerryError(
      sameHistory
        ? `The source ${source} no longer holds the ${missed} bytes that were written since the link broke: a repl-backlog-size of that much would have sufficed.`
        : `The source ${source} has begun another history (it was restarted, or another node took its place), so that the stream can not go on.`,
      { code: 'backlog-gone' },
    );
  }
}
