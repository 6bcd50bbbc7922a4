// What a person can do about one shard in trouble: try again at once, copy it anew, go on without it.
import type { CommandOutcome, EngineCommand } from '../contract/command.ts';
import { FerryError } from '../errors.ts';
import type { ShardJob, ToWorker } from '../run/shard-job.ts';
import type { ShardRecord } from '../run/shard-record.ts';
import { BY_HAND, obstacleToRestart } from './shard-restart.ts';

type Of<T extends EngineCommand['type']> = Extract<EngineCommand, { readonly type: T }>;
export type ShardCommand = Of<'retryShard'> | Of<'restartShard'> | Of<'skipShard'>;

/** What the commands act upon. */
export interface ShardScene {
  readonly records: readonly ShardRecord[];
  send(message: ToWorker & { readonly shard: number }): void;
  /** A shard that has failed begins once more. */
  begin(record: ShardRecord, job: ShardJob): void;
  /** A shard that has failed counts no more. */
  skipped(): void;
}

export function shardCommand(command: ShardCommand, scene: ShardScene): CommandOutcome {
  const record = scene.records.find(({ job }) => job.id === command.shard);
  if (record === undefined) return refused('There is no such shard.');
  switch (command.type) {
    case 'retryShard':
      return record.hasFailed ? beginAgain(record, scene) : retry(record, scene);
    case 'restartShard':
      return record.hasFailed ? beginAgain(record, scene) : restart(record, scene);
    case 'skipShard':
      return skip(record, scene);
  }
}

/** Waits no longer for the next attempt. */
function retry({ job, state }: ShardRecord, scene: ShardScene): CommandOutcome {
  if (state !== 'retrying') return refused(`${job.name} does not wait for another attempt: it is ${state}.`);
  scene.send({ type: 'retry-now', shard: job.id });
  return changed(`${job.name} tries again now.`, state, 'connecting');
}

function restart(record: ShardRecord, scene: ShardScene): CommandOutcome {
  const { job, state } = record;
  if (record.final || state === 'draining') return refused(`${job.name} can not begin anew: it is ${state}.`);
  const obstacle = obstacleOf(record);
  if (obstacle !== null) return refused(`${job.name} can not begin anew. ${obstacle}`);
  scene.send({ type: 'restart', shard: job.id });
  return changed(`${job.name} begins a new full sync.`, state, 'retrying');
}

/** After its end: the whole shard once more, unless it had not even begun to write. */
function beginAgain(record: ShardRecord, scene: ShardScene): CommandOutcome {
  const { job, state } = record;
  if (record.hasWritten) {
    const obstacle = obstacleOf(record);
    if (obstacle !== null) return refused(`${job.name} can not begin anew. ${obstacle}`);
  }
  scene.begin(record, { ...job, attempt: record.attempt + 1, conflictPolicy: record.conflictPolicy, resume: null });
  return changed(`${job.name} begins once more, with a full sync.`, state, 'connecting');
}

function skip(record: ShardRecord, scene: ShardScene): CommandOutcome {
  const { job, state } = record;
  if (record.skipped) return refused(`${job.name} is skipped already.`);
  if (!record.hasFailed && state !== 'retrying')
    return refused(`${job.name} is ${state}: only a shard that has failed, or tries in vain, is skipped.`);
  record.skip();
  if (record.final) scene.skipped();
  else scene.send({ type: 'abort', shard: job.id });
  return changed(
    `${job.name} is skipped: the run goes on without it, and what it lacks stays missing.`,
    state,
    'skipped',
  );
}

/** Of a shard that would begin anew after a break; null for none. */
function obstacleOf({ job }: ShardRecord): string | null {
  const obstacle = obstacleToRestart(job, new FerryError('Begun anew by hand.', { code: BY_HAND }));
  return obstacle === '' ? 'What is read from a file, or written to one, begins anew with a new run.' : obstacle;
}

function changed(message: string, from: string, to: string): CommandOutcome {
  return { accepted: true, message, change: { from, to } };
}

function refused(message: string): CommandOutcome {
  return { accepted: false, message };
}
