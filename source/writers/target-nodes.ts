// The connections of one source shard to all target nodes, and which of them a slot belongs to. The pipeline owns them:
// nobody else writes through them, so the order of its commands to one node is the order on the wire.
import { SLOT_COUNT, type SlotRange, type Topology } from '../topology/topology.ts';
import type { BatchKind } from './batch.ts';
import type { NodeWriter } from './node-writer.ts';

export class TargetNodes {
  readonly cluster: boolean;
  readonly #writers: NodeWriter[] = [];
  readonly #ofSlot: Uint16Array;

  /** @param writers one for each shard of the topology, in its order. */
  constructor(topology: Topology, writers: readonly NodeWriter[]) {
    this.cluster = topology.kind === 'cluster';
    this.#ofSlot = new Uint16Array(this.cluster ? SLOT_COUNT : 0);
    this.replace(topology, writers);
  }

  /** Others are the target's nodes from now on. */
  replace(topology: Topology, writers: readonly NodeWriter[]): void {
    if (writers.length === 0) throw new RangeError('a target has at least one node');
    this.#writers.splice(0, this.#writers.length, ...writers);
    if (!this.cluster) return;
    topology.shards.forEach((shard, index) => {
      for (const { first: low, last: high } of shard.slots) this.#ofSlot.fill(index, low, high + 1);
    });
  }

  /** The only writer of a standalone target. */
  get first(): NodeWriter {
    return this.#writers[0] as NodeWriter;
  }

  get writers(): readonly NodeWriter[] {
    return this.#writers;
  }

  /** The writer to that node; null when there is none yet. */
  at(address: string): NodeWriter | null {
    return this.#writers.find((writer) => writer.address === address) ?? null;
  }

  /** Another node owns the slot from now on. */
  assign(slot: number, writer: NodeWriter): void {
    let index = this.#writers.indexOf(writer);
    if (index < 0) index = this.#writers.push(writer) - 1;
    this.#ofSlot[slot] = index;
  }

  /** Of a cluster: the slots that are sent to the writer's node, lowest first. */
  slotsOf(writer: NodeWriter): SlotRange[] {
    const index = this.#writers.indexOf(writer);
    const ranges: SlotRange[] = [];
    for (let slot = 0; slot < this.#ofSlot.length; slot++) {
      if (this.#ofSlot[slot] !== index) continue;
      const first = slot;
      while (slot + 1 < this.#ofSlot.length && this.#ofSlot[slot + 1] === index) slot++;
      ranges.push({ first, last: slot });
    }
    return ranges;
  }

  /** Of a cluster: the number of the node that owns the slot. */
  indexOfSlot(slot: number): number {
    return this.#ofSlot[slot] as number;
  }

  /** Of a cluster: the node that owns the slot. */
  ofSlot(slot: number): NodeWriter {
    return this.#writers[this.#ofSlot[slot] as number] as NodeWriter;
  }

  /** No node takes more for now: one that is full stops all, since the source's order is one. */
  get saturated(): boolean {
    for (const writer of this.#writers) if (writer.saturated) return true;
    return false;
  }

  get idle(): boolean {
    for (const writer of this.#writers) if (!writer.idle) return false;
    return true;
  }

  get inFlightBytes(): number {
    let sum = 0;
    for (const writer of this.#writers) sum += writer.inFlightBytes;
    return sum;
  }

  /** Everything before this position has taken effect on every node. */
  get settledPosition(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const writer of this.#writers) least = Math.min(least, writer.settledPosition);
    return least;
  }

  /** Why a node takes nothing, or null. */
  get waiting(): string | null {
    for (const writer of this.#writers) if (writer.waiting !== null) return writer.waiting;
    return null;
  }

  setKind(kind: BatchKind): void {
    for (const writer of this.#writers) writer.setKind(kind);
  }

  flush(now: boolean): void {
    for (const writer of this.#writers) writer.flush(now);
  }

  destroy(): void {
    for (const writer of this.#writers) writer.destroy();
  }
}
