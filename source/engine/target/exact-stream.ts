// What makes the stream take effect exactly once on one target: who writes which markers, and what they must say. A slot's
// marker stands in the MULTI of each wrapped command (writers/stream-wrap.ts); a node's, set here, says up to where everything
// had been applied on all nodes, so that one that comes back with older data tells how much it has lost.
import { connectionMarkerName, encodeConnectionMarker, SlotMarkers, slotMarkerName } from '../../checkpoint/marker.ts';
import { STANDALONE_MARKER_SLOT } from '../../checkpoint/read-markers.ts';
import type { KnownNode } from '../../checkpoint/shard-state.ts';
import { encodeCommand } from '../../protocol/resp-encode.ts';
import { SLOT_COUNT } from '../../topology/topology.ts';
import type { NodeWriter } from '../../writers/node-writer.ts';
import type { StreamRouter } from '../../writers/stream-router.ts';
import { BatchWrap, PlainWrap, SlotWrap } from '../../writers/stream-wrap.ts';
import type { TargetNodes } from '../../writers/target-nodes.ts';
import type { TargetPlaces } from '../shard/shard-target.ts';

/** Often enough that what a fallen node has lost is in the history, seldom enough to cost nothing. */
const NODE_MARKER_MS = 100;
/** Of a standalone, which has none. */
const STANDALONE_NODE_ID = 'standalone';

export interface ExactStreamParts {
  readonly run: string;
  readonly shard: string;
  readonly nodes: TargetNodes;
  readonly router: StreamRouter;
  readonly places: TargetPlaces;
  /** The stream is taken at present: nothing is being found out about the target. */
  readonly flowing: () => boolean;
  /** The slots that the source shard may write to; null for all. */
  readonly slots: readonly number[] | null;
}

export class ExactStream {
  readonly #parts: ExactStreamParts;
  readonly #markers: SlotMarkers;
  #replid: string;
  #timer: NodeJS.Timeout | null = null;
  /** For each writer: up to where its node's marker covers what was sent, and the slot that it stands in. */
  readonly #marked = new WeakMap<NodeWriter, { offset: number; readonly slot: number }>();
  /** The names of all nodes' markers, those of nodes that are gone among them, and the slots they stand in. */
  readonly #names = new Map<string, number>();

  constructor(parts: ExactStreamParts, replid: string) {
    this.#parts = parts;
    this.#replid = replid;
    this.#markers = new SlotMarkers(parts.run, parts.shard, replid);
  }

  /** The writers take the stream's commands from now on. */
  wrap(): void {
    const { nodes, router } = this.#parts;
    const state = { markers: this.#markers, database: (offset: number) => router.databases.at(offset) };
    for (const writer of nodes.writers) {
      if (!(writer.wrap instanceof PlainWrap)) continue;
      writer.wrap = nodes.cluster ? new SlotWrap(writer, state) : new BatchWrap(writer, state);
    }
    this.#timer ??= setInterval(() => this.#markNodes(), NODE_MARKER_MS);
  }

  /** The stream begins at this offset: every slot says so, so that a marker that is missing later was lost. */
  begin(offset: number): void {
    const { nodes, slots } = this.#parts;
    if (!nodes.cluster) {
      nodes.first.wrap.mark(STANDALONE_MARKER_SLOT, offset);
      return;
    }
    for (const slot of slots ?? allSlots()) nodes.ofSlot(slot).wrap.mark(slot, offset);
    for (const writer of nodes.writers) this.#markNode(writer, offset);
  }

  /**
   * What an earlier process has left: the markers of nodes, and writes up to where each slot was found. A node that comes
   * back without those must not pass for one that was sent nothing.
   */
  know(
    nodeMarkers: readonly { readonly nodeId: string; readonly slot: number }[],
    offset: number,
    skipUntil: Float64Array | null,
  ): void {
    const { run, shard, nodes } = this.#parts;
    for (const { nodeId, slot } of nodeMarkers) this.#names.set(connectionMarkerName(run, shard, slot, nodeId), slot);
    for (const writer of nodes.writers) {
      let sent = offset;
      for (const { first, last } of nodes.slotsOf(writer)) {
        for (let slot = first; slot <= last; slot++) sent = Math.max(sent, skipUntil?.[slot] ?? 0);
      }
      writer.sentOffset = sent;
    }
  }

  /** The source's history has another name after its failover. */
  follow(replid: string): void {
    if (replid === this.#replid) return;
    this.#replid = replid;
    this.#markers.setReplid(replid);
  }

  /** The slots that have markers. */
  get slots(): readonly number[] {
    return this.#parts.nodes.cluster ? (this.#parts.slots ?? allSlots()) : [];
  }

  /** The target's nodes as they are known, with what their markers cover. */
  knownNodes(): KnownNode[] {
    const { nodes } = this.#parts;
    return nodes.writers.map((writer) => ({
      nodeId: writer.nodeId ?? STANDALONE_NODE_ID,
      replicaIds: [...writer.identity.replicaIds],
      slots: nodes.slotsOf(writer),
      runId: writer.identity.runId,
      replid: writer.identity.replid,
      markerSlot: this.#marked.get(writer)?.slot ?? null,
      sentOffset: writer.sentOffset,
    }));
  }

  /** Takes the markers off the target again, behind everything sent. */
  remove(): void {
    const { run, shard, nodes, router } = this.#parts;
    this.stop();
    for (const writer of nodes.writers) writer.wrap = new PlainWrap(writer);
    for (const [name, slot] of this.#names) nodes.ofSlot(slot).wrap.own(encodeCommand(['DEL', name]), 0);
    if (nodes.cluster) {
      // All: slots of the source may have come to the shard, and gone, since it began.
      for (const slot of allSlots()) {
        nodes.ofSlot(slot).wrap.own(encodeCommand(['DEL', slotMarkerName(run, shard, slot)]), 0);
      }
      return;
    }
    const remove = encodeCommand(['DEL', slotMarkerName(run, shard, STANDALONE_MARKER_SLOT)]);
    for (const database of router.databases.seen) nodes.first.wrap.own(remove, database);
  }

  /** Markers that a node did not take away since their slot is between it and another one, which has them. */
  leftInOpenSlots(): readonly string[] {
    const { run, shard, nodes } = this.#parts;
    const barred = new Set(nodes.writers.flatMap((writer) => [...writer.replies.barred]));
    const ofNodes = [...this.#names].flatMap(([name, slot]) => (barred.has(slot) ? [name] : []));
    return [...ofNodes, ...[...barred].map((slot) => slotMarkerName(run, shard, slot))];
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Nodes to which something was sent that their markers do not cover. */
  #markNodes(): void {
    const { nodes, places } = this.#parts;
    if (!nodes.cluster || !this.#parts.flowing()) return;
    const { history } = places;
    if (history !== null) this.follow(history.replid);
    const offset = places.offsetAt(places.settledPosition);
    for (const writer of nodes.writers) {
      if (!this.#isCovered(writer)) this.#markNode(writer, offset);
    }
    nodes.flush(false);
  }

  #markNode(writer: NodeWriter, offset: number): void {
    const { run, shard } = this.#parts;
    const slot = this.#markerSlot(writer);
    if (slot === undefined || writer.nodeId === null) return;
    const name = connectionMarkerName(run, shard, slot, writer.nodeId);
    this.#names.set(name, slot);
    writer.wrap.own(encodeConnectionMarker(name, { replid: this.#replid, offset, db: 0 }), 0);
    this.#marked.set(writer, { offset, slot });
  }

  /** Everything sent to the node is behind its marker, and that was not refused. */
  #isCovered(writer: NodeWriter): boolean {
    const marked = this.#marked.get(writer);
    return marked !== undefined && marked.offset >= (writer.sentOffset ?? 0) && !writer.replies.barred.has(marked.slot);
  }

  /** A slot of the node, the same as before while that is possible: one between two nodes may refuse a new key. */
  #markerSlot(writer: NodeWriter): number | undefined {
    const { nodes, router } = this.#parts;
    const known = this.#marked.get(writer)?.slot;
    const takesKeys = (slot: number): boolean => !router.parked.has(slot) && !writer.replies.barred.has(slot);
    if (known !== undefined && nodes.ofSlot(known) === writer && takesKeys(known)) return known;
    const owned = nodes.slotsOf(writer);
    for (const { first, last } of owned) {
      for (let slot = first; slot <= last; slot++) if (takesKeys(slot)) return slot;
    }
    return owned[0]?.first;
  }
}

function allSlots(): readonly number[] {
  return Array.from({ length: SLOT_COUNT }, (_, slot) => slot);
}
