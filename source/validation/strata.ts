// The parts a comparison goes through one by one: each database of each node, on both sides.
import { countKeys, hasDatabase, isPicky, type KeyScope } from './key-scope.ts';
import type { LinkedSide } from './linked-side.ts';
import { type Side, text } from './side.ts';

export interface StratumPlace {
  /** Its tally. */
  readonly number: number;
  readonly side: 'source' | 'target';
  /** Number of the node within its side. */
  readonly node: number;
  /** `host:port` */
  readonly address: string;
  readonly database: number;
  /** Keys when the comparison began, redferry's own among them where it is about every key. */
  readonly keys: number;
}

/** Those of the source, then those of the target. */
export async function readStrata(
  source: LinkedSide,
  target: LinkedSide,
  scope: KeyScope,
): Promise<readonly StratumPlace[]> {
  const places: StratumPlace[] = [];
  for (const [name, { side, links }] of [
    ['source', source],
    ['target', target],
  ] as const) {
    for (const [node, databases] of (await keyspaces(side)).entries()) {
      const address = side.nodes[node]?.address ?? '';
      const link = links[node];
      if (link === undefined) throw new RangeError(`there is no node ${node}`);
      for (const [database, all] of databases) {
        if (!hasDatabase(scope, name, database, target.side.description)) continue;
        const keys = isPicky(scope) ? (await countKeys(link, database, scope)).keys : all;
        places.push({ number: places.length, side: name, node, address, database, keys });
      }
    }
  }
  return places;
}

/** By node, the databases that hold keys. */
async function keyspaces(side: Side): Promise<readonly (readonly (readonly [database: number, keys: number])[])[]> {
  return Promise.all(
    side.nodes.map(async (node) => {
      const keyspace = text(await node.call(['INFO', 'keyspace']));
      return [...keyspace.matchAll(/^db(\d+):keys=(\d+)/gm)].map(
        ([, database, keys]) => [Number(database), Number(keys)] as const,
      );
    }),
  );
}
