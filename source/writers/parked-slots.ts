// Slots that are between two nodes of the target: a block with a new key can not be executed there for as long as that
// lasts (TRYAGAIN, seen on 7.0). Their commands are passed over and noted, others go on; when the slot has one owner
// again, the stream is played again from the first of them.
import type { MissingWrite } from './replay-filter.ts';

export class ParkedSlots {
  readonly #slots = new Map<number, number[]>();
  /** Everything before this position of the source has been sent; Infinity when nothing was passed over. */
  position = Number.POSITIVE_INFINITY;

  /** How many slots are parked. */
  get size(): number {
    return this.#slots.size;
  }

  get slots(): readonly number[] {
    return [...this.#slots.keys()];
  }

  has(slot: number): boolean {
    return this.#slots.has(slot);
  }

  park(slot: number): void {
    if (!this.#slots.has(slot)) this.#slots.set(slot, []);
  }

  /**
   * Whether the write is passed over; it is noted then.
   * @param position everything before it was handed over before this write.
   */
  passOver(slot: number, offset: number, position: number): boolean {
    const offsets = this.#slots.get(slot);
    if (offsets === undefined) return false;
    if (offsets[offsets.length - 1] !== offset) offsets.push(offset);
    this.position = Math.min(this.position, position);
    return true;
  }

  /** The stream is going to be played again: gives everything that was passed over, and parks nothing. */
  release(): MissingWrite[] {
    const missing = [...this.#slots].flatMap(([slot, offsets]) => offsets.map((offset) => ({ slot, offset })));
    this.#slots.clear();
    this.position = Number.POSITIVE_INFINITY;
    return missing;
  }
}
