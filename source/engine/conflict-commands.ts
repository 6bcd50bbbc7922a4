// The person's commands about conflicts, as the engine passes them to the shards.
import type { ConflictDecision } from './conflict-contract.ts';
import type { CommandOutcome, ConflictPolicy, ShardSelection } from './contract.ts';
import type { ToWorker } from './shard-job.ts';
import type { ShardRecord } from './shard-record.ts';

type Send = (message: ToWorker & { readonly shard: number }) => void;

/** Keys that are judged from now on follow this policy, in these shards. */
export function setConflictPolicy(
  records: readonly ShardRecord[],
  shards: ShardSelection,
  policy: ConflictPolicy,
  send: Send,
): CommandOutcome {
  const chosen = records.filter((record) => !record.final && (shards === 'all' || shards.includes(record.job.id)));
  if (chosen.length === 0) return { accepted: false, message: 'There is no such shard at work.' };
  if (chosen.some(({ job }) => job.destination.kind === 'file'))
    return { accepted: false, message: 'A file that is written has no conflicts.' };
  for (const record of chosen) {
    record.conflictPolicy = policy;
    send({ type: 'conflict-policy', shard: record.job.id, policy });
  }
  const names = shards === 'all' ? 'all shards' : chosen.map((record) => record.job.name).join(', ');
  return { accepted: true, message: `Conflict policy of ${names}: ${policy}, for keys of the snapshot from now on.` };
}

/** Answers the question that a shard has halted with. */
export function decideConflict(
  records: readonly ShardRecord[],
  shard: number,
  question: number,
  decision: ConflictDecision,
  send: Send,
): CommandOutcome {
  const record = records.find(({ job }) => job.id === shard);
  const open = record?.conflictStanding.question ?? null;
  if (record === undefined || open === null || open.number !== question)
    return { accepted: false, message: 'That question is not open any more.' };
  if (decision === (open.kind === 'key' ? 'one-by-one' : 'compare'))
    return { accepted: false, message: `"${decision}" is no answer to this question.` };
  send({ type: 'conflict-decision', shard, question, decision });
  const what = open.kind === 'key' ? `"${open.key}"` : `${open.total} conflicts`;
  return { accepted: true, message: `${record.job.name}: ${DONE[decision]} ${what}.` };
}

const DONE: Readonly<Record<ConflictDecision, string>> = {
  rewrite: 'rewrites',
  ignore: 'leaves as it is',
  compare: 'puts aside, with all further ones until the snapshot is through,',
  'one-by-one': 'asks one by one for',
};
