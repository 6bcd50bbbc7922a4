// Small questions to a scanned source, each over a link that nobody else uses at the time.
import { RespBuilder } from '../../protocol/resp-builder.ts';
import type { OpenSlot } from '../../topology/cluster-node.ts';
import { parseClusterNodes } from '../../topology/cluster-nodes.ts';
import { ReplyCursor } from './reply-cursor.ts';
import type { SourceLink } from './source-link.ts';

const MOST_KEYS_OF_SLOT = 1_000_000;

async function ask<T>(
  link: SourceLink,
  command: readonly (string | number)[],
  read: (cursor: ReplyCursor) => T,
): Promise<T> {
  const request = new RespBuilder(256);
  request.add(...command);
  const replies = await link.ask(request.written(), 1, 0);
  const cursor = new ReplyCursor();
  cursor.begin(replies.bytes);
  cursor.next();
  const answer = read(cursor);
  link.release(replies);
  return answer;
}

const textOf = (cursor: ReplyCursor): string | null => (cursor.isError ? null : cursor.text());

/** notify-keyspace-events as it is; null where it may not be read. */
export function askFlags(link: SourceLink): Promise<string | null> {
  return ask(link, ['CONFIG', 'GET', 'notify-keyspace-events'], (cursor) => {
    if (cursor.isError || cursor.number < 2) return null;
    cursor.next();
    cursor.next();
    return cursor.text();
  });
}

/** How often the source has run these commands; null where it does not say. */
export async function askFlushes(
  link: SourceLink,
): Promise<{ readonly flush: number; readonly swapdb: number } | null> {
  const stats = await ask(link, ['INFO', 'commandstats'], textOf);
  if (stats === null || !stats.includes('cmdstat_')) return null;
  const calls = (name: string): number =>
    Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
  return { flush: calls('flushall') + calls('flushdb'), swapdb: calls('swapdb') };
}

/** Databases that hold keys, 0 always among them. */
export async function askUsedDatabases(link: SourceLink): Promise<readonly number[]> {
  const info = (await ask(link, ['INFO', 'keyspace'], textOf)) ?? '';
  const used = [...info.matchAll(/^db(\d+):/gm)].map(([, database]) => Number(database));
  return used.includes(0) ? used : [0, ...used];
}

export interface NodeSlots {
  /** Of a replica those of its master. */
  readonly own: ReadonlySet<number>;
  /** On their way to the node and away from it. Only a master tells, and only of its own. */
  readonly arriving: ReadonlySet<number>;
  readonly leaving: ReadonlySet<number>;
}

/** Which slots the node has; null where it does not say. @throws FerryError when what it says can not be read. */
export async function askSlots(link: SourceLink): Promise<NodeSlots | null> {
  const text = await ask(link, ['CLUSTER', 'NODES'], textOf);
  const myId = text
    ?.split('\n')
    .find((line) => /\bmyself\b/.test(line))
    ?.split(' ')[0];
  const nodes = text === null || myId === undefined ? [] : parseClusterNodes(text);
  const me = nodes.find(({ id }) => id === myId);
  if (me === undefined) return null;
  const owner = nodes.find(({ id }) => id === (me.masterId ?? me.id)) ?? me;
  const own = new Set<number>();
  for (const { first, last } of owner.slots) for (let slot = first; slot <= last; slot++) own.add(slot);
  const open = (direction: OpenSlot['direction']): Set<number> =>
    new Set(me.openSlots.flatMap((one) => (one.direction === direction ? [one.slot] : [])));
  return { own, arriving: open('importing'), leaving: open('migrating') };
}

/** Every key of these slots. */
export async function askKeysOfSlots(
  link: SourceLink,
  slots: readonly number[],
  give: (bytes: Buffer, start: number, length: number) => void,
): Promise<void> {
  for (const slot of slots) {
    await ask(link, ['CLUSTER', 'GETKEYSINSLOT', slot, MOST_KEYS_OF_SLOT], (cursor) => {
      const count = cursor.isError ? 0 : cursor.number;
      for (let i = 0; i < count; i++) {
        cursor.next();
        give(cursor.bytes, cursor.start, cursor.end - cursor.start);
      }
    });
  }
}
