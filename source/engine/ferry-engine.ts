// The engine as a screen sees it: pictures, commands, an end. It leads the run from its plan to its result, and runs on the
// main thread without ever touching the data: a slow screen slows nothing but itself.

import { ValidationDesk, type ValidationSetup } from './comparing/validation-desk.ts';
import type { CommandOutcome, EngineCommand } from './contract/command.ts';
import type { Engine } from './contract/engine.ts';
import type { EndpointSnapshot, EngineSnapshot, RunPhase } from './contract/engine-snapshot.ts';
import type { NoticeLevel } from './contract/notice.ts';
import type { AuditEntry, Order } from './contract/order.ts';
import type { EngineResult } from './contract/result.ts';
import { EXIT, FerryError, messageOf } from './errors.ts';
import { ExpiryRelease } from './expiry/expiry-release.ts';
import { NO_THROTTLE, Throttle, type ThrottleSettings } from './rate/throttle.ts';
import { BudgetAlarm } from './run/budget-alarm.ts';
import { CommandDesk } from './run/command-desk.ts';
import { KeyspaceDesk } from './run/keyspace-desk.ts';
import { RunCommands } from './run/run-commands.ts';
import { type JournalListeners, RunJournal } from './run/run-journal.ts';
import type { RunPlan } from './run/run-plan.ts';
import { refusedResult, resultOf } from './run/run-result.ts';
import { RunningShards } from './run/running-shards.ts';
import { strainProbe, type TargetProbe } from './run/target-probe.ts';
import { steadyMs, wallMs } from './steady-clock.ts';

const TICK_MS = 250;
const SECOND_MS = 1000;

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
  readonly #validation: ValidationDesk;
  readonly #commands: RunCommands;
  readonly #orders: CommandDesk;
  readonly #throttle: Throttle;
  #strainProbe: TargetProbe | null = null;
  readonly #alarm = new BudgetAlarm();
  #resolveEnded: (result: EngineResult) => void = () => {};
  #phase: RunPhase = 'starting';
  #source: EndpointSnapshot;
  #target: EndpointSnapshot;
  readonly #shards: RunningShards;
  /** Of the whole run. */
  readonly #tell = (level: NoticeLevel, message: string): void => this.#journal.notice(level, null, message);
  readonly #keyspace = new KeyspaceDesk({
    chosen: (shards) => this.#shards.chosen(shards),
    send: (message) => this.#shards.send(message),
    notice: this.#tell,
  });
  readonly #expiries = new ExpiryRelease(this.#tell);
  #cleanUp: (completed: boolean) => void = () => {};
  readonly #journal: RunJournal;
  #result: EngineResult | null = null;
  #picture: EngineSnapshot | null = null;
  #ticker: NodeJS.Timeout | null = null;
  #nextSecondMs = steadyMs() + SECOND_MS;

  constructor(options: FerryEngineOptions) {
    this.#options = options;
    this.#journal = new RunJournal(options);
    this.#source = { address: options.source, kind: 'unknown', version: null, masters: 0 };
    this.#target = { address: options.target, kind: 'unknown', version: null, masters: 0 };
    this.#shards = new RunningShards(this.#journal, {
      isRunning: () => this.#phase === 'running',
      moved: (shard, address) => this.#keyspace.follow(shard, address),
      // Its expiries are held by the other process as well.
      leaseLost: () => this.#expiries.leave(),
      changed: () => this.#changed(),
      ended: () => this.#endWhenAllEnded(),
    });
    this.#validation = new ValidationDesk(options.validation ?? null, {
      shards: () => this.snapshot().shards,
      isRunning: () => this.#phase !== 'ended',
      recopy: (keys) => this.#commands.repair(keys),
      notice: this.#tell,
      changed: () => this.#changed(),
    });
    this.#throttle = new Throttle(options.throttle ?? NO_THROTTLE, {
      shards: () => this.#shards.records.map((record) => record.pace),
      send: (shard, rate) => this.#shards.send({ type: 'rate', shard, rate }),
      now: () => new Date(),
    });
    const parts = {
      shards: this.#shards,
      throttle: this.#throttle,
      keyspace: this.#keyspace,
      validation: this.#validation,
    };
    this.#commands = new RunCommands(parts, {
      phase: () => this.#phase,
      finish: () => this.#finishRun(),
      stop: () => this.#stop(),
      notice: this.#tell,
      changed: () => this.#changed(),
      skipped: () => this.#endWhenAllEnded(),
    });
    this.#orders = new CommandDesk({
      snapshot: () => this.snapshot(),
      obey: (command) => this.#commands.obey(command),
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
      .prepare(this.#tell, () => this.#phase !== 'starting')
      .then(
        (plan) => this.#begin(plan),
        (error: unknown) => this.#refuse(error),
      );
  }

  /** Says something that happened around the run, as to its log file. */
  report(level: NoticeLevel, message: string): void {
    this.#tell(level, message);
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
    return this.#orders.handle(command, order);
  }

  /** After the end of the run: ends what a person had asked for beside it. */
  close(): void {
    this.#validation.close();
  }

  #begin(plan: RunPlan): void {
    if (this.#phase !== 'starting') {
      // Stopped while the plan was made, which may have changed the target's settings already.
      void plan.expiries?.release(() => false, this.#tell);
      void plan.checkpoints?.close();
      void plan.keyspace?.release(this.#tell);
      plan.cleanUp(false);
      return;
    }
    this.#source = endpointOf(this.#options.source, plan.source);
    this.#target = endpointOf(this.#options.target, plan.target);
    this.#phase = 'running';
    this.#expiries.take(plan.expiries);
    this.#cleanUp = plan.cleanUp;
    this.#keyspace.settings = plan.keyspace;
    this.#shards.begin(plan, this.#options.workerFile);
    this.#throttle.tick();
    this.#strainProbe = strainProbe(plan, this.#throttle);
    this.#strainProbe?.start();
    this.#changed();
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
      this.#shards.abort();
      return { accepted: true, message: 'Leaving at once: what was received and not applied is given up.' };
    }
    this.#phase = 'draining';
    this.#shards.drain();
    this.#tell('info', 'Stopping: what was received is applied, then the run ends.');
    return { accepted: true, message: 'Stopping: what was received is applied first.' };
  }

  #endWhenAllEnded(): void {
    this.#changed();
    if (this.#result !== null || this.#expiries.begun || !this.#shards.records.every((record) => record.final)) return;
    this.#phase = 'draining';
    void this.#release().then(async (left) => {
      await this.#shards.letGo();
      this.#finish(resultOf(this.#shards.records, this.#journal.refusals, this.#seconds(), left));
    });
  }

  /** What the run has changed on the servers is put back. @returns what remains to be done, or null. */
  async #release(): Promise<string | null> {
    const keyspace = this.#keyspace.release();
    const left = await this.#expiries.release();
    await keyspace;
    return left;
  }

  #refuse(error: unknown): void {
    if (this.#phase !== 'starting') return;
    const ferry =
      error instanceof FerryError ? error : new FerryError(messageOf(error), { code: 'internal', cause: error });
    this.#tell('error', ferry.message);
    const outcome = ferry.exitCode === EXIT.preflight ? 'refused' : 'failed';
    this.#finish(refusedResult(outcome, ferry.exitCode, this.#seconds(), ferry.message));
  }

  #finish(result: EngineResult): void {
    if (this.#result !== null) return;
    this.#result = result;
    this.#phase = 'ended';
    if (this.#ticker !== null) clearInterval(this.#ticker);
    this.#strainProbe?.stop();
    this.#changed();
    void this.#shards.close().then(() => {
      this.#cleanUp(result.outcome === 'completed');
      this.#resolveEnded(result);
    });
  }

  #tick(): void {
    const nowMs = steadyMs();
    if (nowMs >= this.#nextSecondMs) {
      this.#nextSecondMs = nowMs + SECOND_MS;
      for (const record of this.#shards.records) record.second(nowMs);
      this.#changed();
      this.#lookAtBudgets();
    }
    this.#throttle.tick();
    this.#changed();
  }

  #lookAtBudgets(): void {
    for (const shard of this.snapshot().shards) {
      const notice = this.#alarm.look(shard);
      if (notice !== null) this.#journal.notice(notice.level, shard.name, notice.message);
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
      shards: this.#shards.records.map((record) => {
        const shard = record.snapshot(nowMs);
        const throttled = shard.paused ? null : this.#throttle.reasonOf(record.pace);
        const rate = this.#throttle.ownRate(shard.id);
        return { ...shard, throttled, rate, verified: this.#validation.verifiedOf(shard, wallMs(nowMs)) };
      }),
      memory: { rss: process.memoryUsage.rss() },
      rate: this.#throttle.picture(),
      validation: this.#validation.picture(),
      notices: this.#journal.notices,
      conflicts: this.#journal.conflicts,
      audit: this.#orders.entries,
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
