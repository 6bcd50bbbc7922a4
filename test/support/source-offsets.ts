// How far the sources have come, asked of themselves: so a test knows at once what has to arrive, and need not wait until
// the run has read it, once a second, and told it.
import { askServer } from '../../source/demo/ask-server.ts';

/** What this needs of a shard, in the engine's picture as in a status line. */
export interface ShardPlace {
  readonly address: string;
  readonly offset: { readonly applied: number | null };
  readonly lagBytes: number | null;
  readonly queued: number;
}

/** The run has read each source's offset again, and told it, if nothing else says how far the source is. */
const TOLD_MS = 2200;

/**
 * Notes how far the sources are now; the writes must have stopped.
 * @returns whether a later picture of the shards, taken so many ms after this call, has all of it applied.
 */
export async function noteSourceOffsets(
  shards: readonly ShardPlace[],
): Promise<(shards: readonly ShardPlace[], sinceMs: number) => boolean> {
  const offsets = new Map<string, number>();
  await Promise.all(
    shards.map(async ({ address }) => {
      const offset = await offsetOf(address);
      if (offset !== null) offsets.set(address, offset);
    }),
  );
  return (later, sinceMs) =>
    later.every(({ address, offset, lagBytes, queued }) => {
      const written = offsets.get(address);
      const isThere = written !== undefined && offset.applied !== null && offset.applied >= written;
      return lagBytes === 0 && queued === 0 && (isThere || sinceMs > TOLD_MS);
    });
}

/** master_repl_offset; null of a server that does not tell it to just anybody, and of what is no server. */
async function offsetOf(address: string): Promise<number | null> {
  const colon = address.lastIndexOf(':');
  const place = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
  const info = await askServer(place, ['INFO', 'replication']).catch(() => '');
  const found = /^master_repl_offset:(\d+)/m.exec(info)?.[1];
  return found === undefined ? null : Number(found);
}
