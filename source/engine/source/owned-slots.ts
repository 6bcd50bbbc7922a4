// The slots of a source cluster that one pipeline carries. They are those that its node owned at the start, and change when
// slots move between the source's shards: not when the source says so, but when the old pipeline has let go of them.
import { normalizeSlots } from '../../topology/slots.ts';
import { SLOT_COUNT, type SlotRange } from '../../topology/topology.ts';

export class OwnedSlots {
  readonly #owned = new Uint8Array(SLOT_COUNT);
  /** The offset from which on each is carried: a stream that is read again shows what was before. */
  readonly #since = new Float64Array(SLOT_COUNT);
  /** The last of these offsets, and the ranges of all that are owned; null after a change. */
  #latest = 0;
  #settled: readonly SlotRange[] | null = null;

  constructor(ranges: readonly SlotRange[]) {
    for (const { first, last } of ranges) this.#owned.fill(1, first, last + 1);
  }

  owns(slot: number): boolean {
    return this.#owned[slot] === 1;
  }

  /** Whether a command of the slot that ends at this offset is this pipeline's. */
  carries(slot: number, endOffset: number): boolean {
    return this.#owned[slot] === 1 && endOffset > (this.#since[slot] as number);
  }

  /** @param offset commands that end up to here are in what was copied of the slots. */
  take(slots: readonly number[], offset: number): void {
    this.#latest = Math.max(this.#latest, offset);
    this.#settled = null;
    for (const slot of slots) {
      this.#owned[slot] = 1;
      this.#since[slot] = offset;
    }
  }

  /** A snapshot begins, perhaps of another history: all of the slots are in it. */
  begin(): void {
    this.#since.fill(0);
    this.#latest = 0;
  }

  lose(slots: readonly number[]): void {
    this.#settled = null;
    for (const slot of slots) this.#owned[slot] = 0;
  }

  /** Those that are carried from before this offset on: what was copied of them is on the target when it stands there. */
  rangesAt(offset: number): readonly SlotRange[] {
    // Asked for several times a second, and nothing changes for days.
    if (offset <= this.#latest) return this.#rangesOf((slot) => this.owns(slot) && this.#isHere(slot, offset));
    this.#settled ??= this.ranges;
    return this.#settled;
  }

  /** Since the beginning, or since what was copied of it has been answered for. */
  #isHere(slot: number, offset: number): boolean {
    const since = this.#since[slot] as number;
    return since === 0 || since < offset;
  }

  get ranges(): readonly SlotRange[] {
    return this.#rangesOf((slot) => this.owns(slot));
  }

  #rangesOf(belongs: (slot: number) => boolean): readonly SlotRange[] {
    const slots: SlotRange[] = [];
    for (let slot = 0; slot < SLOT_COUNT; slot++) if (belongs(slot)) slots.push({ first: slot, last: slot });
    return normalizeSlots(slots);
  }
}
