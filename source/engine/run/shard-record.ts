// What the main thread knows of one shard: the pipeline's last sample, the source's own facts beside it, and a history.
// Makes the shard's part of a snapshot out of them.

import { type Endpoint, formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import { formatSlots } from '../../topology/slots.ts';
import type { SlotRange } from '../../topology/topology.ts';
import { type ConflictPolicy, type ConflictStanding, NO_CONFLICTS, NO_STANDING } from '../contract/conflict.ts';
import type { ShardResult } from '../contract/result.ts';
import type { PauseBudget, Progress, ShardSnapshot, ShardState } from '../contract/shard-snapshot.ts';
import { UNLIMITED } from '../rate/rate-gate.ts';
import type { ThrottledShard } from '../rate/throttle.ts';
import { LagMarks } from '../shard/lag-marks.ts';
import { isFinal } from '../shard/shard-state.ts';
import { explainNoAnswer } from '../shard/silence.ts';
import { steadyMs, wallMs } from '../steady-clock.ts';
import { DrainClock } from './drain-clock.ts';
import { BudgetClock, type BudgetFacts, countsDown } from './pause-budget.ts';
import {
  destinationNames,
  type Leftovers,
  originName,
  type ShardEnd,
  type ShardJob,
  type ShardSample,
} from './shard-job.ts';
import { ShardRates } from './shard-rates.ts';
import { explainWait, SourceProbe } from './source-probe.ts';
import { jobAfterLoss, withCounts } from './thread-loss.ts';

/** Before the error of a shard that a person goes on without. */
const SKIPPED = 'skipped: ';
/** Below this share of the snapshot an estimate of the rest would be a guess. */
const LEAST_SHARE_FOR_ETA = 0.01;

export class ShardRecord {
  readonly job: ShardJob;
  /** Of a source that is a server. */
  probe: SourceProbe | null;
  end: ShardEnd | null = null;
  /** Since when a person goes on without it; null when nobody does. */
  #skippedAtMs: number | null = null;
  /** In force for keys that are judged from now on. */
  conflictPolicy: ConflictPolicy;
  readonly #onSourceOffset: (offset: number) => void;
  /** Slots of the source cluster that are on their way to this shard. */
  slotsArriving = 0;
  /** Keys of the target that wait for a person. */
  leftovers: Leftovers = { count: 0, keys: [] };
  #slots: readonly SlotRange[];
  #left = false;
  readonly #targets: readonly string[];
  /** The node or file that is the source at present. */
  #address: string;
  #node: NodeAddress | null;
  /** When the source was seen to have reached which offset. */
  readonly #sourceMarks = new LagMarks();
  #sample: ShardSample | null = null;
  /** Threads that died on it, and what they had counted. */
  #losses = 0;
  #countedBefore: ShardSample | null = null;
  readonly #rates = new ShardRates();
  readonly #budget = new BudgetClock();
  readonly #drain = new DrainClock();
  #startedAtMs = steadyMs();

  /** @param onSourceOffset told whenever the source was asked how far it has come. */
  constructor(job: ShardJob, slots: readonly SlotRange[], onSourceOffset: (offset: number) => void) {
    this.job = job;
    this.conflictPolicy = job.conflictPolicy;
    this.#onSourceOffset = onSourceOffset;
    this.#slots = slots;
    this.#targets = destinationNames(job.destination);
    this.#address = originName(job.origin);
    this.#node = job.origin.kind === 'server' ? job.origin.address : null;
    this.probe = job.origin.kind === 'file' ? null : this.#makeProbe(job.origin.endpoint, job.origin.address);
  }

  /** Another node is the shard's source now. */
  moved(address: NodeAddress): void {
    const { origin } = this.job;
    if (origin.kind === 'file' || this.final || this.#address === formatAddress(address)) return;
    this.#address = formatAddress(address);
    this.#node = address;
    this.probe?.stop();
    this.probe = this.#makeProbe(origin.endpoint, address);
    this.probe.start();
  }

  #makeProbe(endpoint: Endpoint, address: NodeAddress): SourceProbe {
    return new SourceProbe(endpoint, address, (facts) => {
      if (facts.offset === null) return;
      this.#sourceMarks.received(facts.offset, facts.readAtMs);
      this.#onSourceOffset(facts.offset);
    });
  }

  get paused(): boolean {
    return this.#sample?.paused ?? false;
  }

  get state(): ShardState {
    return this.#sample?.state ?? 'connecting';
  }

  get attempt(): number {
    return this.#sample?.attempt ?? this.job.attempt;
  }

  /** It has come to its end by a failure, and could begin once more. */
  get hasFailed(): boolean {
    return this.end?.reason === 'failed' && !this.skipped;
  }

  get skipped(): boolean {
    return this.#skippedAtMs !== null;
  }

  /** A person goes on without it: from now on it looks like a shard that has failed, and says by whose will. */
  skip(): void {
    this.#skippedAtMs = steadyMs();
    if (this.#sample !== null) this.#sample = this.#asSkipped(this.#sample, this.#skippedAtMs);
  }

  #asSkipped(sample: ShardSample, sinceMs: number): ShardSample {
    const reason = sample.lastError ?? this.end?.message ?? '';
    const lastError = `${SKIPPED}${reason.replace(SKIPPED, '')}`;
    return { ...sample, state: 'failed', stateSinceMs: sinceMs, waitingFor: null, lastError };
  }

  /** Something of it may stand on the target. */
  get hasWritten(): boolean {
    return this.#sample !== null && (this.#sample.keysDone > 0 || this.#sample.commands > 0);
  }

  /** After its end: another pipeline begins it once more. */
  revive(): void {
    this.end = null;
    this.#countedBefore = this.#sample;
    if (this.#sample !== null)
      this.#sample = { ...this.#sample, state: 'connecting', stateSinceMs: steadyMs(), waitingFor: null };
    const { origin } = this.job;
    if (origin.kind === 'file' || this.#node === null) return;
    this.probe = this.#makeProbe(origin.endpoint, this.#node);
    this.probe.start();
  }

  /** As the throttle looks at it. */
  get pace(): ThrottledShard {
    return {
      id: this.job.id,
      name: this.job.name,
      final: this.final,
      bytesPerSecond: this.#rates.moved,
      operationsPerSecond: this.#rates.operations,
      slowed: this.#sample?.slowed ?? false,
    };
  }

  get conflictStanding(): ConflictStanding {
    return this.final ? NO_STANDING : (this.#sample?.conflictStanding ?? NO_STANDING);
  }

  /** The server that the shard is copied from. */
  get node(): NodeAddress | null {
    return this.#node;
  }

  /** Of a cluster's shard: the slots that it carries; empty for a standalone. */
  get slots(): readonly SlotRange[] {
    return this.#slots;
  }

  /** Its node is no master of the source any more: how far that goes on is nothing to this shard. */
  leave(): void {
    this.#left = true;
    this.probe?.stop();
  }

  /** Slots have changed hands. */
  carry(slots: readonly SlotRange[]): void {
    this.#slots = slots;
  }

  get replid(): string | null {
    return this.#sample?.replid ?? null;
  }

  get appliedOffset(): number | null {
    return this.#sample?.appliedOffset ?? null;
  }

  get final(): boolean {
    return this.end !== null;
  }

  take(sample: ShardSample): void {
    const counted = withCounts(sample, this.#countedBefore);
    this.#sample = this.#skippedAtMs === null ? counted : this.#asSkipped(counted, this.#skippedAtMs);
  }

  /** The thread is gone: the job for another one, or a sentence when the shard ends with it. */
  loseThread(message: string): ShardJob | string {
    const job = jobAfterLoss({ ...this.job, conflictPolicy: this.conflictPolicy }, ++this.#losses);
    if (typeof job === 'string' || this.#sample === null) return job;
    this.#countedBefore = this.#sample;
    const waitingFor = 'another thread takes it over';
    this.#sample = { ...this.#sample, state: 'retrying', stateSinceMs: steadyMs(), waitingFor, lastError: message };
    return job;
  }

  /** The thread is gone: what the sample says last is final, but for the state. */
  die(message: string): void {
    this.end = { reason: 'failed', message };
    if (this.#sample !== null) {
      this.#sample = {
        ...this.#sample,
        state: 'failed',
        stateSinceMs: steadyMs(),
        waitingFor: null,
        lastError: message,
      };
    }
  }

  /** Once a second: rates and history. @param nowMs by steadyMs. */
  second(nowMs: number): void {
    const sample = this.#sample;
    if (sample === null) return;
    const lagBytes = this.#lagBytes(sample);
    this.#rates.second(sample, lagBytes, nowMs);
    this.#budget.second(this.#budgetFacts(sample), nowMs);
    this.#drain.second(lagBytes, nowMs);
  }

  /** @param nowMs by steadyMs. */
  snapshot(nowMs: number): ShardSnapshot {
    const { id, name } = this.job;
    const { conflictPolicy } = this;
    const sample = this.#sample;
    const state: ShardState = sample?.state ?? 'connecting';
    const isOver = isFinal(state);
    return {
      id,
      name,
      address: this.#address,
      state,
      stateSinceMs: wallMs(sample?.stateSinceMs ?? this.#startedAtMs),
      waitingFor: isOver ? null : this.#waitingFor(state, sample, nowMs),
      paused: sample?.paused ?? false,
      throttled: null,
      budget: this.#budgetOf(sample),
      rate: UNLIMITED,
      conflictPolicy,
      keys: this.#keys(sample),
      bytes: { done: sample?.snapshotBytesDone ?? 0, total: sample?.snapshotBytesTotal ?? null },
      etaSeconds: this.#eta(sample),
      replid: sample?.replid ?? null,
      offset: { received: sample?.receivedOffset ?? null, applied: sample?.appliedOffset ?? null },
      lagBytes: sample === null ? null : this.#lagBytes(sample),
      lagSeconds: sample === null ? null : this.#lagSeconds(sample, nowMs),
      opsPerSecond: isOver ? 0 : this.#rates.operations,
      bytesPerSecond: isOver ? 0 : this.#rates.bytes,
      movedPerSecond: isOver ? 0 : this.#rates.moved,
      commands: sample?.commands ?? 0,
      conflicts: sample?.conflicts ?? NO_CONFLICTS,
      conflictStanding: this.conflictStanding,
      errors: sample?.refused ?? 0,
      diverged: sample?.diverged ?? 0,
      leftovers: this.leftovers.count,
      queued: sample?.queued ?? 0,
      spoolBytes: sample?.spoolBytes ?? 0,
      inFlightBytes: sample?.inFlightBytes ?? 0,
      held: sample?.held ?? 0,
      changes: sample?.changes ?? null,
      keyspaceEvents: this.probe?.keyspaceEvents ?? null,
      targets: this.#targets,
      slots: this.#inCluster ? formatSlots(this.#slots) : null,
      slotsArriving: this.slotsArriving,
      snapshotKind: sample?.snapshotKind ?? null,
      lastError: sample?.lastError ?? this.end?.message ?? null,
      history: this.#rates.history,
      verified: null,
    };
  }

  result(): ShardResult {
    const sample = this.#sample;
    return {
      name: this.job.name,
      address: this.#address,
      state: sample?.state ?? 'connecting',
      keys: sample?.keysDone ?? 0,
      commands: sample?.commands ?? 0,
      refused: sample?.refused ?? 0,
      offset: { received: sample?.receivedOffset ?? null, applied: sample?.appliedOffset ?? null },
      error: this.skipped
        ? (this.#sample?.lastError ?? SKIPPED)
        : this.end?.reason === 'failed' || this.end?.reason === 'conflict'
          ? this.end.message
          : null,
    };
  }

  #waitingFor(state: ShardState, sample: ShardSample | null, nowMs: number): string | null {
    const facts = this.probe?.facts ?? null;
    return (
      explainWait(state, facts) ??
      sample?.waitingFor ??
      (this.#left ? null : explainNoAnswer(facts?.readAtMs ?? null, nowMs, this.#address))
    );
  }

  get #inCluster(): boolean {
    return this.job.origin.kind === 'server' && this.job.origin.nodeId !== null;
  }

  get bytesReceived(): number {
    return this.#sample?.bytesReceived ?? 0;
  }

  /** The keys announced are a hint (RESIZEDB); what was written can be more. */
  #keys(sample: ShardSample | null): Progress {
    const done = sample?.keysDone ?? 0;
    const total = sample?.keysTotal ?? null;
    return { done, total: total === null ? null : Math.max(total, done) };
  }

  #eta(sample: ShardSample | null): number | null {
    if (sample === null) return null;
    if (!this.#hasEnd(sample.state)) return sample.paused ? null : this.#drain.etaSeconds;
    const keys = this.#keys(sample);
    const bytesShare = sample.snapshotBytesTotal === null ? null : sample.snapshotBytesDone / sample.snapshotBytesTotal;
    const share = bytesShare ?? (keys.total === null || keys.total === 0 ? 0 : keys.done / keys.total);
    const rate = this.#rates.snapshotBytes;
    if (share < LEAST_SHARE_FOR_ETA || rate <= 0) return null;
    return Math.max(0, Math.round((sample.snapshotBytesDone / share - sample.snapshotBytesDone) / rate));
  }

  #budgetFacts(sample: ShardSample): BudgetFacts {
    const { queueMemory, queueDisk } = this.job.limits;
    return {
      queued: sample.queued,
      room: queueMemory + queueDisk,
      bytesReceived: sample.bytesReceived,
      written: this.#left ? null : (this.probe?.facts?.offset ?? null),
      received: sample.receivedOffset,
      limits: this.probe?.bufferLimits ?? null,
    };
  }

  /** Only of a server that is followed: a file waits as long as one likes. */
  #budgetOf(sample: ShardSample | null): PauseBudget | null {
    const { origin } = this.job;
    if (sample === null || this.final || origin.kind !== 'server' || origin.scan !== null) return null;
    const facts = this.#budgetFacts(sample);
    return countsDown(facts, sample.paused || sample.slowed) ? this.#budget.budget(facts) : null;
  }

  /** A snapshot and a file have an end, a stream has none. */
  #hasEnd(state: ShardState): boolean {
    return state === 'full-sync' || (state === 'catching-up' && this.job.origin.kind === 'file');
  }

  #lagBytes(sample: ShardSample): number | null {
    if (!inStream(sample.state) || sample.appliedOffset === null) return null;
    const known = Math.max(sample.receivedOffset ?? 0, this.#left ? 0 : (this.probe?.facts?.offset ?? 0));
    return Math.max(0, known - sample.appliedOffset);
  }

  #lagSeconds(sample: ShardSample, nowMs: number): number | null {
    if (sample.lagSeconds === null || sample.appliedOffset === null || !inStream(sample.state))
      return sample.lagSeconds;
    if (this.#left) return sample.lagSeconds;
    const source = this.#sourceMarks.ageSeconds(sample.appliedOffset, this.probe?.facts?.offset ?? 0, nowMs);
    return Math.max(sample.lagSeconds, source);
  }
}

function inStream(state: ShardState): boolean {
  return (
    state === 'catching-up' || state === 'streaming' || state === 'draining' || state === 'retrying' || state === 'done'
  );
}
