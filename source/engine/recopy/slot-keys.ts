// Which keys are in certain slots: on a source node with the offset at which it was so, and on the target.
import type { Redis } from 'ioredis';
import { slotOf } from '../../protocol/slot.ts';
import { openControl } from '../../topology/control-connection.ts';
import type { ServerDestination } from '../run/shard-job.ts';
import type { DatabaseKey } from './watched-keys.ts';

/** More than any slot has: GETKEYSINSLOT wants a number. */
const ALL = 2 ** 31 - 1;
const SCAN_COUNT = 1000;
/** redferry's own names. */
const OWN = 'redferry:';

/** Databases that hold keys; Valkey 9 has several in a cluster. */
export async function usedDatabases(connection: Redis): Promise<readonly number[]> {
  const info = await connection.info('keyspace');
  return [...info.matchAll(/^db(\d+):keys=[1-9]/gm)].map(([, database]) => Number(database));
}

export interface SlotKeys {
  readonly keys: readonly DatabaseKey[];
  /** What ROLE answered in the same transaction. */
  readonly role: unknown;
}

/** All keys of these slots, as they were at one moment. */
export async function keysInSlots(connection: Redis, slots: readonly number[]): Promise<SlotKeys> {
  const databases = await usedDatabases(connection);
  const asked: { readonly database: number; readonly at: number }[] = [];
  const queued: Promise<unknown>[] = [connection.call('MULTI')];
  let commands = 0;
  for (const database of databases) {
    if (database !== 0 || asked.length > 0) {
      queued.push(connection.call('SELECT', database));
      commands++;
    }
    for (const slot of slots) {
      queued.push(connection.call('CLUSTER', 'GETKEYSINSLOT', slot, ALL));
      asked.push({ database, at: commands++ });
    }
  }
  queued.push(connection.call('ROLE'));
  const executed = connection.callBuffer('EXEC');
  if (databases.some((database) => database !== 0)) queued.push(connection.call('SELECT', 0));
  const [answers] = await Promise.all([executed as Promise<unknown>, ...queued]);
  const replies: readonly unknown[] = Array.isArray(answers) ? answers : [];
  return {
    keys: asked.flatMap(({ database, at }) => buffersOf(replies[at]).map((key) => ({ database, key }))),
    role: replies[commands],
  };
}

function buffersOf(reply: unknown): readonly Buffer[] {
  return Array.isArray(reply) ? reply.filter((key) => Buffer.isBuffer(key)) : [];
}

/** All keys of these slots on the target but redferry's own. Walks the whole target. @throws when a node can not be asked. */
export async function targetKeysInSlots(
  destination: ServerDestination,
  slots: ReadonlySet<number>,
): Promise<readonly DatabaseKey[]> {
  const found: DatabaseKey[] = [];
  for (const { address } of destination.topology.shards) {
    const target = await openControl(destination.endpoint, address, 'redferry:slots');
    try {
      for (const database of await usedDatabases(target)) {
        await target.select(database);
        let cursor = '0';
        do {
          const [next, keys] = await target.scanBuffer(cursor, 'COUNT', SCAN_COUNT);
          cursor = next.toString();
          for (const key of keys) {
            if (slots.has(slotOf(key, 0, key.length)) && key.toString('latin1', 0, OWN.length) !== OWN)
              found.push({ database, key });
          }
        } while (cursor !== '0');
      }
    } finally {
      target.disconnect();
    }
  }
  return found;
}
