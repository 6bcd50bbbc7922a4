// A target cluster in miniature, for trying out resumes: nodes whose data is what their log says, that can lose the end of
// it (restart, failover), exchange slots, and are written by a run that is killed at any moment.
import type { Marker } from '../../source/checkpoint/marker.ts';
import type { ConnectionMarker } from '../../source/checkpoint/read-markers.ts';
import type { ContinuePlan, NodeNow } from '../../source/checkpoint/resume-plan.ts';
import type { KnownNode } from '../../source/checkpoint/shard-state.ts';
import type { SlotRange } from '../../source/topology/topology.ts';

export const REPLID = 'a'.repeat(40);
/** The slots that are written; the rest of the 16384 belong to the first node. */
export const SLOTS_USED = 9;
const NODES = 3;

export interface SourceCommand {
  readonly slot: number;
  /** A bare one assigns, a wrapped one appends: twice, or out of its order, shows. */
  readonly bare: boolean;
  /** Where it ends, and its value. */
  readonly offset: number;
}

interface SlotData {
  values: readonly number[];
  marker: number | null;
  /** Connection markers that stand in this slot: node id to offset. */
  connections: Readonly<Record<string, number>>;
}

type LogEntry =
  | { readonly kind: 'command'; readonly command: SourceCommand }
  | { readonly kind: 'connection'; readonly slot: number; readonly nodeId: string; readonly offset: number }
  | { readonly kind: 'copied'; readonly slot: number; readonly values: readonly number[]; readonly offset: number }
  | { readonly kind: 'unmarked'; readonly slot: number }
  | { readonly kind: 'import'; readonly slot: number; readonly content: SlotData }
  | { readonly kind: 'drop'; readonly slot: number };

const EMPTY: SlotData = { values: [], marker: null, connections: {} };

export class SimulatedNode {
  nodeId: string;
  replicaId: string;
  runId = 'run-0';
  replid = 'replid-0';
  slots: Set<number>;
  log: LogEntry[] = [];
  /** Sent and not yet applied. */
  queue: LogEntry[] = [];
  sentOffset: number | null = null;
  markerSlot: number | null = null;

  constructor(index: number, slots: Iterable<number>) {
    this.nodeId = `node-${index}`;
    this.replicaId = `replica-${index}`;
    this.slots = new Set(slots);
  }

  apply(count: number): void {
    this.log.push(...this.queue.splice(0, count));
  }

  content(): Map<number, SlotData> {
    const all = new Map<number, SlotData>();
    for (const entry of this.log) {
      const slot = entry.kind === 'command' ? entry.command.slot : entry.slot;
      const was = all.get(slot) ?? EMPTY;
      switch (entry.kind) {
        case 'command': {
          const { bare, offset } = entry.command;
          all.set(
            slot,
            bare ? { ...was, values: [offset] } : { ...was, values: [...was.values, offset], marker: offset },
          );
          break;
        }
        case 'connection':
          all.set(slot, { ...was, connections: { ...was.connections, [entry.nodeId]: entry.offset } });
          break;
        case 'copied':
          all.set(slot, { ...was, values: entry.values, marker: entry.offset });
          break;
        case 'unmarked':
          all.set(slot, { ...was, marker: null });
          break;
        case 'import':
          all.set(slot, entry.content);
          break;
        case 'drop':
          all.delete(slot);
          break;
      }
    }
    return all;
  }

  /** Comes back with up to `entries` of the end of its log lost; a move of a slot is never lost. */
  fallBack(entries: number, promoted: boolean, name: string): void {
    let kept = this.log.length;
    while (kept > 0 && this.log.length - kept < entries) {
      const kind = this.log[kept - 1]?.kind;
      if (kind === 'import' || kind === 'drop') break;
      kept--;
    }
    this.log.length = kept;
    if (promoted) [this.nodeId, this.replicaId] = [this.replicaId, this.nodeId];
    this.runId = name;
    this.replid = name;
  }

  now(): NodeNow {
    return { nodeId: this.nodeId, runId: this.runId, replid: this.replid, slots: this.ranges() };
  }

  known(upTo: number): KnownNode {
    return {
      nodeId: this.nodeId,
      replicaIds: [this.replicaId],
      slots: this.ranges(),
      runId: this.runId,
      replid: this.replid,
      markerSlot: this.markerSlot,
      sentOffset: this.sentOffset === null ? null : Math.min(this.sentOffset, upTo),
    };
  }

  ranges(): SlotRange[] {
    const ranges = [...this.slots].map((slot) => ({ first: slot, last: slot }));
    return this.nodeId.endsWith('-0') ? [...ranges, { first: SLOTS_USED, last: 16_383 }] : ranges;
  }
}

export class SimulatedTarget {
  readonly nodes = Array.from(
    { length: NODES },
    (_, i) =>
      new SimulatedNode(
        i,
        Array.from({ length: SLOTS_USED }, (_, s) => s).filter((s) => s % NODES === i),
      ),
  );

  nodeOf(slot: number): SimulatedNode {
    return this.nodes.find((node) => node.slots.has(slot)) as SimulatedNode;
  }

  /** The slot goes, with what is in it; what was sent to the old node and not applied follows, behind what is there. */
  move(slot: number, to: SimulatedNode): void {
    const from = this.nodeOf(slot);
    if (from === to || from.slots.size === 1) return;
    const content = from.content().get(slot) ?? EMPTY;
    from.log.push({ kind: 'drop', slot });
    to.log.push({ kind: 'import', slot, content });
    from.slots.delete(slot);
    to.slots.add(slot);
    const redirected = from.queue.filter((entry) => entry.kind === 'command' && entry.command.slot === slot);
    from.queue = from.queue.filter((entry) => entry.kind === 'command' && entry.command.slot !== slot);
    to.queue.push(...redirected);
    for (const entry of redirected) {
      if (entry.kind === 'command') to.sentOffset = Math.max(to.sentOffset ?? 0, entry.command.offset);
    }
    if (from.markerSlot === slot) from.markerSlot = [...from.slots][0] ?? null;
  }

  /** Evicted, or deleted by a person. */
  loseMarker(slot: number): void {
    this.nodeOf(slot).log.push({ kind: 'unmarked', slot });
  }

  values(slot: number): readonly number[] {
    return this.nodeOf(slot).content().get(slot)?.values ?? [];
  }

  slotMarkers(): Map<number, Marker> {
    const markers = new Map<number, Marker>();
    for (const node of this.nodes) {
      const content = node.content();
      for (const slot of node.slots) {
        const offset = content.get(slot)?.marker ?? null;
        if (offset !== null) markers.set(slot, { replid: REPLID, offset, db: 0 });
      }
    }
    return markers;
  }

  /** Those that stand where a run has left them, on whatever node that slot is now. */
  connectionMarkers(known: readonly KnownNode[]): ConnectionMarker[] {
    return known.flatMap(({ nodeId, markerSlot }) => {
      if (markerSlot === null) return [];
      const holder = this.nodeOf(markerSlot);
      const offset = holder.content().get(markerSlot)?.connections[nodeId];
      if (offset === undefined) return [];
      return [{ namedNodeId: nodeId, holderNodeId: holder.nodeId, marker: { replid: REPLID, offset, db: 0 } }];
    });
  }

  /** Everything of the slots is copied again from the source, which is at `offset`. */
  copyAgain(plan: ContinuePlan, sourceValues: (slot: number) => readonly number[], offset: number): void {
    for (const slot of plan.recopySlots) {
      if (slot >= SLOTS_USED) continue;
      const node = this.nodeOf(slot);
      node.log.push({ kind: 'copied', slot, values: sourceValues(slot), offset });
      plan.skipUntil[slot] = offset;
    }
  }
}
