// Where a stream is taken up again, and what of it is passed over, from what was found after the fence. Pure. It rests on
// what the writers keep:
// - Order within a slot is the source's, across redirections too, and a slot's marker is set in one MULTI with each wrapped
//   command: everything of the slot at or below it has taken effect, bare commands as well. But for a slot that is between two
//   nodes: there a command is refused for a key that has gone already, and the next one takes effect. What was refused is known
//   from its reply; of what was not answered nobody can say it.
// - A connection's marker says up to where everything had been applied on all nodes when it was written (not what had been
//   sent): a node that holds one holds everything of its slots up to it, however much it has lost behind. Before anything
//   is played again it is set back to where that begins: a replay in part is older than what was there.
// - Bare commands may be played again from anywhere, as long as no wrapped one of their slot lies behind (replay-class.ts).
import { SLOTS } from '../protocol/slot.ts';
import type { SlotRange } from '../topology/topology.ts';
import { countsFor, type Marker, type SourceHistory } from './marker.ts';
import type { ConnectionMarker } from './read-markers.ts';
import type { KnownNode, RecopiedSlots, ShardProgress, StoredShard } from './shard-state.ts';

/** A master of the target as it is now. */
export interface NodeNow {
  readonly nodeId: string;
  readonly runId: string | null;
  readonly replid: string | null;
  readonly slots: readonly SlotRange[];
}

/** What a plan needs of how far a shard had come. */
export interface KnownProgress {
  readonly progress: Pick<ShardProgress, 'phase' | 'offset' | 'db' | 'nodes'> & {
    readonly source: Pick<ShardProgress['source'], 'replid'>;
  };
  readonly markedSlots: StoredShard['markedSlots'];
  readonly recopied: StoredShard['recopied'];
}

export interface ResumeFindings {
  readonly stored: KnownProgress;
  /** Of the source now. */
  readonly history: SourceHistory;
  /** The source can continue behind this offset and all later ones (repl_backlog_first_byte_offset - 1). */
  readonly earliestOffset: number;
}

export interface ClusterFindings extends ResumeFindings {
  /** Together they own all slots. */
  readonly nodes: readonly NodeNow[];
  /** Read where the checkpoint says: each known node's name in its `markerSlot`, on the node that has that slot now. */
  readonly connectionMarkers: readonly ConnectionMarker[];
  readonly slotMarkers: ReadonlyMap<number, Marker>;
  /** Between two nodes now. */
  readonly openSlots: ReadonlySet<number>;
  /** For each slot the ends of what was sent and not answered, ascending; null: not known, it was another process. */
  readonly unanswered: ReadonlyMap<number, readonly number[]> | null;
}

export interface StandaloneFindings extends ResumeFindings {
  /** From all databases. */
  readonly markers: readonly Marker[];
}

/** The stream goes on. */
export interface ContinuePlan {
  readonly kind: 'continue';
  /** Ask the source for what follows this byte. */
  readonly startOffset: number;
  /** Its database in force there. */
  readonly db: number;
  /**
   * For each slot: commands that end at or before this offset have taken effect and are passed over, whatever they are;
   * Infinity for slots to be copied again, until that is done. Empty for a standalone, where nothing is passed over.
   */
  readonly skipUntil: Float64Array;
  /**
   * Slots of which nobody can say how far they are; lowest first. They are made known to ShardStateStore.recopy before
   * anything is sent, and each gets a marker at `startOffset` or behind it when all of it has been copied.
   */
  readonly recopySlots: readonly number[];
  /** What is out of the ordinary, a sentence each. */
  readonly reasons: readonly string[];
}

export type ResumePlan = ContinuePlan | { readonly kind: 'full-sync'; readonly reasons: readonly string[] };

/** How far something is for certain, and the database in force there. */
interface Place {
  readonly offset: number;
  readonly db: number;
}

/** The plan for a cluster. */
export function planClusterResume(findings: ClusterFindings): ResumePlan {
  const checkpoint = checkpointOf(findings);
  if (typeof checkpoint === 'string') return { kind: 'full-sync', reasons: [checkpoint] };
  return new ClusterPlanner(findings, checkpoint).plan();
}

/**
 * The plan for a standalone: its one marker stands in the same MULTI as every block of commands, so it alone says where to
 * go on, whatever the checkpoint says.
 */
export function planStandaloneResume(findings: StandaloneFindings): ResumePlan {
  const { history, earliestOffset } = findings;
  const checkpoint = checkpointOf(findings);
  if (typeof checkpoint === 'string') return { kind: 'full-sync', reasons: [checkpoint] };
  const marker = findings.markers
    .filter((each) => countsFor(each, history))
    .reduce<Marker | null>((best, each) => (best === null || each.offset > best.offset ? each : best), null);
  if (marker === null) {
    return { kind: 'full-sync', reasons: ['the target has lost the marker of this run, and with it perhaps more'] };
  }
  if (marker.offset < earliestOffset) {
    return { kind: 'full-sync', reasons: [tooOld(`the target stands at ${marker.offset}`, earliestOffset)] };
  }
  const reasons =
    marker.offset < checkpoint.offset
      ? [`the target fell back from ${checkpoint.offset} to ${marker.offset}; what it lost is sent again`]
      : [];
  return {
    kind: 'continue',
    startOffset: marker.offset,
    db: marker.db,
    skipUntil: new Float64Array(0),
    recopySlots: [],
    reasons,
  };
}

/** What the stored state says of the stream, or why it can not be continued. */
function checkpointOf({ stored, history, earliestOffset }: ResumeFindings): Place | string {
  const { phase, offset, db, source } = stored.progress;
  if (phase === 'copying' || offset === null || source.replid === null) return 'its snapshot was not finished';
  if (!countsFor({ replid: source.replid, offset }, history)) {
    return `the source has another history than at ${offset}: it was restarted, replaced, or failed over behind us`;
  }
  if (offset < earliestOffset) return tooOld(`it stands at ${offset}`, earliestOffset);
  return { offset, db };
}

function tooOld(what: string, earliestOffset: number): string {
  return `${what}, and the source's backlog goes back to ${earliestOffset} only`;
}

class ClusterPlanner {
  readonly #findings: ClusterFindings;
  readonly #checkpoint: Place;
  readonly #reasons: string[] = [];
  /** What each node was at the checkpoint; null: no part of the target. */
  readonly #known: ReadonlyMap<NodeNow, KnownNode | null>;
  /** For each node how far it is; null: unknown. */
  readonly #places = new Map<NodeNow, Place | null>();

  constructor(findings: ClusterFindings, checkpoint: Place) {
    this.#findings = findings;
    this.#checkpoint = checkpoint;
    this.#known = new Map(findings.nodes.map((node) => [node, this.#knownAs(node)]));
  }

  plan(): ResumePlan {
    const { stored, history, nodes, slotMarkers, earliestOffset } = this.#findings;
    for (const node of nodes) this.#places.set(node, this.#placeOf(node));
    const holders = ownersOf(nodes);
    const formers = ownersOf(stored.progress.nodes);
    const leastMarkers = leastMarkersOf(stored.recopied);
    const skipUntil = new Float64Array(SLOTS).fill(Number.POSITIVE_INFINITY);
    const recopySlots: number[] = [];
    let start = this.#checkpoint;
    let missing = 0;
    let unknown = 0;
    let tooFarBack = 0;
    let disordered = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      const found = slotMarkers.get(slot);
      const marker = found !== undefined && countsFor(found, history) ? found : null;
      const place = later(marker, this.#placeOfSlot(holders[slot] ?? null, formers[slot] ?? null));
      if (marker === null ? stored.markedSlots.has(slot) : marker.offset < (leastMarkers[slot] as number)) missing++;
      else if (place === null) unknown++;
      else if (place.offset < earliestOffset) tooFarBack++;
      else if (marker !== null && this.#mayHide(slot, marker, holders[slot], formers[slot])) disordered++;
      else {
        skipUntil[slot] = place.offset;
        if (place.offset < start.offset) start = place;
        continue;
      }
      recopySlots.push(slot);
    }
    if (missing > 0) this.#reasons.push(`${count(missing)} lost the marker that should be there, or their copy`);
    if (unknown > 0) this.#reasons.push(`${count(unknown)} moved or came back without a trace of how far they are`);
    if (tooFarBack > 0) this.#reasons.push(`${count(tooFarBack)} fell back behind the source's backlog`);
    // A copy of the slot alone would not do: what it replaces has a later marker, and may come back with it.
    if (disordered > 0) {
      return { kind: 'full-sync', reasons: [`${count(disordered)} moved while writes to them were under way`] };
    }
    return {
      kind: 'continue',
      startOffset: start.offset,
      db: start.db,
      skipUntil,
      recopySlots,
      reasons: this.#reasons,
    };
  }

  /** Whether a write before the marker may have been refused, as the slot was between two nodes, and nobody has read it. */
  #mayHide(slot: number, marker: Marker, holder: NodeNow | undefined, former: KnownNode | undefined): boolean {
    const { openSlots, unanswered } = this.#findings;
    const stayed = holder !== undefined && former !== undefined && this.#known.get(holder) === former;
    if (stayed && !openSlots.has(slot)) return false;
    if (unanswered === null) return marker.offset > this.#checkpoint.offset;
    // A single one is the marker's own.
    return (unanswered.get(slot) ?? []).filter((offset) => offset <= marker.offset).length > 1;
  }

  /** How far everything is that was on the node, or on the one it succeeded, at the checkpoint; never beyond that. */
  #placeOf(node: NodeNow): Place | null {
    const known = this.#known.get(node) ?? null;
    if (known === null) return null;
    const marker = this.#markerOf(node, known);
    // Unbroken, or with nothing of ours to lose, or with the marker behind the last thing that was sent.
    const whole =
      isUnbroken(known, node) || known.sentOffset === null || (marker !== null && marker.offset >= known.sentOffset);
    // No further, whatever the marker says: a slot may have been elsewhere at that time, and have lost something there.
    if (whole) return this.#checkpoint;
    const name = node.nodeId.slice(0, 8);
    this.#reasons.push(
      marker === null
        ? `node ${name} came back without the marker of this run`
        : `node ${name} fell back from ${this.#checkpoint.offset} to ${marker.offset}`,
    );
    return marker;
  }

  /** The node in the checkpoint: itself, or the one that it was a replica of and that is no master any more. */
  #knownAs(node: NodeNow): KnownNode | null {
    const { stored, nodes } = this.#findings;
    const itself = stored.progress.nodes.find((known) => known.nodeId === node.nodeId);
    if (itself !== undefined) return itself;
    const former = stored.progress.nodes.find((known) => known.replicaIds.includes(node.nodeId));
    return former === undefined || nodes.some(({ nodeId }) => nodeId === former.nodeId) ? null : former;
  }

  /**
   * The node's connection marker under the name that the checkpoint knows. Others came with a slot and speak of another
   * node, or are left from before a failover, and nobody has set them back since.
   */
  #markerOf(node: NodeNow, known: KnownNode): Marker | null {
    const { connectionMarkers, history } = this.#findings;
    const found = connectionMarkers.find(
      ({ holderNodeId, namedNodeId }) => holderNodeId === node.nodeId && namedNodeId === known.nodeId,
    );
    return found !== undefined && countsFor(found.marker, history) ? found.marker : null;
  }

  /** How far a slot is by the node that had it at the checkpoint, its marker aside. */
  #placeOfSlot(holder: NodeNow | null, former: KnownNode | null): Place | null {
    if (holder === null || former === null) return null;
    const known = this.#known.get(holder) ?? null;
    if (known === former) return this.#places.get(holder) ?? null;
    // It moved while nobody looked. The new holder must not have lost it again since.
    if (known === null || !isUnbroken(known, holder)) return null;
    for (const [node, place] of this.#places) if (this.#known.get(node) === former) return place;
    return null;
  }
}

/** Neither restarted nor, in the meantime, a replica of another: it has everything it ever said OK to. */
function isUnbroken(known: KnownNode, node: NodeNow): boolean {
  return (
    known.nodeId === node.nodeId &&
    known.runId !== null &&
    known.runId === node.runId &&
    known.replid !== null &&
    known.replid === node.replid
  );
}

/**
 * For each slot the least offset of its marker, if it has been copied again: before the copy it may have had an older one,
 * and a fall back may bring that to light again.
 */
function leastMarkersOf(recopied: readonly RecopiedSlots[]): Float64Array {
  const least = new Float64Array(SLOTS);
  for (const { offset, slots } of recopied) {
    for (const slot of slots.slots()) least[slot] = Math.max(least[slot] as number, offset);
  }
  return least;
}

function later(a: Place | null, b: Place | null): Place | null {
  if (a === null || b === null) return a ?? b;
  return b.offset > a.offset ? b : a;
}

function ownersOf<T extends { readonly slots: readonly SlotRange[] }>(nodes: readonly T[]): (T | undefined)[] {
  const owners: (T | undefined)[] = new Array(SLOTS);
  for (const node of nodes) for (const { first, last } of node.slots) owners.fill(node, first, last + 1);
  return owners;
}

function count(slots: number): string {
  return slots === 1 ? '1 slot' : `${slots} slots`;
}
