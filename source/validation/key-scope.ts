// Which keys a comparison is about, where a run copies only some of them (the scan reader's databases, match and type).
import { targetOf } from './database-numbers.ts';
import { scanBatch, scanCommand } from './key-batch.ts';
import type { ReplyLink } from './reply-link.ts';
import type { CompareSide } from './side.ts';

export interface KeyScope {
  /** Of the source; null is all. */
  readonly databases: readonly number[] | null;
  /** Glob of SCAN MATCH; null is every name. */
  readonly match: string | null;
  /** Of SCAN TYPE; null is every type. */
  readonly type: string | null;
}

export const EVERY_KEY: KeyScope = { databases: null, match: null, type: null };

/** What is left out has to be counted, and drawn, by a walk: no server knows how many keys match. */
export function isPicky({ match, type }: KeyScope): boolean {
  return match !== null || type !== null;
}

/** What is left out, for the reader of a verdict; null where nothing is. */
export function scopeNote({ databases, match, type }: KeyScope): string | null {
  const parts = [
    databases === null ? '' : ` of databases ${databases.join(', ')}`,
    match === null ? '' : ` that match ${match}`,
    type === null ? '' : ` of type ${type}`,
  ].join('');
  return parts === '' ? null : `Only keys${parts} were compared: those that are copied.`;
}

/** Whether a database of that side is compared. */
export function hasDatabase(
  { databases }: KeyScope,
  side: 'source' | 'target',
  database: number,
  target: CompareSide,
): boolean {
  if (databases === null) return true;
  return databases.some((from) => (side === 'source' ? from : targetOf(target.databases, from)) === database);
}

/** COUNT of a walk that only counts. */
const COUNT_WINDOW = 1000;

/** Walks over the names of one database: how many are in scope, and how many in it are redferry's own. */
export async function countKeys(
  link: ReplyLink,
  database: number,
  scope: KeyScope,
): Promise<{ readonly keys: number; readonly own: number }> {
  let keys = 0;
  let own = 0;
  let cursor = '0';
  do {
    const replies = await link.request([scanCommand(cursor, COUNT_WINDOW, scope)], 1, { database });
    const window = scanBatch(replies);
    keys += window.batch.count;
    own += window.own;
    cursor = window.cursor;
    link.release(replies);
  } while (cursor !== '0');
  return { keys, own };
}
