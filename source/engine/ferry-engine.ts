// The engine as a screen sees it: pictures, commands, an end. It owns the worker threads and the probes, and runs on the
// main thread without ever touching the data: a slow screen slows nothing but itself.

import type { NodeAddress } from '../topology/endpoint.ts';
import type { SlotRange } from '../topology/topology.ts';
import { BudgetAlarm } from './budget-alarm.ts';
import { CommandDesk } from './command-desk.ts';
import { type ConflictCommand, conflictCommand } from './conflict-commands.ts';
import type { CommandOutcome, EngineCommand, KeyName, ShardSelection } from './contract/command.ts';
import type { Engine } from './contract/engine.ts';
import type { EndpointSnapshot, EngineSnapshot, RunPhase } from './contract/engine-snapshot.ts';
import type { NoticeLevel } from './contract/notice.ts';
import type { AuditEntry, Order } from './contract/order.ts';
import type { EngineResult } from './contract/result.ts';
import { EXIT, FerryError, messageOf } from './errors.ts';
import { ExpiryRelease } from './expiry-release.ts';
import { KeyspaceDesk } from './keyspace-desk.ts';
import type { Rate } from './rate-gate.ts';
import { RecopyRequests } from './recopy-requests.ts';
import type { RunCheckpoints } from './run-checkpoints.ts';
import { type JournalListeners, RunJournal } from './run-journal.ts';
import { type JoinedNode, jobOfJoined, type RunPlan } from './run-plan.ts';
import { refusedResult, resultOf } from './run-result.ts';
import { ScanWatch } from './scan-watch.ts';
import { type ShardCommand, shardCommand } from './shard-commands.ts';
import type { FromWorker, ShardEnd, ShardJob, ToWorker } from './shard-job.ts';
import { ShardRecord } from './shard-record.ts';
import { SnapshotPermits } from './snapshot-permits.ts';
import { SourceWatch } from './source-watch.ts';
import { steadyMs, wallMs } from './steady-clock.ts';
import { strainProbe, type TargetProbe } from './target-probe.ts';
import { NO_THROTTLE, Throttle, type ThrottleSettings } from './throttle.ts';
import { ValidationDesk, type ValidationSetup } from './validation-desk.ts';
import { WorkerPool } from './worker-pool.ts';

const TICK_MS = 250;
const SECOND_MS = 1000;
const GIVE_UP_MS = 5000;

export interface FerryEngineOptions extends JournalListeners {
  readonly run: string;
  /** As the person named them, without credentials: shown until they have been asked what they are. */
  readonly source: string;
  readonly target: string;
  /** Finds the shards and checks everything before the run; a FerryError ends the run before it began. */
  readonly prepare: (
    tell: (level: NoticeLevel, message: string) => void,
    /** Nobody wants the run any more. */
    stopped: () => boolean,
  ) => Promise<RunPlan>;
  /** Gets every command and what came of it, for the audit file. */
  readonly onAudit?: (entry: AuditEntry) => void;
  /** How fast the run may go; left out: as fast as it can. */
  readonly throttle?: ThrottleSettings;
  /** How both sides are compared while the run goes on; null where one of them is a file. */
  readonly validation?: ValidationSetup | null;
  /** What the worker threads run; by default the worker that belongs to this build. */
  readonly workerFile?: URL;
}

export class FerryEngine implements Engine {
  readonly ended: Promise<EngineResult>;
  readonly #options: FerryEngineOptions;
  readonly #startedAtMs = steadyMs();
  readonly #listeners = new Set<() => void>();
  readonly #desk: ValidationDesk;
  readonly #commands: CommandDesk;
  readonly #throttle: Throttle;
  #strainProbe: TargetProbe | null = null;
  readonly #alarm = new BudgetAlarm();
  #resolveEnded: (result: EngineResult) => void = () => {};
  #phase: RunPhase = 'starting';
  #source: EndpointSnapshot;
  #target: EndpointSnapshot;
  #records: readonly ShardRecord[] = [];
  #pool: WorkerPool | null = null;
  #permits: SnapshotPermits | null = null;
  #watch: SourceWatch | null = null;
  #scanWatch: ScanWatch | null = null;
  readonly #keyspace = new KeyspaceDesk({
    chosen: (shards) => this.#chosen(shards),
    send: (message) => this.#pool?.send(message),
    notice: (level, message) => this.#notice(level, null, message),
  });
  readonly #recopies = new RecopyRequests((message) => this.#pool?.send(message));
  readonly #expiries = new ExpiryRelease((level, message) => this.#notice(level, null, message));
  #checkpoints: RunCheckpoints | null = null;
  #cleanUp: (completed: boolean) => void = () => {};
  readonly #journal: RunJournal;
  #result: EngineResult | null = null;
  #picture: EngineSnapshot | null = null;
  #ticker: NodeJS.Timeout | null = null;
  #giveUpTimer: NodeJS.Timeout | null = null;
  #nextSecondMs = steadyMs() + SECOND_MS;

  constructor(options: FerryEngineOptions) {
    this.#options = options;
    this.#journal = new RunJournal(options);
    this.#source = { address: options.source, kind: 'unknown', version: null, masters: 0 };
    this.#target = { address: options.target, kind: 'unknown', version: null, masters: 0 };
    this.#desk = new ValidationDesk(options.validation ?? null, {
      shards: () => this.snapshot().shards,
      isRunning: () => this.#phase !== 'ended',
      recopy: (keys) => this.#repair(keys),
      notice: (level, message) => this.#notice(level, null, message),
      changed: () => this.#changed(),
    });
    this.#throttle = new Throttle(options.throttle ?? NO_THROTTLE, {
      shards: () => this.#records.map((record) => record.pace),
      send: (shard, rate) => this.#pool?.send({ type: 'rate', shard, rate }),
      now: () => new Date(),
    });
    this.#commands = new CommandDesk({
      snapshot: () => this.snapshot(),
      obey: (command) => this.#obey(command),
      onAudit: (entry) => {
        options.onAudit?.(entry);
        this.#changed();
      },
    });
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  /** Begins the run; its end is told by `ended`. */
  start(): void {
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#options
      .prepare(
        (level, message) => this.#notice(level, null, message),
        () => this.#phase !== 'starting',
      )
      .then(
        (plan) => this.#begin(plan),
        (error: unknown) => this.#refuse(error),
      );
  }

  /** Says something that happened around the run, as to its log file. */
  report(level: NoticeLevel, message: string): void {
    this.#notice(level, null, message);
    this.#changed();
  }

  snapshot(): EngineSnapshot {
    this.#picture ??= this.#paint();
    return this.#picture;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  dispatch(command: EngineCommand, order?: Order): Promise<CommandOutcome> {
    return this.#commands.handle(command, order);
  }

  async #obey(command: EngineCommand): Promise<CommandOutcome> {
    switch (command.type) {
      case 'validate':
      case 'steer-validation':
      case 'set-validation-rate':
      case 'export-validation':
      case 'repair-differences':
        return this.#desk.handle(command);
    }
    if (this.#phase === 'ended') return { accepted: false, message: 'The run has ended.' };
    switch (command.type) {
      case 'pause':
      case 'resume':
        return this.#pauseOrResume(command.type, command.shards);
      case 'repair':
        return this.#repair(command.keys);
      case 'setConflictPolicy':
      case 'decideConflict':
        return this.#conflictCommand(command);
      case 'setRate':
        return this.#setRate(command.shards, command.rate);
      case 'setKeyspaceEvents':
        return this.#keyspace.switch(command.shards, command.on);
      case 'rescan':
        return this.#keyspace.rescan(command.shards);
      case 'removeLeftovers':
        return this.#removeLeftovers(command.shards);
      case 'retryShard':
      case 'restartShard':
      case 'skipShard':
        return this.#shardCommand(command);
      case 'finish':
        return this.#finishRun();
      case 'stop':
        return this.#stop();
    }
  }

  /** After the end of the run: ends what a person had asked for beside it. */
  close(): void {
    this.#desk.close();
  }

  #begin(plan: RunPlan): void {
    if (this.#phase !== 'starting') {
      // Stopped while the plan was made, which may have changed the target's settings already.
      void plan.expiries?.release(
        () => false,
        (level, message) => this.#notice(level, null, message),
      );
      void plan.checkpoints?.close();
      void plan.keyspace?.release((level, message) => this.#notice(level, null, message));
      plan.cleanUp(false);
      return;
    }
    this.#source = endpointOf(this.#options.source, plan.source);
    this.#target = endpointOf(this.#options.target, plan.target);
    this.#phase = 'running';
    this.#expiries.take(plan.expiries);
    this.#checkpoints = plan.checkpoints;
    this.#cleanUp = plan.cleanUp;
    plan.checkpoints?.begin({
      lost: (shard, error) => this.#leaseLost(shard, error),
      notice: (level, shard, message) => this.#notice(level, shard, message),
    });
    this.#keyspace.settings = plan.keyspace;
    this.#pool = new WorkerPool(
      plan.threads,
      {
        told: (message) => this.#told(message),
        died: (shards, message) => this.#died(shards, message),
      },
      this.#options.workerFile,
    );
    this.#permits = new SnapshotPermits(plan.snapshotsAtOnce, (shard) => this.#pool?.send({ type: 'permit', shard }));
    this.#records = plan.jobs.map(({ job, slots }) => this.#makeRecord(job, slots));
    for (const record of this.#records) {
      this.#pool.start(record.job);
      record.probe?.start();
    }
    this.#watchSlots();
    this.#throttle.tick();
    this.#strainProbe = strainProbe(plan, this.#throttle);
    this.#strainProbe?.start();
    this.#changed();
  }

  #makeRecord(job: ShardJob, slots: readonly SlotRange[]): ShardRecord {
    return new ShardRecord(job, slots, (offset) => this.#pool?.send({ type: 'source-at', shard: job.id, offset }));
  }

  /** Slots of a source cluster may move while the run goes on. */
  #watchSlots(): void {
    const job = this.#records[0]?.job;
    if (job?.origin.kind !== 'server' || job.origin.nodeId === null || job.snapshotOnly) return;
    const records = (): readonly ShardRecord[] => this.#records;
    const host = {
      send: (message: ToWorker & { readonly shard: number }) => this.#pool?.send(message),
      join: (node: JoinedNode) => this.#join(node),
      notice: (level: NoticeLevel, shard: string | null, message: string) => this.#notice(level, shard, message),
    };
    if (job.origin.scan !== null) {
      const keyspaceFollows = (shard: number, address: NodeAddress) => this.#keyspace.follow(shard, address);
      this.#scanWatch = new ScanWatch(job.origin.endpoint, { ...host, records, keyspaceFollows });
      this.#scanWatch.start();
      return;
    }
    this.#watch = new SourceWatch(job.origin.endpoint, {
      get records() {
        return records();
      },
      ...host,
    });
    this.#watch.start();
  }

  /** A master that was not there when the run began: a shard that carries no slot yet. */
  #join(node: JoinedNode): ShardRecord {
    const record = this.#makeRecord(jobOfJoined(this.#records, node), []);
    this.#records = [...this.#records, record];
    this.#pool?.start(record.job);
    record.probe?.start();
    this.#changed();
    return record;
  }

  #told(message: FromWorker): void {
    const record = this.#records.find((candidate) => candidate.job.id === message.shard);
    if (record === undefined) return;
    switch (message.type) {
      case 'sample':
        record.take(message.sample);
        this.#checkpoints?.take(message.shard, message.sample);
        break;
      case 'notice':
        this.#notice(message.level, record.job.name, message.message);
        break;
      case 'refusals':
        this.#journal.refused(message.refusals);
        break;
      case 'conflicts':
        this.#journal.conflictsSettled(message.conflicts);
        break;
      case 'left-over':
        record.leftovers = message.leftovers;
        break;
      case 'moved':
        record.moved(message.address);
        void this.#keyspace.follow(message.shard, message.address);
        break;
      case 'permit-wanted':
        if (record.job.origin.kind === 'server') this.#permits?.want(message.shard, record.job.origin.address.host);
        break;
      case 'lease-wanted':
        void this.#answerLease(message.shard);
        break;
      case 'permit-returned':
        this.#permits?.giveBack(message.shard);
        break;
      case 'recopied':
        this.#recopies.answered(message.request, message.counts);
        break;
      case 'slots-taken':
        this.#watch?.taken(message.shard, message.slots, message.done);
        break;
      case 'ended':
        this.#recopies.ended(message.shard);
        record.end = this.#checkpoints?.endOf(message.shard, message.end) ?? message.end;
        record.probe?.stop();
        void this.#checkpoints?.ended(message.shard, isDone(message.end));
        if (message.end.reason === 'conflict') this.#abortAll();
        this.#endWhenAllEnded();
        break;
    }
  }

  async #answerLease(shard: number): Promise<void> {
    const held = (await this.#checkpoints?.held(shard)) ?? true;
    this.#pool?.send({ type: 'lease', shard, held });
  }

  /** Another process writes for this shard now: ours lets go of it at once. */
  #leaseLost(shard: number, error: FerryError): void {
    const record = this.#records.find((candidate) => candidate.job.id === shard);
    if (record === undefined || record.final) return;
    this.#notice('error', record.job.name, error.message);
    // Its expiries are held by the other process as well.
    this.#expiries.leave();
    this.#pool?.send({ type: 'abort', shard });
  }

  #died(shards: readonly number[], message: string): void {
    for (const record of this.#records) {
      if (record.final || !shards.includes(record.job.id)) continue;
      this.#permits?.giveBack(record.job.id);
      this.#recopies.ended(record.job.id);
      const again = this.#phase === 'running' ? record.loseThread(message) : '';
      if (typeof again !== 'string') {
        this.#startAgain(again, record.paused, message);
        continue;
      }
      const sentence = `${message} ${again}`.trim();
      record.die(sentence);
      record.probe?.stop();
      this.#notice('error', record.job.name, sentence);
    }
    this.#endWhenAllEnded();
  }

  /** A shard whose thread died goes on another one. */
  #startAgain(job: ShardJob, paused: boolean, message: string): void {
    this.#notice('error', job.name, `${message} This shard begins a new full sync on another thread.`);
    this.#pool?.start(this.#watch?.carried(job) ?? job);
    if (paused) this.#pool?.send({ type: 'pause', shard: job.id });
  }

  #pauseOrResume(type: 'pause' | 'resume', shards: ShardSelection): CommandOutcome {
    const chosen = this.#chosen(shards);
    if (chosen.length === 0) return { accepted: false, message: 'There is no such shard at work.' };
    for (const record of chosen) this.#pool?.send({ type, shard: record.job.id });
    const names = shards === 'all' ? 'all shards' : chosen.map((record) => record.job.name).join(', ');
    const message =
      type === 'pause' ? `Paused ${names}: the source's writes gather in the queue.` : `Resumed ${names}.`;
    this.#notice('info', null, message);
    return { accepted: true, message };
  }

  async #repair(keys: readonly KeyName[]): Promise<CommandOutcome> {
    const outcome = await this.#recopies.repair(keys, this.#records);
    if (outcome.accepted) this.#notice('info', null, outcome.message);
    return outcome;
  }

  async #removeLeftovers(shards: ShardSelection): Promise<CommandOutcome> {
    const outcome = await this.#recopies.removeLeftovers(this.#chosen(shards));
    this.#notice(outcome.accepted ? 'info' : 'warn', null, outcome.message);
    this.#changed();
    return outcome;
  }

  #conflictCommand(command: ConflictCommand): CommandOutcome {
    const outcome = conflictCommand(command, {
      records: this.#records,
      send: (message: ToWorker & { readonly shard: number }) => this.#pool?.send(message),
    });
    if (outcome.accepted) this.#notice('info', null, outcome.message);
    this.#changed();
    return outcome;
  }

  #shardCommand(command: ShardCommand): CommandOutcome {
    if (this.#phase !== 'running') return { accepted: false, message: `The run is ${this.#phase}.` };
    const outcome = shardCommand(command, {
      records: this.#records,
      send: (message: ToWorker & { readonly shard: number }) => this.#pool?.send(message),
      begin: (record, job) => {
        record.revive();
        this.#checkpoints?.revived(job.id);
        this.#pool?.start(this.#watch?.carried(job) ?? job);
      },
      skipped: () => this.#endWhenAllEnded(),
    });
    if (outcome.accepted) this.#notice('warn', null, outcome.message);
    this.#changed();
    return outcome;
  }

  #setRate(shards: ShardSelection, rate: Rate | null): CommandOutcome {
    const outcome = this.#throttle.setRate(shards, rate);
    if (outcome.accepted) this.#notice('info', null, outcome.message);
    return outcome;
  }

  #finishRun(): CommandOutcome {
    if (this.#phase === 'draining') return { accepted: false, message: 'The run is being stopped already.' };
    const outcome = this.#stop();
    return outcome.accepted ? { accepted: true, message: `Finishing. ${outcome.message}` } : outcome;
  }

  #stop(): CommandOutcome {
    if (this.#phase === 'starting') {
      this.#finish(refusedResult('interrupted', EXIT.interrupted, this.#seconds(), 'Stopped before the run began.'));
      return { accepted: true, message: 'Stopped before the run began.' };
    }
    if (this.#phase === 'draining') {
      this.#expiries.leave();
      this.#abortAll();
      return { accepted: true, message: 'Leaving at once: what was received and not applied is given up.' };
    }
    this.#phase = 'draining';
    this.#watch?.stop();
    this.#scanWatch?.stop();
    for (const record of this.#records) this.#pool?.send({ type: 'drain', shard: record.job.id });
    this.#notice('info', null, 'Stopping: what was received is applied, then the run ends.');
    return { accepted: true, message: 'Stopping: what was received is applied first.' };
  }

  /** A thread that does not even answer this is given up. */
  #abortAll(): void {
    for (const record of this.#records) if (!record.final) this.#pool?.send({ type: 'abort', shard: record.job.id });
    this.#giveUpTimer ??= setTimeout(() => {
      const silent = this.#records.filter((record) => !record.final).map((record) => record.job.id);
      this.#died(silent, `The worker thread of this shard did not answer within ${GIVE_UP_MS / 1000} s.`);
    }, GIVE_UP_MS);
  }

  #endWhenAllEnded(): void {
    this.#changed();
    if (this.#result !== null || this.#expiries.begun || !this.#records.every((record) => record.final)) return;
    this.#phase = 'draining';
    void this.#release().then(async (left) => {
      await this.#checkpoints?.close(this.#records.some(({ end }) => end?.reason === 'conflict'));
      this.#finish(resultOf(this.#records, this.#journal.refusals, this.#seconds(), left));
    });
  }

  /** What the run has changed on the servers is put back. @returns what remains to be done, or null. */
  async #release(): Promise<string | null> {
    const keyspace = this.#keyspace.release();
    const left = await this.#expiries.release();
    await keyspace;
    return left;
  }

  #chosen(shards: ShardSelection): readonly ShardRecord[] {
    return this.#records.filter((record) => !record.final && (shards === 'all' || shards.includes(record.job.id)));
  }

  #refuse(error: unknown): void {
    if (this.#phase !== 'starting') return;
    const ferry =
      error instanceof FerryError ? error : new FerryError(messageOf(error), { code: 'internal', cause: error });
    this.#notice('error', null, ferry.message);
    const outcome = ferry.exitCode === EXIT.preflight ? 'refused' : 'failed';
    this.#finish(refusedResult(outcome, ferry.exitCode, this.#seconds(), ferry.message));
  }

  #finish(result: EngineResult): void {
    if (this.#result !== null) return;
    this.#result = result;
    this.#phase = 'ended';
    this.#watch?.stop();
    this.#scanWatch?.stop();
    if (this.#ticker !== null) clearInterval(this.#ticker);
    if (this.#giveUpTimer !== null) clearTimeout(this.#giveUpTimer);
    for (const record of this.#records) record.probe?.stop();
    this.#strainProbe?.stop();
    this.#changed();
    void Promise.resolve(this.#pool?.close()).then(() => {
      this.#cleanUp(result.outcome === 'completed');
      this.#resolveEnded(result);
    });
  }

  #notice(level: NoticeLevel, shard: string | null, message: string): void {
    this.#journal.notice(level, shard, message);
  }

  #tick(): void {
    const nowMs = steadyMs();
    if (nowMs >= this.#nextSecondMs) {
      this.#nextSecondMs = nowMs + SECOND_MS;
      for (const record of this.#records) record.second(nowMs);
      this.#changed();
      this.#lookAtBudgets();
    }
    this.#throttle.tick();
    this.#changed();
  }

  #lookAtBudgets(): void {
    for (const shard of this.snapshot().shards) {
      const notice = this.#alarm.look(shard);
      if (notice !== null) this.#notice(notice.level, shard.name, notice.message);
    }
  }

  #changed(): void {
    this.#picture = null;
    for (const listener of this.#listeners) listener();
  }

  #paint(): EngineSnapshot {
    const nowMs = steadyMs();
    return {
      run: this.#options.run,
      phase: this.#phase,
      startedAtMs: wallMs(this.#startedAtMs),
      takenAtMs: wallMs(nowMs),
      source: this.#source,
      target: this.#target,
      shards: this.#records.map((record) => {
        const shard = record.snapshot(nowMs);
        const throttled = shard.paused ? null : this.#throttle.reasonOf(record.pace);
        const rate = this.#throttle.ownRate(shard.id);
        return { ...shard, throttled, rate, verified: this.#desk.verifiedOf(shard, wallMs(nowMs)) };
      }),
      memory: { rss: process.memoryUsage.rss() },
      rate: this.#throttle.picture(),
      validation: this.#desk.picture(),
      notices: this.#journal.notices,
      conflicts: this.#journal.conflicts,
      audit: this.#commands.entries,
      result: this.#result,
    };
  }

  #seconds(): number {
    return (steadyMs() - this.#startedAtMs) / 1000;
  }
}

function endpointOf(address: string, side: RunPlan['source']): EndpointSnapshot {
  return { address, ...side };
}

/** Everything of the shard is on the target. */
function isDone({ reason }: ShardEnd): boolean {
  return reason === 'snapshot-done' || reason === 'drained' || reason === 'left';
}
