// A server as a shard's source: the link's events become the shard's state, and offsets come from positions. What comes is read
// by replication-script.ts.

import type { SourceHistory } from '../../checkpoint/marker.ts';
import type { SnapshotFrame } from '../../readers/psync-framing.ts';
import type { StreamPlace } from '../../readers/replication-link.ts';
import type { SnapshotSink } from '../../readers/snapshot-sink.ts';
import { formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import type { FerryError } from '../errors.ts';
import type { Recopier } from '../recopy/recopier.ts';
import { makeRecopier } from '../recopy/replication-recopier.ts';
import type { ServerOrigin, ShardJob } from '../run/shard-job.ts';
import { nextAttempt } from '../shard/next-attempt.ts';
import type { FeedHost, FeedSample, ShardFeed } from '../shard/shard-feed.ts';
import { refreshOrigin } from '../shard/shard-restart.ts';
import type { CommandTaker } from '../shard/shard-target.ts';
import { explainSilence } from '../shard/silence.ts';
import { steadyMs } from '../steady-clock.ts';
import { OwnedKeysSink } from '../target/owned-keys-sink.ts';
import type { OwnedSlots } from './owned-slots.ts';
import { ReplicationScript } from './replication-script.ts';
import { ReplicationSource, type ReplicationSourceListener } from './replication-source.ts';
import { SnapshotTurn } from './snapshot-turn.ts';
import { SourceTimes } from './source-times.ts';

const NO_FORMER = { replid2: null, secondReplOffset: -1 } as const;
const LAG_LOOK_MS = 250;
/** Nobody sees from a lag below this that the stream is behind. */
const CAUGHT_UP_MS = 1000;

export class ReplicationFeed implements ShardFeed {
  readonly script: ReplicationScript;
  readonly recopier: Recopier | null;
  readonly #job: ShardJob;
  readonly #origin: ServerOrigin;
  readonly #slots: OwnedSlots | null;
  readonly #host: FeedHost;
  readonly #source: ReplicationSource;
  readonly #times: SourceTimes;
  readonly #turn: SnapshotTurn;
  #lagTimer: NodeJS.Timeout | null = null;
  #draining = false;
  #closed = false;
  /** The replication offset at which the stream begins. */
  #streamOffset = 0;
  #lastByteAtMs = steadyMs();
  /** The name of the history before the source failed over, and the first byte that it does not share. */
  #former: { readonly replid2: string | null; readonly secondReplOffset: number } = NO_FORMER;
  #replid: string | null = null;

  /** @param slots of a cluster's node: those that the pipeline carries. */
  constructor(job: ShardJob, origin: ServerOrigin, slots: OwnedSlots | null, host: FeedHost) {
    this.#job = job;
    this.#slots = slots;
    this.#origin = origin;
    this.#host = host;
    this.#turn = new SnapshotTurn(job.id, host);
    this.#times = new SourceTimes(origin, {
      appliedOffset: () => this.#appliedOffset(),
      handledOffset: () => this.#handledOffset(),
      once: (level, message) => host.once(level, message),
    });
    this.#source = new ReplicationSource(job, origin, this.#listener(), () => this.#appliedOffset());
    const stream = {
      source: this.#source,
      handledOffset: () => this.#handledOffset(),
      historyOffset: () => this.offsetAt(this.script.historyStart),
    };
    this.recopier = makeRecopier(job, origin, slots, stream, host);
    this.script = new ReplicationScript(
      { ...host.parts, bytes: this.#source.bytes },
      (sink) => this.#ownKeys(sink),
      (target) => this.#gated(this.#times.absolute(target, host.parts.target.setTakesExpiry)),
      () => this.#snapshotApplied(),
    );
  }

  get bytes() {
    return this.#source.bytes;
  }

  get queued(): number {
    return this.script.unread;
  }

  get history(): SourceHistory | null {
    const { replid } = this.#source;
    return replid === null ? null : { replid, ...this.#former };
  }

  offsetAt(position: number): number {
    return this.#streamOffset + position - this.script.streamPosition;
  }

  positionAt(offset: number): number {
    return offset - this.#streamOffset + this.script.streamPosition;
  }

  /** A link that we stopped reading ourselves is not silent. */
  get silence(): string | null {
    if (this.#source.full || this.#closed) return null;
    return explainSilence(this.#host.life.state, steadyMs() - this.#lastByteAtMs, formatAddress(this.#origin.address));
  }

  start(): void {
    this.#times.start();
    const { resume } = this.#job;
    if (resume !== null) {
      this.#streamOffset = resume.offset;
      this.#replid = resume.replid;
      this.#source.resume({ replid: resume.replid, offset: resume.offset });
      this.#host.life.hasBegun = true;
      this.script.resume();
    }
    this.#source.start();
    this.#lagTimer = setInterval(() => this.#lookAtLag(), LAG_LOOK_MS);
  }

  retryNow(): void {
    this.#source.retryNow();
  }

  drain(): boolean {
    this.#source.close();
    this.#draining = true;
    return this.script.inStream;
  }

  exhausted(): void {
    const { life } = this.#host;
    if (this.#draining) {
      // Keys whose commands were held back must get their values before the end.
      if (this.recopier?.busy) this.recopier.finish();
      if (!this.recopier?.busy && !this.#host.barrier.closed) this.#host.end({ reason: 'drained', message: null });
    } else if (life.state === 'catching-up') life.on('caught-up');
  }

  permit(): void {
    this.#turn.grant();
  }

  sourceAt(offset: number): void {
    this.#source.sourceAt(offset);
  }

  sample(): FeedSample {
    const { receivedOffset, replid } = this.#source;
    const { inStream, streamPosition, frame } = this.script;
    const applied = this.#appliedOffset();
    const announced = frame?.bytes ?? null;
    const settled = this.#host.pump.settledPosition;
    return {
      snapshotBytesDone: inStream ? streamPosition : Math.min(settled, announced ?? settled),
      snapshotBytesTotal: inStream ? streamPosition : announced,
      snapshotKind: frame?.kind ?? null,
      replid,
      receivedOffset,
      appliedOffset: applied,
      lagSeconds:
        inStream && applied !== null && receivedOffset !== null
          ? this.#times.ageSeconds(applied, receivedOffset)
          : null,
      spoolBytes: this.#source.diskBytes,
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#lagTimer !== null) clearInterval(this.#lagTimer);
    this.#times.stop();
    this.recopier?.close();
    this.#source.acknowledge();
    this.#source.close();
    this.#turn.giveBack();
  }

  release(): Promise<void> {
    return this.#source.release();
  }

  #listener(): ReplicationSourceListener {
    const { life } = this.#host;
    return {
      connecting: () => {
        if (life.state === 'retrying') life.on('retry');
      },
      connected: () => {
        if (life.state === 'connecting') life.on('connected');
      },
      handshaken: async (resuming) => {
        await this.#times.ready;
        if (!resuming) await this.#turn.wait();
      },
      requested: () => {
        if (life.state === 'handshake') life.on('handshaken');
        this.#lastByteAtMs = steadyMs();
        life.waitFor('the source has been asked for its snapshot and prepares it');
      },
      heartbeat: () => {
        this.#lastByteAtMs = steadyMs();
      },
      snapshotBegins: (place, frame) => this.#snapshotBegins(place, frame),
      snapshotReceived: () => this.#turn.giveBack(),
      received: (bytes, streamOffset) => {
        this.#host.received(bytes);
        this.#lastByteAtMs = steadyMs();
        if (streamOffset !== null) this.#times.received(streamOffset, this.#lastByteAtMs);
        this.#host.pump.run();
      },
      continued: () => this.#continued(),
      locate: () => this.#locate(),
      retrying: (error, delayMs) => this.#retrying(error, delayMs),
      failed: (error) => this.#host.fail(error),
      readable: () => this.#host.pump.run(),
      spoolFailed: (error) => this.#host.notice('error', error.message),
    };
  }

  /** The node that owns the shard's slots now, or that the sentinels name. */
  async #locate(): Promise<NodeAddress> {
    const { address, endpoint } = this.#origin;
    if (this.#slots === null && endpoint.scheme !== 'sentinel') return address;
    const { address: now } = await refreshOrigin({ ...this.#origin, slots: this.#slots?.ranges ?? [] });
    if (formatAddress(now) !== formatAddress(address)) {
      this.#host.post({ type: 'moved', shard: this.#job.id, address: now });
      this.#host.once('warn', `The source's ${formatAddress(address)} has been replaced by ${formatAddress(now)}.`);
    }
    return now;
  }

  #ownKeys(sink: SnapshotSink): SnapshotSink {
    const { parts } = this.#host;
    return new OwnedKeysSink(
      sink,
      this.#slots,
      () => parts.handedOver(),
      () => parts.leftOut(),
    );
  }

  /** In front of all: what it holds back is not looked at any more. */
  #gated(target: CommandTaker): CommandTaker {
    return this.recopier?.gate(target) ?? target;
  }

  /** Under a load without a pause there is always something unanswered: what is applied within a second has caught up. */
  #lookAtLag(): void {
    const { life, parts } = this.#host;
    if (life.state !== 'catching-up' || steadyMs() - life.sinceMs < CAUGHT_UP_MS || parts.target.replaying) return;
    const applied = this.#appliedOffset();
    const { receivedOffset } = this.#source;
    if (applied === null || receivedOffset === null) return;
    const ageSeconds = this.#times.ageSeconds(applied, receivedOffset);
    if (ageSeconds * 1000 < CAUGHT_UP_MS) life.on('caught-up');
  }

  /** Replication offset of the last byte of the command that was read last. */
  #handledOffset(): number {
    return this.offsetAt(this.#host.parts.window.position);
  }

  #snapshotBegins(place: StreamPlace, frame: SnapshotFrame): void {
    const { life } = this.#host;
    this.#replid = this.#source.replid;
    this.#former = NO_FORMER;
    this.script.frame = frame;
    this.#streamOffset = place.offset;
    this.#slots?.begin();
    life.waitFor(null);
    life.clearError();
    life.on('snapshot-begins');
  }

  #snapshotApplied(): void {
    this.#host.life.on('snapshot-applied');
    if (this.#job.snapshotOnly) this.#host.end({ reason: 'snapshot-done', message: null });
  }

  #continued(): void {
    const { life } = this.#host;
    const { replid, receivedOffset } = this.#source;
    if (replid !== this.#replid && receivedOffset !== null) {
      this.#former = { replid2: this.#replid, secondReplOffset: receivedOffset + 1 };
      this.#replid = replid;
    }
    this.#turn.giveBack();
    life.waitFor(null);
    life.clearError();
    if (life.state !== 'full-sync') life.on('continued');
    this.#host.notice('info', 'The link to the source is back; the stream goes on without a gap.');
    this.#host.pump.run();
  }

  #retrying(error: FerryError, delayMs: number): void {
    const { life } = this.#host;
    this.#turn.giveBack();
    life.setError(error.message);
    life.waitFor(nextAttempt(delayMs, error.message));
    this.#host.once('warn', `${error.message} Trying again.`);
    // A shard that still writes its snapshot keeps that state; the link comes back beside it.
    if (life.state !== 'full-sync') life.on('link-lost');
  }

  /** The offset of the last byte that has taken effect on the target; null before the source named one. */
  #appliedOffset(): number | null {
    const { inStream, frame } = this.script;
    if (!inStream) return frame === null ? null : this.#streamOffset;
    return this.offsetAt(this.#host.pump.settledPosition);
  }
}
