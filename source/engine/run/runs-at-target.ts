// Which runs are writing to a target now, by the names of their connections there (redferry:<run>:<shard>:<node>).
import type { Redis } from 'ioredis';

/** The names of those other than `own`. @throws when the node does not let this user look. */
export async function runsAt(node: Redis, own: string): Promise<readonly string[]> {
  const list = String(await node.client('LIST'));
  const names = [...list.matchAll(/ name=redferry:([^: ]+):shard-/g)].map(([, name = '']) => name);
  return [...new Set(names)].filter((name) => name !== own);
}
