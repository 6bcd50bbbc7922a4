// After a link to the target was lost: what the nodes that are there now have of this shard, read from the markers on them, and
// where the stream goes on from. Only behind the fence: the connections it is given have ended their predecessors.
import type { Redis } from 'ioredis';
import type { Marker, SourceHistory } from '../../checkpoint/marker.ts';
import type { AskedNode } from '../../checkpoint/node-request.ts';
import {
  type ConnectionMarker,
  readConnectionMarkers,
  readSlotMarkers,
  readStandaloneMarkers,
} from '../../checkpoint/read-markers.ts';
import { planClusterResume, planStandaloneResume, type ResumePlan } from '../../checkpoint/resume-plan.ts';
import type { KnownNode } from '../../checkpoint/shard-state.ts';
import { SlotBitmap } from '../../checkpoint/slot-bitmap.ts';
import { type Endpoint, formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import { SLOT_COUNT, type SlotRange } from '../../topology/topology.ts';
import { messageOf } from '../errors.ts';
import type { ReplayPlan } from './stream-recovery.ts';
import { openSlotsOf } from './target-questions.ts';

/** What was known when the link was lost. */
export interface KnownStream {
  readonly run: string;
  readonly shard: string;
  readonly history: SourceHistory;
  /** Everything up to this offset was answered for, and the source's database in force behind it. */
  readonly settled: number;
  readonly db: number;
  /** The history that `settled` is of. */
  readonly replid: string;
  /** The stream can be read again from here. */
  readonly earliest: number;
  readonly nodes: readonly KnownNode[];
  /** Of a cluster: the slots that had markers from the beginning of the stream. */
  readonly slots: readonly number[];
  /** Of a cluster: no other slot can have one; null: all may. */
  readonly asked: readonly number[] | null;
  /** Of a cluster: for each slot the ends of what was sent and not answered, ascending; null: not known. */
  readonly unanswered: ReadonlyMap<number, readonly number[]> | null;
}

/** A master of the target as it is now. */
export interface NodeNow {
  readonly address: NodeAddress;
  /** Of a cluster. */
  readonly nodeId: string | null;
  readonly runId: string | null;
  readonly replid: string | null;
  readonly slots: readonly SlotRange[];
}

/** @returns a sentence when the stream can not go on. @throws FerryError when a node can not be asked. */
export async function planReplay(
  endpoint: Endpoint,
  known: KnownStream,
  nodes: readonly NodeNow[],
  cluster: boolean,
): Promise<ReplayPlan | string> {
  const { plan, databases } = await (cluster
    ? planCluster(endpoint, known, nodes)
    : planStandalone(endpoint, known, nodes));
  if (plan.kind === 'full-sync') return plan.reasons.join('; ');
  if (plan.recopySlots.length > 0) {
    return `${plan.recopySlots.length} slots of the target have lost what they had: ${plan.reasons.join('; ')}`;
  }
  const skipUntil = plan.skipUntil.length > 0 ? plan.skipUntil : new Float64Array(SLOT_COUNT).fill(plan.startOffset);
  return { offset: plan.startOffset, db: plan.db, skipUntil, databases, reasons: plan.reasons };
}

interface FoundPlan {
  readonly plan: ResumePlan;
  /** Of a standalone: those that hold keys. */
  readonly databases: readonly number[];
}

async function planStandalone(
  endpoint: Endpoint,
  { run, shard, ...known }: KnownStream,
  [node]: readonly NodeNow[],
): Promise<FoundPlan> {
  if (node === undefined) return { plan: { kind: 'full-sync', reasons: ['the target has no node'] }, databases: [] };
  return asking(endpoint, node.address, async (asked, connection) => {
    const keyspace = String(await connection.info('keyspace'));
    const databases = [...keyspace.matchAll(/^db(\d+):/gm)].map(([, database]) => Number(database));
    const markers = await readStandaloneMarkers(asked, run, shard, databases);
    return { plan: planStandaloneResume({ ...findings(known), markers }), databases };
  });
}

async function planCluster(
  endpoint: Endpoint,
  { run, shard, slots, asked: mayHave, unanswered, ...known }: KnownStream,
  nodes: readonly NodeNow[],
): Promise<FoundPlan> {
  const slotMarkers = new Map<number, Marker>();
  const connectionMarkers: ConnectionMarker[] = [];
  await Promise.all(
    nodes.map((node) =>
      asking(endpoint, node.address, async (asked) => {
        const owns = (slot: number): boolean => node.slots.some(({ first, last }) => first <= slot && slot <= last);
        // Not only those that had one: slots of the source may have come to this shard since.
        const owned = (mayHave ?? Array.from({ length: SLOT_COUNT }, (_, slot) => slot)).filter(owns);
        const found = await readSlotMarkers(asked, run, shard, owned);
        for (const [slot, marker] of found) slotMarkers.set(slot, marker);
        const places = known.nodes.flatMap(({ nodeId, markerSlot }) =>
          markerSlot !== null && owns(markerSlot) ? [{ nodeId, slot: markerSlot }] : [],
        );
        connectionMarkers.push(...(await readConnectionMarkers(asked, node.nodeId ?? '', run, shard, places)));
      }),
    ),
  );
  const markedSlots = SlotBitmap.of(slots);
  const openSlots = await openSlotsOf(
    endpoint,
    nodes.map(({ address }) => formatAddress(address)),
  );
  const plan = planClusterResume({
    ...findings({ ...known, markedSlots }),
    nodes: nodes.map((node) => ({ ...node, nodeId: node.nodeId ?? '' })),
    connectionMarkers,
    slotMarkers,
    openSlots,
    unanswered,
  });
  return { plan, databases: [] };
}

function findings(
  known: Pick<KnownStream, 'history' | 'settled' | 'db' | 'replid' | 'earliest' | 'nodes'> & {
    readonly markedSlots?: SlotBitmap;
  },
) {
  const { history, settled, db, replid, earliest, nodes, markedSlots } = known;
  return {
    history,
    earliestOffset: earliest,
    stored: {
      progress: { phase: 'streaming' as const, offset: settled, db, source: { replid }, nodes },
      markedSlots: markedSlots ?? new SlotBitmap(),
      recopied: [],
    },
  };
}

/** Asks a node over a connection of its own. */
async function asking<T>(
  endpoint: Endpoint,
  address: NodeAddress,
  ask: (node: AskedNode, connection: Redis) => Promise<T>,
): Promise<T> {
  // Brings the client library into this thread, which most runs never need.
  const [{ openControl }, { askElsewhere, readAsk }] = await Promise.all([
    import('../../topology/control-connection.ts'),
    import('../../topology/ask-redirection.ts'),
  ]);
  const connection = await openControl(endpoint, address, 'redferry:markers');
  try {
    const request = async (question: readonly string[]): Promise<unknown> => {
      const [command = '', ...args] = question;
      try {
        return await connection.call(command, ...args);
      } catch (thrown) {
        const taking = readAsk(endpoint, messageOf(thrown));
        if (taking === null) throw thrown;
        return askElsewhere(endpoint, taking, question);
      }
    };
    return await ask({ address: formatAddress(address), request }, connection);
  } finally {
    connection.disconnect();
  }
}
