// Looks through the target for keys that the source no longer has, after a time in which nobody told what went: each is
// fetched once more, and goes from the target if the source has none. Keys of others on the target are not asked for.

import { RespBuilder } from '../../protocol/resp-builder.ts';
import { encodeCommand } from '../../protocol/resp-encode.ts';
import { slotOf } from '../../protocol/slot.ts';
import { ReplyCursor, SourceRefusal } from '../../readers/scan/reply-cursor.ts';
import { SourceLink, type SourceLinkOptions } from '../../readers/scan/source-link.ts';
import { askUsedDatabases } from '../../readers/scan/source-questions.ts';
import type { ServerDestination } from '../run/shard-job.ts';

export interface SweepOrder {
  readonly destination: ServerDestination;
  readonly source: SourceLinkOptions;
  readonly name: string;
  /** Slots of the source's node; null for every key. */
  readonly slots: ReadonlySet<number> | null;
  /** The databases of the source whose keys are in that one of the target. */
  readonly databasesOf: (target: number) => readonly number[];
  readonly isOwn: (database: number, key: Buffer) => boolean;
  /** Nobody wants it any more. */
  readonly stopped: () => boolean;
  /** A key that the source does not have. */
  readonly missing: (database: number, key: Buffer) => void;
}

const COUNT = 1000;
/** Temporary keys and markers of this program. */
const OWN_PREFIX = Buffer.from('redferry:');

/** @returns how many keys were found that the source does not have. @throws FerryError when a side can not be asked. */
export async function sweep(order: SweepOrder): Promise<number> {
  const { endpoint, topology } = order.destination;
  const source = new SourceLink(order.source);
  let found = 0;
  try {
    await source.open();
    for (const { address } of topology.shards) {
      const { tls, credentials, connectTimeoutMs } = endpoint;
      const target = new SourceLink({
        address,
        tls,
        credentials,
        connectTimeoutMs,
        clientName: `${order.name}:sweep`,
        readsReplica: false,
      });
      try {
        await target.open();
        for (const database of await askUsedDatabases(target))
          found += await sweepDatabase(order, source, target, database);
      } finally {
        target.close();
      }
    }
  } finally {
    source.close();
  }
  return found;
}

async function sweepDatabase(
  order: SweepOrder,
  source: SourceLink,
  target: SourceLink,
  database: number,
): Promise<number> {
  let found = 0;
  for (let position = '0'; !order.stopped(); ) {
    const replies = await target.ask(encodeCommand(['SCAN', position, 'COUNT', String(COUNT)]), 1, database);
    const cursor = new ReplyCursor();
    cursor.begin(replies.bytes);
    cursor.next();
    if (cursor.isError) throw new SourceRefusal(cursor.text());
    cursor.next();
    position = cursor.text();
    cursor.next();
    const keys: Buffer[] = [];
    for (let left = cursor.number; left > 0; left--) {
      cursor.next();
      const key = Buffer.from(cursor.bytes.subarray(cursor.start, cursor.end));
      if (isAskedFor(order, key)) keys.push(key);
    }
    target.release(replies);
    const sources = order.databasesOf(database);
    const [first] = sources;
    if (first !== undefined) {
      // What is in none of the databases that go to this one.
      let missing = keys.filter((key) => order.isOwn(first, key));
      for (const from of sources) missing = await missingOf(source, from, missing);
      found += missing.length;
      for (const key of missing) order.missing(first, key);
    }
    if (position === '0') break;
  }
  return found;
}

function isAskedFor({ slots }: SweepOrder, key: Buffer): boolean {
  if (key.subarray(0, OWN_PREFIX.length).equals(OWN_PREFIX)) return false;
  return slots === null || slots.has(slotOf(key, 0, key.length));
}

async function missingOf(source: SourceLink, database: number, keys: readonly Buffer[]): Promise<Buffer[]> {
  if (keys.length === 0) return [];
  const request = new RespBuilder(64 * 1024);
  for (const key of keys) request.add('EXISTS', key);
  const replies = await source.ask(request.written(), keys.length, database);
  const cursor = new ReplyCursor();
  cursor.begin(replies.bytes);
  const missing = keys.filter(() => {
    cursor.next();
    // MOVED: another shard sees to it.
    return !cursor.isError && cursor.number === 0;
  });
  source.release(replies);
  return missing;
}
