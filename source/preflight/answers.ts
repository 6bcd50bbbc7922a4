// The three shapes of an answer, and what several checks ask.
import type { Redis } from 'ioredis';
import type { Answer, PreflightSide } from './check.ts';

export const ok = (evidence: string, remedy = ''): Answer => ({ verdict: 'ok', evidence, remedy });
export const warn = (evidence: string, remedy: string): Answer => ({ verdict: 'warn', evidence, remedy });
export const refuse = (evidence: string, remedy: string): Answer => ({ verdict: 'refuse', evidence, remedy });

/** Keys of each database over all nodes of a side, lowest database first. */
export function keysByDatabase(side: PreflightSide): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { info } of side.nodes) {
    for (const { database, keys } of info.databases()) counts.set(database, (counts.get(database) ?? 0) + keys);
  }
  return new Map([...counts].sort(([a], [b]) => a - b));
}

/** A setting of the server; null where it is not known or must not be read. */
export async function configValue(connection: Redis, name: string): Promise<string | null> {
  try {
    const reply: unknown = await connection.call('CONFIG', 'GET', name);
    const value: unknown = Array.isArray(reply) ? reply[1] : null;
    return typeof value === 'string' ? value : null;
  } catch {
    return null;
  }
}

/** `limited`: the command itself is allowed, but not on every key. `unknown`: the server cannot be asked. */
export type Right = 'allowed' | 'limited' | 'denied' | 'unknown';

/** Whether `user` may run a command, by ACL DRYRUN (7.0 and newer). */
export async function rightTo(connection: Redis, user: string, command: readonly string[]): Promise<Right> {
  try {
    const reply: unknown = await connection.call('ACL', 'DRYRUN', user, ...command);
    if (reply === 'OK') return 'allowed';
    return /access .*\bkey/i.test(String(reply)) ? 'limited' : 'denied';
  } catch {
    return 'unknown';
  }
}
