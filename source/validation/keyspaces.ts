// What INFO keyspace of all nodes tells of one database: whether any key, or any field of a hash, has an expiry. One line of
// it saves a question for each key.
import type { LinkedSide } from './linked-side.ts';
import { AFTER } from './questions.ts';

const SIDES = ['source', 'target'] as const;

/** The number that the batch's database has on each side. */
export interface Databases {
  readonly source: number;
  readonly target: number;
}

/** INFO keyspace of each node. */
export interface Keyspaces {
  readonly source: readonly string[];
  readonly target: readonly string[];
}

export async function askKeyspaces({ links }: LinkedSide): Promise<string[]> {
  return Promise.all(
    links.map(async (link) => {
      const replies = await link.request([KEYSPACE], 1);
      const text = replies.bytes.toString('latin1', 0, replies.end);
      link.release(replies);
      return text;
    }),
  );
}

const KEYSPACE = Buffer.from(AFTER.keyspace, 'latin1');

/**
 * Whether any key of the database has an expiry, on either side: INFO tells in one line for a thousand keys what
 * PEXPIRETIME would tell in a thousand. A side that does not say it is asked key by key.
 */
export function mayExpire(keyspaces: Keyspaces, databases: Databases): boolean {
  return SIDES.some((side) => keyspaces[side].some((text) => keyspaceNumber(text, databases[side], 'expires') !== 0));
}

/** The same for fields of hashes: `subexpiry` of Redis 7.4, `keys_with_volatile_items` of Valkey 9. */
export function fieldsMayExpire(keyspaces: Keyspaces, databases: Databases): boolean {
  return SIDES.some((side) =>
    keyspaces[side].some(
      (text) =>
        keyspaceNumber(text, databases[side], 'subexpiry') !== 0 &&
        keyspaceNumber(text, databases[side], 'keys_with_volatile_items') !== 0,
    ),
  );
}

/** null when the line does not have it; 0 when there is no line, since the database is empty then. */
function keyspaceNumber(text: string, database: number, name: string): number | null {
  if (!text.includes('# Keyspace')) return null;
  const line = new RegExp(`^db${database}:(.*)$`, 'm').exec(text)?.[1];
  if (line === undefined) return 0;
  const value = new RegExp(`(?:^|,)${name}=(\\d+)`).exec(line)?.[1];
  return value === undefined ? null : Number(value);
}
