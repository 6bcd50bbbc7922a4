import type { ShardProgress } from '../../source/checkpoint/shard-state.ts';

/** A shard that streams and stands at `offset`. */
export function someProgress(offset: number): ShardProgress {
  const side = { kind: 'cluster' as const, ids: ['node-a'], addresses: ['10.0.0.1:7000'] };
  return {
    source: { address: '10.0.0.1:6379', nodeId: null, replid: 'a'.repeat(40), replid2: null, secondReplOffset: -1 },
    phase: 'streaming',
    offset,
    db: 3,
    targetWasEmpty: true,
    before: 'unknown',
    slots: [],
    recopying: false,
    kept: 0,
    nodes: [
      {
        nodeId: 'node-a',
        replicaIds: ['node-b'],
        slots: [{ first: 0, last: 16_383 }],
        runId: 'run-1',
        replid: 'b'.repeat(40),
        markerSlot: 0,
        sentOffset: offset,
      },
    ],
    keys: 7,
    setup: { source: side, target: side, shards: [], conflictPolicy: 'panic', databases: {}, filters: {} },
  };
}
