// The fence: before anybody reads a marker, the older connections of the same run and shard are killed on the node. A
// link that broke for us may live on for the server, with thousands of commands in its socket buffer: they would take
// effect after the markers were read, and then again by the replay (seen on 7.0 and Valkey 8.1: 15 to 90 % doubled
// without this, none with it).
import { FerryError, messageOf } from '../engine/errors.ts';
import type { AskedNode } from './node-request.ts';

/** How often a node is asked again whether any is left: one that was being accepted may show up late. */
const MOST_ROUNDS = 5;

/** How the names of all data connections of a shard begin; the node follows. */
export function connectionPrefix(run: string, shard: string): string {
  return `redferry:${run}:${shard}:`;
}

/**
 * Kills every connection on the node whose name begins with `namePrefix`, but for those with an id in `exceptIds`, and
 * gives how many. When it resolves, nothing that they sent takes effect any more. A connection must have its name and its
 * reply to that before it sends the first write, or it can not be found here.
 * @throws FerryError `fence` when the node does not allow it: without the fence nothing may be replayed.
 */
export async function killFormerConnections(
  node: AskedNode,
  namePrefix: string,
  exceptIds: ReadonlySet<number> = new Set(),
): Promise<number> {
  let killed = 0;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const found = connectionsNamed(await ask(node, ['CLIENT', 'LIST']), namePrefix).filter((id) => !exceptIds.has(id));
    if (found.length === 0) return killed;
    for (const id of found) killed += Number(await ask(node, ['CLIENT', 'KILL', 'ID', String(id)]));
  }
  throw new FerryError(
    `${node.address} still has older connections of this run after ${MOST_ROUNDS} attempts to kill them: is another redferry with the same run at work (names begin with ${namePrefix})?`,
    { code: 'fence', retriable: true },
  );
}

/** The id of the connection itself, to be left out by `killFormerConnections`. */
export async function ownConnectionId(node: AskedNode): Promise<number> {
  return Number(await ask(node, ['CLIENT', 'ID']));
}

/** Ids in the answer to CLIENT LIST: one line a connection, `id=7 addr=... name=... `, names without blanks. */
function connectionsNamed(list: unknown, namePrefix: string): number[] {
  const ids: number[] = [];
  for (const line of String(list).split('\n')) {
    const name = / name=(\S*)/.exec(line)?.[1];
    const id = /^id=(\d+)/.exec(line)?.[1];
    if (id !== undefined && name?.startsWith(namePrefix)) ids.push(Number(id));
  }
  return ids;
}

async function ask(node: AskedNode, args: readonly string[]): Promise<unknown> {
  try {
    return await node.request(args);
  } catch (thrown) {
    const words = messageOf(thrown);
    const command = args.slice(0, 2).join(' ');
    if (/NOPERM/.test(words)) {
      throw new FerryError(
        `${node.address} does not let this user run ${command}, without which older connections can not be shut out and writes could take effect twice: grant it with ACL SETUSER name +client|list +client|kill +client|id.`,
        { code: 'fence', cause: thrown },
      );
    }
    throw new FerryError(`${node.address} did not answer ${command} (${words}).`, {
      code: 'fence',
      retriable: true,
      cause: thrown,
    });
  }
}
