// One database of one node as the sampler draws from it: SCAN with any cursor, and what is known of the node's tables.

import { lazyKeys, scanBatch, scanCommand } from './key-batch.ts';
import { countKeys, EVERY_KEY, isPicky, type KeyScope } from './key-scope.ts';
import { keySlot } from './key-slot.ts';
import type { LinkedSide } from './linked-side.ts';
import type { KeySource, ScanWindow } from './sampler.ts';
import { count, text } from './side.ts';
import type { StratumPlace } from './strata.ts';

const SLOTS = 16_384;
/** Slots whose beginning is tried to find out in which order the node's table is. */
const PROBES = 8;
/** INFO names these products; their cursors are no places in a hash table. */
const OTHER_PRODUCTS = /dragonfly|kvrocks|garnet|pika|tendis|predixy|twemproxy|envoy/i;

/** Draws only keys in scope; those of one type where the server is 6.0 or newer. */
export async function sampleSource(
  { side, links }: LinkedSide,
  place: StratumPlace,
  scope: KeyScope = EVERY_KEY,
): Promise<KeySource> {
  const node = side.nodes[place.node];
  const link = links[place.node];
  if (node === undefined || link === undefined) throw new RangeError(`there is no node ${place.node}`);
  const { database } = place;
  const scan = async (cursors: readonly string[], windowCount: number): Promise<ScanWindow[]> => {
    const commands = cursors.map((cursor) => scanCommand(cursor, windowCount, scope));
    const replies = await link.request(commands, cursors.length, { database });
    const windows: ScanWindow[] = [];
    // The buffer is not given back: the keys are views into it.
    for (let at = 0; windows.length < cursors.length; ) {
      const { cursor, batch, end } = scanBatch(replies, at);
      windows.push({ cursor, keys: lazyKeys(batch) });
      at = end;
    }
    return windows;
  };
  const slotCounts = async (): Promise<Uint32Array | null> => {
    if (!side.cluster) return null;
    const replies = await node.batch(Array.from({ length: SLOTS }, (_, slot) => ['CLUSTER', 'COUNTKEYSINSLOT', slot]));
    const counts = Uint32Array.from(replies, (reply) => count(reply));
    return (await inOrderOfSlots(counts, scan)) ? counts : null;
  };
  const server = text(await node.call(['INFO', 'server']));
  const takesAnyCursor =
    /^redis_version:/m.test(server) && /^redis_mode:/m.test(server) && !OTHER_PRODUCTS.test(server);
  const drawn = { keys: place.keys, scan, slotCounts, takesAnyCursor };
  // Markers, leases and the like: only a target has them in any number, and only INFO counts them with the others.
  const holdsOwn = place.side === 'target' && !isPicky(scope);
  return holdsOwn ? { ...drawn, ownKeys: async () => (await countKeys(link, database, scope)).own } : drawn;
}

/** Whether the low bits of a cursor are a slot: then SCAN from there begins with that slot's keys. */
async function inOrderOfSlots(counts: Uint32Array, scan: KeySource['scan']): Promise<boolean> {
  const filled: number[] = [];
  for (let slot = 0; slot < counts.length; slot++) if ((counts[slot] as number) > 0) filled.push(slot);
  if (filled.length === 0) return false;
  const step = Math.max(1, Math.floor(filled.length / PROBES));
  const tried = filled.filter((_, index) => index % step === 0).slice(0, PROBES);
  const windows = await scan(tried.map(String), 1);
  const hits = windows.filter(({ keys }, index) => {
    const first = keys.at(0);
    return first !== undefined && keySlot(first) === tried[index];
  });
  return hits.length > tried.length / 2;
}
