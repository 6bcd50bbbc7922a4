// How far a shard has come, as it is remembered for another process: of a new one, of one that is copied anew, and of one
// whose stream has begun, from what its worker tells once a second.
import type { Setup } from '../../checkpoint/fingerprint.ts';
import type { KnownNode, ShardProgress } from '../../checkpoint/shard-state.ts';
import { formatSlots, normalizeSlots } from '../../topology/slots.ts';
import { SLOT_COUNT, type SlotRange } from '../../topology/topology.ts';
import type { ShardCheckpoint, ShardSample } from './shard-job.ts';

/** What a shard of a standalone carries. */
const ALL_SLOTS: readonly SlotRange[] = [{ first: 0, last: SLOT_COUNT - 1 }];

/** What a shard that has not begun is to be remembered as. */
export function newProgress(setup: Setup, address: string, targetWasEmpty: boolean): ShardProgress {
  return {
    source: { address, nodeId: null, replid: null, replid2: null, secondReplOffset: -1 },
    phase: 'copying',
    offset: null,
    db: 0,
    targetWasEmpty,
    before: 'unknown',
    nodes: [],
    slots: [],
    recopying: false,
    kept: 0,
    keys: 0,
    setup,
  };
}

/** Its copy begins once more. */
export function copyingAnew(progress: ShardProgress): ShardProgress {
  return { ...progress, phase: 'copying', offset: null, nodes: [], slots: [], recopying: false, kept: 0, keys: 0 };
}

/** Its stream has begun, and is where the sample says. */
export function streamingAt(progress: ShardProgress, checkpoint: ShardCheckpoint, sample: ShardSample): ShardProgress {
  const { history, offset, db, nodes, kept } = checkpoint;
  return {
    ...progress,
    source: { ...progress.source, ...history },
    phase: 'streaming',
    offset,
    db,
    nodes: nodes.map(plainNode),
    slots: (checkpoint.slots ?? []).map(({ first, last }) => ({ first, last })),
    recopying: sample.recopying,
    kept,
    keys: sample.keysDone,
  };
}

/** What a resume must not overlook is the same in both: which slots are carried, and whether keys are copied again. */
export function resumesAlike(a: ShardProgress, b: ShardProgress): boolean {
  return a.recopying === b.recopying && formatSlots(normalizeSlots(a.slots)) === formatSlots(normalizeSlots(b.slots));
}

/** The slots that have markers once the stream has begun. */
export function* slotsMarkedBy({ slots }: ShardCheckpoint): Generator<number> {
  for (const { first, last } of slots ?? ALL_SLOTS) for (let slot = first; slot <= last; slot++) yield slot;
}

function plainNode(node: KnownNode): KnownNode {
  return { ...node, replicaIds: [...node.replicaIds], slots: node.slots.map(({ first, last }) => ({ first, last })) };
}
