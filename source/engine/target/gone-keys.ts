// Behind a shard's second full sync on a target that was not empty: keys that the target had as the source had them, that this
// run has not written, and that the source has deleted in the gap. They are nobody's to delete unasked: they are named.
import type { Redis } from 'ioredis';
import { openControl } from '../../topology/control-connection.ts';
import type { SlotRange } from '../../topology/topology.ts';
import type { DatabaseMap } from '../../transforms/database-map.ts';
import type { DatabaseKey } from '../recopy/watched-keys.ts';
import type { Leftovers, ServerDestination, ServerOrigin } from '../run/shard-job.ts';
import { keyInWords, printableKey } from '../shard/refusal.ts';
import { isIn } from './clear-shard.ts';
import { walkTarget } from './target-walk.ts';

/** More are counted only. */
const MOST_KEYS = 10_000;
/** More names would fill a screen. */
const MOST_NAMES = 5;

export interface GoneSearch {
  readonly origin: ServerOrigin;
  readonly destination: ServerDestination;
  readonly databases: DatabaseMap;
  /** Those that the shard carries; null for a standalone. */
  slots(): readonly SlotRange[] | null;
  /** The key of the target is one of those, as far as is known without a look at the source. */
  missed(database: number, key: Buffer): boolean;
  /** Whether to leave off. */
  stopped(): boolean;
}

export interface GoneKeys {
  readonly count: number;
  /** The first of them, with the target's database. */
  readonly keys: readonly DatabaseKey[];
}

/** @throws when a side can not be asked. */
export async function findGoneKeys({
  origin,
  destination,
  databases,
  slots,
  missed,
  stopped,
}: GoneSearch): Promise<GoneKeys> {
  const gone = new Map<string, DatabaseKey>();
  let count = 0;
  const source = await openControl(origin.endpoint, origin.address, 'redferry:gone');
  try {
    await walkTarget(destination, {
      name: 'redferry:gone',
      stopped,
      found: async (_node, database, keys) => {
        let left = keys.filter((key) => isIn(key, slots()) && missed(database, key));
        for (const from of databases.sourcesOf(database)) left = await absent(source, from, left);
        for (const key of left) {
          // SCAN may name a key twice.
          const name = `${database} ${key.toString('latin1')}`;
          if (gone.has(name)) continue;
          count++;
          if (gone.size < MOST_KEYS) gone.set(name, { database, key });
        }
      },
    });
  } finally {
    source.disconnect();
  }
  return { count, keys: [...gone.values()] };
}

async function absent(source: Redis, database: number, keys: readonly Buffer[]): Promise<Buffer[]> {
  if (keys.length === 0) return [];
  const pipeline = source.pipeline().select(database);
  for (const key of keys) pipeline.exists(key);
  const [, ...replies] = (await pipeline.exec()) ?? [];
  return keys.filter((_, i) => {
    const [error, there] = replies[i] ?? [];
    if (error) throw error;
    return there === 0;
  });
}

/** To be asked for by a database of the source, as other keys that are copied again. */
export function leftoversOf({ count, keys }: GoneKeys, databases: DatabaseMap): Leftovers {
  return {
    count,
    keys: keys.map(({ database, key }) => ({ database: databases.sourcesOf(database)[0] ?? database, key })),
  };
}

/** null when there is none. */
export function goneInWords({ count, keys }: GoneKeys): string | null {
  if (count === 0) return null;
  const named = keys.slice(0, MOST_NAMES).map(({ database, key }) => keyInWords(printableKey(key), database));
  const first = `${named.join(', ')}${count > named.length ? ', ...' : ''}`;
  return `The source has deleted ${count} keys since the last full sync that the target held before this run with the same value; they were not deleted there: ${first}. Key D on the screen or redferry ctl remove-leftovers removes them.`;
}
