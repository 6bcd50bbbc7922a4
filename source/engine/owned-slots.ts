// The slots of a source cluster that one pipeline carries. They are those that its node owned at the start, and change when
// slots move between the source's shards: not when the source says so, but when the old pipeline has let go of them.
import { normalizeSlots } from '../topology/slots.ts';
import { SLOT_COUNT, type SlotRange } from '../topology/topology.ts';

export class OwnedSlots {
  readonly #owned = new Uint8Array(SLOT_COUNT);
  /** The offset from which on each is carried: a stream that is read again shows what was before. */
  readonly #since = new Float64Array(SLOT_COUNT);

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
    for (const slot of slots) {
      this.#owned[slot] = 1;
      this.#since[slot] = offset;
    }
  }

  /** A snapshot begins, perhaps of another history: all of the slots are in it. */
  begin(): void {
    this.#since.fill(0);
  }

  lose(slots: readonly number[]): void {
    for (const slot of slots) this.#owned[slot] = 0;
  }

  get ranges(): readonly SlotRange[] {
    const slots: SlotRange[] = [];
    for (let slot = 0; slot < SLOT_COUNT; slot++) if (this.owns(slot)) slots.push({ first: slot, last: slot });
    return normalizeSlots(slots);
  }
}
