// Before a shard's second full sync: takes its keys off the target, as a replica empties itself before it loads. What is
// left of the first would not only be keys that the source has deleted since; the stream would go on with their old
// elements where the source has begun new ones. What the target held before the run, and the run has not written, stays.
import type { Redis } from 'ioredis';
import { slotOf } from '../../protocol/slot.ts';
import type { SlotRange } from '../../topology/topology.ts';
import type { ServerDestination } from '../run/shard-job.ts';
import { isRedferrys, walkTarget } from './target-walk.ts';

export interface Clearing {
  /** Those that the shard carries at the moment; null for a standalone. */
  slots(): readonly SlotRange[] | null;
  /** Whose keys of redferry go as well. */
  readonly own: { readonly run: string; readonly name: string };
  /** The key is somebody else's, and not to be touched. */
  spared(database: number, key: Buffer): boolean;
  /** Whether to leave off. */
  stopped(): boolean;
}

/**
 * Call it when nothing of an earlier attempt can be executed any more. The markers of the attempt go too: one that is older
 * than the new snapshot would say, after another break, that the stream is to be sent again on top of that.
 * @returns how many keys of the source were removed. @throws when a node can not be asked.
 */
export async function clearShard(destination: ServerDestination, clearing: Clearing): Promise<number> {
  const { own, spared, stopped } = clearing;
  const ownNames = new RegExp(`^redferry:${literally(own.run)}:\\{[^}]*\\}:${literally(own.name)}(:|$)`);
  let removed = 0;
  await walkTarget(destination, {
    name: 'redferry:clear',
    stopped,
    found: async (node, database, keys) => {
      // Anew for each page: a slot that another shard has taken over meanwhile is its own by now.
      const slots = clearing.slots();
      const markers = keys.filter((key) => isRedferrys(key) && ownNames.test(key.toString('latin1')));
      const copied = keys.filter((key) => !isRedferrys(key) && isIn(key, slots) && !spared(database, key));
      await unlink(node, [...markers, ...copied]);
      removed += copied.length;
    },
  });
  return removed;
}

async function unlink(node: Redis, keys: readonly Buffer[]): Promise<void> {
  if (keys.length === 0) return;
  const pipeline = node.pipeline();
  // One by one: a cluster takes several keys in one command only when they share a slot.
  for (const key of keys) pipeline.unlink(key);
  for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
}

/** @param slots of a cluster's shard; null for a standalone, which has all keys. */
export function isIn(key: Buffer, slots: readonly SlotRange[] | null): boolean {
  if (slots === null) return true;
  const slot = slotOf(key, 0, key.length);
  return slots.some(({ first, last }) => first <= slot && slot <= last);
}

/** The text as it stands, in a regular expression. */
function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
