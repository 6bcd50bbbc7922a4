// The person's commands about conflicts, as the engine passes them to the shards.
import type { CommandOutcome, EngineCommand } from '../contract/command.ts';
import type { ConflictDecision } from '../contract/conflict.ts';
import type { ToWorker } from '../run/shard-job.ts';
import type { ShardRecord } from '../run/shard-record.ts';
import { keyInWords } from '../shard/refusal.ts';

type Of<T extends EngineCommand['type']> = Extract<EngineCommand, { readonly type: T }>;
export type ConflictCommand = Of<'setConflictPolicy'> | Of<'decideConflict'>;

/** What the commands act upon. */
export interface ConflictScene {
  readonly records: readonly ShardRecord[];
  send(message: ToWorker & { readonly shard: number }): void;
}

export function conflictCommand(command: ConflictCommand, scene: ConflictScene): CommandOutcome {
  return command.type === 'setConflictPolicy' ? setConflictPolicy(command, scene) : decideConflict(command, scene);
}

/** Keys that are judged from now on follow this policy, in these shards. */
function setConflictPolicy(command: Of<'setConflictPolicy'>, scene: ConflictScene): CommandOutcome {
  const { shards, policy } = command;
  const chosen = scene.records.filter(
    (record) => !record.final && (shards === 'all' || shards.includes(record.job.id)),
  );
  if (chosen.length === 0) return refused('There is no such shard at work.');
  if (chosen.some(({ job }) => job.destination.kind === 'file'))
    return refused('A file that is written has no conflicts.');
  const former = [...new Set(chosen.map((record) => record.conflictPolicy))].join(', ');
  for (const record of chosen) {
    record.conflictPolicy = policy;
    scene.send({ type: 'conflict-policy', shard: record.job.id, policy });
  }
  const names = shards === 'all' ? 'all shards' : chosen.map((record) => record.job.name).join(', ');
  const outcome = accepted(`Conflict policy of ${names}: ${policy}, for keys of the snapshot from now on.`);
  return { ...outcome, change: { from: former, to: policy } };
}

/** Answers the question that a shard has halted with. */
function decideConflict(command: Of<'decideConflict'>, scene: ConflictScene): CommandOutcome {
  const { shard, question, decision } = command;
  const record = scene.records.find(({ job }) => job.id === shard);
  const open = record?.conflictStanding.question ?? null;
  if (record === undefined || open === null || open.number !== question)
    return refused('That question is not open any more.');
  if (decision === (open.kind === 'key' ? 'one-by-one' : 'compare'))
    return refused(`"${decision}" is no answer to this question.`);
  scene.send({ type: 'conflict-decision', shard, question, decision });
  const what = open.kind === 'key' ? keyInWords(open.key, open.database) : `${open.total} conflicts`;
  return accepted(`${record.job.name}: ${DONE[decision]} ${what}.`);
}

function accepted(message: string): CommandOutcome {
  return { accepted: true, message };
}

function refused(message: string): CommandOutcome {
  return { accepted: false, message };
}

const DONE: Readonly<Record<ConflictDecision, string>> = {
  rewrite: 'rewrites',
  ignore: 'leaves as it is',
  compare: 'puts aside, with all further ones until the snapshot is through,',
  'one-by-one': 'asks one by one for',
};
