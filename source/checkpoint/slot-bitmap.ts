// A set of slots in 2 KB: those of which a marker stands on the target, so that its absence means something.
import { SLOTS } from '../protocol/slot.ts';

const BYTES = SLOTS / 8;

export class SlotBitmap {
  readonly #bits = new Uint8Array(BYTES);

  /** Reads what `toBase64` gave; null when it is something else. */
  static fromBase64(text: string): SlotBitmap | null {
    const bytes = Buffer.from(text, 'base64');
    if (bytes.length !== BYTES) return null;
    const bitmap = new SlotBitmap();
    bitmap.#bits.set(bytes);
    return bitmap;
  }

  static of(slots: Iterable<number>): SlotBitmap {
    const bitmap = new SlotBitmap();
    for (const slot of slots) bitmap.add(slot);
    return bitmap;
  }

  has(slot: number): boolean {
    return ((this.#bits[slot >> 3] as number) & (1 << (slot & 7))) !== 0;
  }

  add(slot: number): void {
    this.#bits[slot >> 3] = (this.#bits[slot >> 3] as number) | (1 << (slot & 7));
  }

  addAll(other: SlotBitmap): void {
    for (let i = 0; i < BYTES; i++) this.#bits[i] = (this.#bits[i] as number) | (other.#bits[i] as number);
  }

  clear(): void {
    this.#bits.fill(0);
  }

  copy(): SlotBitmap {
    const copy = new SlotBitmap();
    copy.#bits.set(this.#bits);
    return copy;
  }

  /** Lowest first. */
  *slots(): Generator<number> {
    for (let slot = 0; slot < SLOTS; slot++) if (this.has(slot)) yield slot;
  }

  toBase64(): string {
    return Buffer.from(this.#bits).toString('base64');
  }
}
