// Slot ranges: writing them for people, and making sure that every slot of a cluster has exactly one owner.
import { SLOT_COUNT, type SlotRange } from './topology.ts';

/** `0-5460,9000` */
export function formatSlots(ranges: readonly SlotRange[]): string {
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

/** Sorted, neighbours joined. */
export function normalizeSlots(ranges: readonly SlotRange[]): readonly SlotRange[] {
  const joined: SlotRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = joined.at(-1);
    if (before !== undefined && range.first <= before.last + 1) {
      joined[joined.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
    } else joined.push(range);
  }
  return joined;
}

/** The slots that none of these owners has. */
export function missingSlots(owners: readonly (readonly SlotRange[])[]): readonly SlotRange[] {
  const missing: SlotRange[] = [];
  let next = 0;
  for (const { first, last } of normalizeSlots(owners.flat())) {
    if (first > next) missing.push({ first: next, last: first - 1 });
    next = last + 1;
  }
  if (next < SLOT_COUNT) missing.push({ first: next, last: SLOT_COUNT - 1 });
  return missing;
}

/** A slot that more than one owner claims, or null. */
export function sharedSlot(owners: readonly (readonly SlotRange[])[]): number | null {
  let next = 0;
  for (const { first, last } of owners.flat().toSorted((a, b) => a.first - b.first)) {
    if (first < next) return first;
    next = Math.max(next, last + 1);
  }
  return null;
}
