// When the stream is played again: what of it has taken effect already and is passed over. A write is known by its slot
// and the offset at which its command ended (a block's: its EXEC); towards a standalone every slot is 0.
import { SLOT_COUNT } from '../topology/topology.ts';

/** A write that has not taken effect, although later ones may have. */
export interface MissingWrite {
  readonly slot: number;
  readonly offset: number;
}

export class ReplayFilter {
  /** Everything behind this offset goes: the filter has done its work. */
  readonly until: number;
  readonly #skipUntil: Float64Array;
  /** For each slot the offsets that go although they lie before its limit; ascending. */
  readonly #missing: ReadonlyMap<number, readonly number[]>;

  /**
   * @param skipUntil for each slot: writes that end at or before this offset are passed over. It is kept, not copied.
   * @param missing those among them that are not.
   */
  constructor(skipUntil: Float64Array, missing: readonly MissingWrite[]) {
    this.#skipUntil = skipUntil;
    this.until = skipUntil.reduce((most, offset) => Math.max(most, offset), Number.NEGATIVE_INFINITY);
    this.#missing = bySlot(missing);
  }

  /** Everything up to `offset` has taken effect but for `missing`; then `former` holds, where there was one. */
  static after(offset: number, missing: readonly MissingWrite[], former: ReplayFilter | null): ReplayFilter {
    if (former === null) return new ReplayFilter(new Float64Array(SLOT_COUNT).fill(offset), missing);
    return new ReplayFilter(
      former.#skipUntil.map((each) => Math.max(each, offset)),
      [...missing, ...former.missingBehind(offset)],
    );
  }

  /** What is missing behind this offset: nobody has been able to send it again. */
  missingBehind(offset: number): MissingWrite[] {
    return [...this.#missing].flatMap(([slot, offsets]) =>
      offsets.filter((each) => each > offset).map((each) => ({ slot, offset: each })),
    );
  }

  /** It is sent again behind later writes of its slot: the slot's marker does not tell whether it has taken effect. */
  isLate(slot: number, offset: number): boolean {
    return offset <= (this.#skipUntil[slot] as number);
  }

  /** How far the slot is once the write has taken effect: later ones may have before. */
  reached(slot: number, offset: number): number {
    return Math.max(offset, this.#skipUntil[slot] as number);
  }

  /** Whether the write has taken effect. */
  has(slot: number, offset: number): boolean {
    if (offset > (this.#skipUntil[slot] as number)) return false;
    const missing = this.#missing.get(slot);
    return missing === undefined || !includes(missing, offset);
  }
}

function bySlot(writes: readonly MissingWrite[]): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const { slot, offset } of writes) {
    const offsets = found.get(slot);
    if (offsets === undefined) found.set(slot, [offset]);
    else offsets.push(offset);
  }
  for (const offsets of found.values()) offsets.sort((a, b) => a - b);
  return found;
}

/** Binary search. */
function includes(sorted: readonly number[], value: number): boolean {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = sorted[middle] as number;
    if (found === value) return true;
    if (found < value) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
