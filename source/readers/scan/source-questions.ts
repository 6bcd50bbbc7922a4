// Small questions to a scanned source, each over a link that nobody else uses at the time.
import { RespBuilder } from '../../protocol/resp-builder.ts';
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

const text = (cursor: ReplyCursor): string | null => (cursor.isError ? null : cursor.text());

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
  const stats = await ask(link, ['INFO', 'commandstats'], text);
  if (stats === null || !stats.includes('cmdstat_')) return null;
  const calls = (name: string): number =>
    Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
  return { flush: calls('flushall') + calls('flushdb'), swapdb: calls('swapdb') };
}

/** Databases that hold keys, 0 always among them. */
export async function askUsedDatabases(link: SourceLink): Promise<readonly number[]> {
  const info = (await ask(link, ['INFO', 'keyspace'], text)) ?? '';
  const used = [...info.matchAll(/^db(\d+):/gm)].map(([, database]) => Number(database));
  return used.includes(0) ? used : [0, ...used];
}

/** Slots that the node has and is not giving away; null where it does not say. */
export async function askOwnSlots(link: SourceLink): Promise<ReadonlySet<number> | null> {
  const nodes = await ask(link, ['CLUSTER', 'NODES'], text);
  const myself = nodes?.split('\n').find((line) => /\bmyself\b/.test(line));
  if (myself === undefined) return null;
  const slots = new Set<number>();
  for (const word of myself.trim().split(' ').slice(8)) {
    const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(word) ?? [];
    if (first === undefined) continue;
    for (let slot = Number(first); slot <= Number(last ?? first); slot++) slots.add(slot);
  }
  return slots;
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
