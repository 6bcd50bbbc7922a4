// What becomes of a shard whose worker thread died, by a mistake of ours or for lack of memory: nothing of it is
// acknowledged that was not applied, so another thread may begin it anew.
import { addConflicts } from '../contract/conflict.ts';
import { FerryError } from '../errors.ts';
import { obstacleToRestart } from '../shard/shard-restart.ts';
import type { ShardJob, ShardSample } from './shard-job.ts';

/** What kills a thread as often as this will kill the next one too. */
const MOST_LOSSES = 3;

/**
 * The job for another thread, or a sentence that says why there is none.
 * @param losses how many threads have died on it.
 */
export function jobAfterLoss(job: ShardJob, losses: number): ShardJob | string {
  if (losses > MOST_LOSSES)
    return `${losses} threads have died on it: this is a defect, please report it with the log.`;
  const loss = new FerryError('The worker thread of this shard died.', { code: 'thread-lost' });
  return obstacleToRestart(job, loss) ?? { ...job, attempt: losses + 1, resume: null };
}

/** Counters that a run tells as sums, whoever has counted. */
type Counts = Pick<
  ShardSample,
  'bytesReceived' | 'movedBytes' | 'movedOperations' | 'commands' | 'conflicts' | 'refused'
>;

/** `sample` with what the threads before had counted. */
export function withCounts(sample: ShardSample, before: Counts | null): ShardSample {
  if (before === null) return sample;
  return {
    ...sample,
    bytesReceived: sample.bytesReceived + before.bytesReceived,
    movedBytes: sample.movedBytes + before.movedBytes,
    movedOperations: sample.movedOperations + before.movedOperations,
    commands: sample.commands + before.commands,
    conflicts: addConflicts(sample.conflicts, before.conflicts),
    refused: sample.refused + before.refused,
  };
}
