// Before a shard's second full sync: takes its keys off the target, as a replica empties itself before it loads. What is
// left of the first would not only be keys that the source has deleted since; the stream would go on with their old
// elements where the source has begun new ones. Only for a target that held nothing when the run began.
import type { Redis } from 'ioredis';
import { slotOf } from '../protocol/slot.ts';
import { openControl } from '../topology/control-connection.ts';
import type { SlotRange } from '../topology/topology.ts';
import type { ServerDestination } from './shard-job.ts';

const SCAN_COUNT = 1000;
/** redferry's own names. */
const OWN = 'redferry:';

/**
 * Call it when nothing of an earlier attempt can be executed any more. The markers of the attempt go too: one that is older
 * than the new snapshot would say, after another break, that the stream is to be sent again on top of that.
 * @param slots those that the shard carries at the moment; null for a standalone.
 * @param own whose keys of redferry go as well.
 * @param stopped whether to leave off.
 * @returns how many keys of the source were removed. @throws when a node can not be asked.
 */
export async function clearShard(
  slots: () => readonly SlotRange[] | null,
  destination: ServerDestination,
  own: { readonly run: string; readonly name: string },
  stopped: () => boolean,
): Promise<number> {
  const ownNames = new RegExp(`^redferry:${literally(own.run)}:\\{[^}]*\\}:${literally(own.name)}(:|$)`);
  let removed = 0;
  for (const { address } of destination.topology.shards) {
    const target = await openControl(destination.endpoint, address, 'redferry:clear');
    try {
      // Else it would not see keys whose time has come.
      if (destination.importMode) await target.call('CLIENT', 'IMPORT-SOURCE', 'ON');
      const info = await target.info('keyspace');
      for (const [, database] of info.matchAll(/^db(\d+):keys=[1-9]/gm)) {
        if (stopped()) return removed;
        await target.select(Number(database));
        removed += await clearDatabase(target, slots, ownNames, stopped);
      }
    } finally {
      target.disconnect();
    }
  }
  return removed;
}

async function clearDatabase(
  target: Redis,
  slots: () => readonly SlotRange[] | null,
  ownNames: RegExp,
  stopped: () => boolean,
): Promise<number> {
  let cursor = '0';
  let removed = 0;
  do {
    const [next, keys] = await target.scanBuffer(cursor, 'COUNT', SCAN_COUNT);
    cursor = next.toString();
    // Anew for each page: a slot that another shard has taken over meanwhile is its own by now.
    const carried = slots();
    const own = keys.filter((key) => belongs(key, carried, ownNames));
    if (own.length === 0) continue;
    const pipeline = target.pipeline();
    // One by one: a cluster takes several keys in one command only when they share a slot.
    for (const key of own) pipeline.unlink(key);
    for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
    removed += own.filter((key) => !isOwn(key)).length;
  } while (cursor !== '0' && !stopped());
  return removed;
}

function belongs(key: Buffer, slots: readonly SlotRange[] | null, ownNames: RegExp): boolean {
  if (isOwn(key)) return ownNames.test(key.toString('latin1'));
  if (slots === null) return true;
  const slot = slotOf(key, 0, key.length);
  return slots.some(({ first, last }) => first <= slot && slot <= last);
}

function isOwn(key: Buffer): boolean {
  return key.toString('latin1', 0, OWN.length) === OWN;
}

/** The text as it stands, in a regular expression. */
function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
