// Where a shard that an earlier process has left goes on: from its state, from the markers on the target, and from what the
// source still holds. To be asked behind the shard's lease only, when nobody else writes.
import type { SourceHistory } from '../checkpoint/marker.ts';
import { countsFor } from '../checkpoint/marker.ts';
import type { StoredShard } from '../checkpoint/shard-state.ts';
import type { ServerOrigin, ShardResume } from '../engine/run/shard-job.ts';
import type { ReplayPlan } from '../engine/target/stream-recovery.ts';
import { type NodeNow, planReplay } from '../engine/target/target-reconnect.ts';
import type { ServerSide } from '../preflight/context.ts';
import { openControl } from '../topology/control-connection.ts';
import { SLOT_COUNT, type SlotRange } from '../topology/topology.ts';
import { rangesContain } from './stable-shards.ts';

interface SourceNow {
  readonly history: SourceHistory;
  /** Behind this offset and all later ones it can continue. */
  readonly earliest: number;
}

/** Where the stream goes on, or why it can not. @throws FerryError when a side can not be asked. */
export async function resumeOf(
  target: ServerSide,
  origin: ServerOrigin,
  stored: StoredShard,
  nodes: readonly NodeNow[],
): Promise<ShardResume | string> {
  const { run, shard, progress, markedSlots } = stored;
  const { phase, offset, db, recopying, keys } = progress;
  const { replid } = progress.source;
  if (phase === 'copying' || offset === null || replid === null) return 'its snapshot was not finished';
  if (recopying) return 'writes were being made good when it ended';
  const source = await sourceNow(origin);
  const cluster = target.topology.kind === 'cluster';
  const carried = origin.nodeId === null ? null : slotsIn(progress.slots);
  const known = {
    run,
    shard,
    history: source.history,
    settled: offset,
    db,
    replid,
    earliest: source.earliest,
    nodes: progress.nodes,
    slots:
      phase === 'copied'
        ? []
        : [...markedSlots.slots()].filter((slot) => origin.nodeId === null || rangesContain(progress.slots, slot)),
    // Slots that this shard does not carry are passed over anyway: so three shards ask for 16384 markers, and not each.
    asked: carried,
    unanswered: null,
  };
  let plan = await planReplay(target.endpoint, known, nodes, cluster);
  if (typeof plan === 'string' && phase === 'copied' && !cluster) plan = unmarkedPlan(stored, source, nodes) ?? plan;
  if (typeof plan === 'string') return plan;
  return {
    replid,
    offset: plan.offset,
    db: plan.db,
    skipUntil: plan.skipUntil,
    databases: plan.databases,
    nodeMarkers: progress.nodes.flatMap(({ nodeId, markerSlot }) =>
      markerSlot === null ? [] : [{ nodeId, slot: markerSlot }],
    ),
    unmarked: phase === 'copied' && plan.skipUntil.every((until) => until === offset),
    keys,
  };
}

function slotsIn(ranges: readonly SlotRange[]): number[] {
  return ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
}

/** A shard that was drained, and left its standalone target without a marker: that is as it was unless it was restarted. */
function unmarkedPlan(
  { progress: { offset, db, source, nodes: known } }: StoredShard,
  { history, earliest }: SourceNow,
  [now]: readonly NodeNow[],
): ReplayPlan | null {
  const [node] = known;
  if (offset === null || source.replid === null || node === undefined || now === undefined) return null;
  const unbroken = node.runId !== null && node.runId === now.runId && node.replid === now.replid;
  if (!unbroken || offset < earliest || !countsFor({ replid: source.replid, offset }, history)) return null;
  return { offset, db, skipUntil: new Float64Array(SLOT_COUNT).fill(offset), databases: [], reasons: [] };
}

async function sourceNow({ endpoint, address }: ServerOrigin): Promise<SourceNow> {
  const connection = await openControl(endpoint, address, 'redferry:resume');
  try {
    const info = await connection.info('replication');
    const field = (name: string): string | null => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? null;
    const replid2 = field('master_replid2');
    return {
      history: {
        replid: field('master_replid') ?? '',
        replid2: replid2 !== null && /[1-9a-f]/.test(replid2) ? replid2 : null,
        secondReplOffset: Number(field('second_repl_offset') ?? -1),
      },
      earliest:
        field('repl_backlog_active') === '1'
          ? Number(field('repl_backlog_first_byte_offset')) - 1
          : Number.POSITIVE_INFINITY,
    };
  } finally {
    connection.disconnect();
  }
}

/** The target's masters as they are now, with what tells them from their older selves. */
export function nodesNow({ endpoint, topology }: ServerSide): Promise<NodeNow[]> {
  return Promise.all(
    topology.shards.map(async ({ address, nodeId, slots }) => {
      const connection = await openControl(endpoint, address, 'redferry:resume');
      try {
        const runId = /^run_id:(\w+)/m.exec(await connection.info('server'))?.[1] ?? null;
        const replid = /^master_replid:(\w+)/m.exec(await connection.info('replication'))?.[1] ?? null;
        return { address, nodeId, slots, runId, replid };
      } finally {
        connection.disconnect();
      }
    }),
  );
}
