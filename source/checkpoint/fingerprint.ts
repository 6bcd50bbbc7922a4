// What a migration is, so that nobody resumes another one by mistake: which installations, under which rules. Servers are
// known by what they call themselves, since the address 127.0.0.1:6379 of a jump host leads through a tunnel to this server
// today and to that one tomorrow. Rates, memory, languages and the like are no part of it: they may change between runs.
import { createHash } from 'node:crypto';
import { z } from 'zod';

const sideSchema = z
  .strictObject({
    kind: z.enum(['standalone', 'cluster', 'sentinel', 'file']),
    ids: z.array(z.string()).readonly(),
    addresses: z.array(z.string()).readonly(),
  })
  .readonly();

/** The schema of a stored setup. */
export const setupSchema = z
  .strictObject({
    source: sideSchema,
    target: sideSchema,
    shards: z.array(z.strictObject({ id: z.int().min(0), ids: z.array(z.string()).readonly() }).readonly()).readonly(),
    conflictPolicy: z.string(),
    databases: z.record(z.string(), z.int().min(0)).readonly(),
    filters: z.record(z.string(), z.string()).readonly(),
  })
  .readonly();

/**
 * One side:
 * - `ids`: names that it gives itself and that outlive something: node ids of a cluster, replicas included; replid, replid2
 *   and run id of a standalone; for a target also `migration:<id>` once it holds that migration's lease or markers, which a
 *   restart without a replication history leaves as the only proof. One in common is enough.
 * - `addresses` (host:port, or files) count only where one of the two sides has no ids.
 *
 * A shard: the number that names it for the whole migration, and the ids of the source node behind it and its replicas.
 * `databases` maps the source's numbers to the target's; `filters` has each rule's name and its canonical value.
 */
export type Setup = z.infer<typeof setupSchema>;
type Side = Setup['source'];

/** The same for two setups that are written alike, whatever the order of their parts. */
export function fingerprintOf(setup: Setup): string {
  return createHash('sha256').update(canonical(setup)).digest('hex').slice(0, 32);
}

/** What speaks against going on with `stored` under `now`, a sentence each; empty when it is the same migration. */
export function differences(stored: Setup, now: Setup): string[] {
  const found: string[] = [];
  for (const which of ['source', 'target'] as const) {
    if (!sameSide(stored[which], now[which])) {
      found.push(`The ${which} was ${describeSide(stored[which])}, now it is ${describeSide(now[which])}.`);
    }
  }
  for (const { id, ids } of stored.shards) {
    const today = now.shards.find((shard) => shard.id === id);
    if (today !== undefined && ids.length > 0 && today.ids.length > 0 && !intersect(ids, today.ids)) {
      found.push(`Source shard ${id} was ${ids.join(' or ')}, now it is ${today.ids.join(' or ')}.`);
    }
  }
  if (stored.conflictPolicy !== now.conflictPolicy) {
    found.push(`The conflict policy was ${stored.conflictPolicy}, now it is ${now.conflictPolicy}.`);
  }
  compareTables(stored.databases, now.databases, (name, was, is) => {
    const goes = (to: number | undefined): string => (to === undefined ? 'was not mapped' : `went to ${to}`);
    const today = is === undefined ? 'it is not mapped' : `it goes to ${is}`;
    found.push(`Source database ${name} ${goes(was)}, now ${today}.`);
  });
  compareTables(stored.filters, now.filters, (name, was, is) => {
    found.push(`The setting ${name} was ${was ?? 'not set'}, now it is ${is ?? 'not set'}.`);
  });
  return found;
}

function sameSide(stored: Side, now: Side): boolean {
  // A standalone behind a sentinel is the same server, however it was asked for.
  if (formOf(stored) !== formOf(now)) return false;
  if (stored.ids.length > 0 && now.ids.length > 0) return intersect(stored.ids, now.ids);
  return intersect(stored.addresses, now.addresses);
}

/** A cluster, a single server or files: none becomes another. */
function formOf({ kind }: Side): string {
  return kind === 'sentinel' ? 'standalone' : kind;
}

function describeSide({ kind, ids, addresses }: Side): string {
  const name = ids.length === 0 ? '' : ` (${ids[0]}${ids.length > 1 ? ` and ${ids.length - 1} more` : ''})`;
  return `a ${kind} at ${addresses.join(', ')}${name}`;
}

function intersect(a: readonly string[], b: readonly string[]): boolean {
  return a.some((each) => b.includes(each));
}

function compareTables<T>(
  stored: Readonly<Record<string, T>>,
  now: Readonly<Record<string, T>>,
  different: (name: string, was: T | undefined, is: T | undefined) => void,
): void {
  for (const name of [...new Set([...Object.keys(stored), ...Object.keys(now)])].sort()) {
    if (stored[name] !== now[name]) different(name, stored[name], now[name]);
  }
}

/** JSON with sorted names, and sorted lists: their order means nothing here. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).sort().join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const parts = Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`);
  return `{${parts.sort().join()}}`;
}
