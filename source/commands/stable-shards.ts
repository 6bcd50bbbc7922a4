// A shard keeps its number for the whole migration, whatever becomes of the slots' order, and goes on with the slots that it
// had carried: those that moved on the source while nobody looked are handed over by the run itself (engine/run/source-watch.ts).
import type { Setup } from '../checkpoint/fingerprint.ts';
import type { ShardProgress } from '../checkpoint/shard-state.ts';
import type { PlannedOrigin } from '../engine/run/run-plan.ts';
import { normalizeSlots } from '../topology/slots.ts';
import type { SlotRange } from '../topology/topology.ts';

/**
 * The numbers of today's shards: those that their nodes, or replicas of them, had before; others get free ones.
 * @param now the shards as they are numbered today, by lowest slot.
 */
export function stableNumbers(now: Setup['shards'], before: Setup['shards']): ReadonlyMap<number, number> {
  const numbers = new Map<number, number>();
  const taken = new Set<number>();
  for (const { id, ids } of now) {
    const known = before.find((shard) => !taken.has(shard.id) && shard.ids.some((each) => ids.includes(each)));
    if (known === undefined) continue;
    numbers.set(id, known.id);
    taken.add(known.id);
  }
  let free = Math.max(-1, ...before.map(({ id }) => id)) + 1;
  for (const { id } of now) if (!numbers.has(id)) numbers.set(id, before.length === 0 ? id : free++);
  return numbers;
}

/**
 * The shards with the slots that each begins with.
 * @param carried by number: what a shard that goes on with its stream had carried.
 */
export function withCarriedSlots(
  origins: readonly PlannedOrigin[],
  carried: ReadonlyMap<number, ShardProgress['slots']>,
): readonly PlannedOrigin[] {
  const others = [...carried.values()].flat();
  return origins.map((planned) => {
    const { id, origin, slots } = planned;
    if (origin.kind === 'file' || origin.nodeId === null) return planned;
    const own = carried.get(id) ?? without(slots, others);
    return { id, origin: { ...origin, slots: own }, slots: own };
  });
}

export function rangesContain(ranges: readonly SlotRange[], slot: number): boolean {
  return ranges.some(({ first, last }) => first <= slot && slot <= last);
}

function without(ranges: readonly SlotRange[], others: readonly SlotRange[]): readonly SlotRange[] {
  if (others.length === 0) return ranges;
  const left: SlotRange[] = [];
  for (const { first, last } of ranges) {
    for (let slot = first; slot <= last; slot++)
      if (!rangesContain(others, slot)) left.push({ first: slot, last: slot });
  }
  return normalizeSlots(left);
}
