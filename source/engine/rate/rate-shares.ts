// How a rate for the whole run is shared by its shards: who has nothing to do lends its share to who is held back. Pure.

export interface ShareOf {
  /** What the shard did a second, lately. */
  readonly used: number;
  /** It was held back, and would do more. */
  readonly wants: boolean;
}

/** Room above its present use for a shard that is not held back, so that it can rise. */
const ROOM = 1.5;
/** The least share of an even part that such a shard keeps. */
const LEAST_PART = 0.1;

/** Gives each shard its part of `limit`; the parts add up to it. */
export function shareRate(limit: number, shards: readonly ShareOf[]): readonly number[] {
  const even = limit / Math.max(1, shards.length);
  const parts = shards.map(({ used, wants }) => (wants ? 0 : Math.min(even, used * ROOM + even * LEAST_PART)));
  const rest = limit - parts.reduce((sum, part) => sum + part, 0);
  const takers = shards.filter(({ wants }) => wants).length;
  if (takers === 0) return parts.map((part) => part + rest / shards.length);
  return parts.map((part, index) => (shards[index]?.wants ? rest / takers : part));
}
