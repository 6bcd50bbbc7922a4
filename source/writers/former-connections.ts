// Ends what an earlier connection of ours has left at a target: commands in its socket's buffer would still be executed, in
// the middle of what the new connection writes (seen on 7.0 and Valkey 8.1: a replay beside it doubled increments).
import type { Connection } from '../protocol/connection.ts';

/**
 * Kills the other connections of that name. The connection has the name already, and nothing else is under way on it.
 * @returns how many there were; null when the target does not let this user look.
 */
export async function killFormerConnections(connection: Connection, name: string): Promise<number | null> {
  const own = await connection.request(['CLIENT', 'ID']);
  const list = await connection.request(['CLIENT', 'LIST']);
  if (own.startsWith('-') || list.startsWith('-')) return null;
  const ids = list
    .split('\n')
    .filter((line) => line.includes(` name=${name} `))
    .map((line) => /^id=(\d+)/.exec(line)?.[1] ?? '')
    .filter((id) => id !== '' && `:${id}` !== own);
  for (const id of ids) await connection.request(['CLIENT', 'KILL', 'ID', id]);
  return ids.length;
}
