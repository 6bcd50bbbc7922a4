// The commands of a person, each handed to the part of the run that obeys it. What came of one is told as a notice too.

import type { ValidationDesk } from '../comparing/validation-desk.ts';
import { type ConflictCommand, conflictCommand } from '../conflicts/conflict-commands.ts';
import type { CommandOutcome, EngineCommand, KeyName, ShardSelection } from '../contract/command.ts';
import type { RunPhase } from '../contract/engine-snapshot.ts';
import type { NoticeLevel } from '../contract/notice.ts';
import type { Rate } from '../rate/rate-gate.ts';
import type { Throttle } from '../rate/throttle.ts';
import { type ShardCommand, shardCommand } from '../shard/shard-commands.ts';
import type { KeyspaceDesk } from './keyspace-desk.ts';
import type { RunningShards } from './running-shards.ts';
import type { ToWorker } from './shard-job.ts';

/** The parts that obey. */
export interface CommandedParts {
  readonly shards: RunningShards;
  readonly throttle: Throttle;
  readonly keyspace: KeyspaceDesk;
  readonly validation: ValidationDesk;
}

export interface CommandedRun {
  phase(): RunPhase;
  /** Ends it as the last act of a migration. */
  finish(): CommandOutcome;
  stop(): CommandOutcome;
  notice(level: NoticeLevel, message: string): void;
  changed(): void;
  /** A shard that has failed counts no more. */
  skipped(): void;
}

export class RunCommands {
  readonly #parts: CommandedParts;
  readonly #run: CommandedRun;

  constructor(parts: CommandedParts, run: CommandedRun) {
    this.#parts = parts;
    this.#run = run;
  }

  async obey(command: EngineCommand): Promise<CommandOutcome> {
    const { keyspace, validation } = this.#parts;
    switch (command.type) {
      case 'validate':
      case 'steer-validation':
      case 'set-validation-rate':
      case 'export-validation':
      case 'repair-differences':
        return validation.handle(command);
    }
    if (this.#run.phase() === 'ended') return { accepted: false, message: 'The run has ended.' };
    switch (command.type) {
      case 'pause':
      case 'resume':
        return this.#pauseOrResume(command.type, command.shards);
      case 'repair':
        return this.repair(command.keys);
      case 'setConflictPolicy':
      case 'decideConflict':
        return this.#conflictCommand(command);
      case 'setRate':
        return this.#setRate(command.shards, command.rate);
      case 'setKeyspaceEvents':
        return keyspace.switch(command.shards, command.on);
      case 'rescan':
        return keyspace.rescan(command.shards);
      case 'removeLeftovers':
        return this.#removeLeftovers(command.shards);
      case 'retryShard':
      case 'restartShard':
      case 'skipShard':
        return this.#shardCommand(command);
      case 'finish':
        return this.#run.finish();
      case 'stop':
        return this.#run.stop();
    }
  }

  /** Copies these keys again. */
  async repair(keys: readonly KeyName[]): Promise<CommandOutcome> {
    const { shards } = this.#parts;
    const outcome = await shards.recopies.repair(keys, shards.records);
    if (outcome.accepted) this.#run.notice('info', outcome.message);
    return outcome;
  }

  #pauseOrResume(type: 'pause' | 'resume', selection: ShardSelection): CommandOutcome {
    const { shards } = this.#parts;
    const chosen = shards.chosen(selection);
    if (chosen.length === 0) return { accepted: false, message: 'There is no such shard at work.' };
    for (const record of chosen) shards.send({ type, shard: record.job.id });
    const names = selection === 'all' ? 'all shards' : chosen.map((record) => record.job.name).join(', ');
    const message =
      type === 'pause' ? `Paused ${names}: the source's writes gather in the queue.` : `Resumed ${names}.`;
    this.#run.notice('info', message);
    return { accepted: true, message };
  }

  async #removeLeftovers(selection: ShardSelection): Promise<CommandOutcome> {
    const { shards } = this.#parts;
    const outcome = await shards.recopies.removeLeftovers(shards.chosen(selection));
    this.#run.notice(outcome.accepted ? 'info' : 'warn', outcome.message);
    this.#run.changed();
    return outcome;
  }

  #conflictCommand(command: ConflictCommand): CommandOutcome {
    const { shards } = this.#parts;
    const outcome = conflictCommand(command, {
      records: shards.records,
      send: (message: ToWorker & { readonly shard: number }) => shards.send(message),
    });
    if (outcome.accepted) this.#run.notice('info', outcome.message);
    this.#run.changed();
    return outcome;
  }

  #shardCommand(command: ShardCommand): CommandOutcome {
    const phase = this.#run.phase();
    if (phase !== 'running') return { accepted: false, message: `The run is ${phase}.` };
    const { shards } = this.#parts;
    const outcome = shardCommand(command, {
      records: shards.records,
      send: (message: ToWorker & { readonly shard: number }) => shards.send(message),
      begin: (record, job) => shards.beginAgain(record, job),
      skipped: () => this.#run.skipped(),
    });
    if (outcome.accepted) this.#run.notice('warn', outcome.message);
    this.#run.changed();
    return outcome;
  }

  #setRate(selection: ShardSelection, rate: Rate | null): CommandOutcome {
    const outcome = this.#parts.throttle.setRate(selection, rate);
    if (outcome.accepted) this.#run.notice('info', outcome.message);
    return outcome;
  }
}
