// The sides of a run or of `redferry validate` as the comparer is told of them.
import { configError } from '../config/config-error.ts';
import { isFile, type Place, toPlace } from '../config/place.ts';
import type { Settings } from '../config/schema.ts';
import { discoverTopology } from '../topology/discover.ts';
import type { Endpoint } from '../topology/endpoint.ts';
import { EVERY_KEY, type KeyScope } from '../validation/key-scope.ts';
import type { CompareSide } from '../validation/side.ts';

export interface ComparedSides {
  readonly source: CompareSide;
  /** With the numbers that the databases have there. */
  readonly target: CompareSide;
  readonly scope: KeyScope;
  /** Only some shards of the source are named: the target may well hold keys of the others. */
  readonly partial: boolean;
}

/** What a run with these settings copies, and from where to where. @throws FerryError when a side can not be compared. */
export async function comparedSides(settings: Settings): Promise<ComparedSides> {
  const [source, target] = await Promise.all([
    compareSideOf(toPlace(settings.source), 'source'),
    compareSideOf(toPlace(settings.target), 'target'),
  ]);
  const { shards } = settings.source;
  const addresses = source.addresses.filter((_, number) => shards?.includes(number) ?? true);
  if (addresses.length === 0)
    throw configError(`The source has ${source.addresses.length} shards, and none of those named.`);
  return {
    source: { ...source, addresses },
    target: { ...target, databases: settings.databases.map },
    scope: copiedKeys(settings),
    partial: addresses.length < source.addresses.length,
  };
}

/** The keys that a run with these settings copies. */
export function copiedKeys({ source: { reader, scan } }: Settings): KeyScope {
  if (reader !== 'scan') return EVERY_KEY;
  const { databases, match, type } = scan;
  return { databases, match, type };
}

/** A running server or cluster. @throws FerryError when it is a file, or can not be asked. */
export async function compareSideOf(place: Place, name: 'source' | 'target'): Promise<CompareSide> {
  if (isFile(place))
    throw configError(`The ${name} is a file: only running servers can be compared. Sync it to one first.`);
  return sideOfEndpoint(place);
}

/** Asks the endpoint for its masters (or the replicas to read from). @throws FerryError when it can not be asked. */
export async function sideOfEndpoint(endpoint: Endpoint): Promise<CompareSide> {
  const topology = await discoverTopology(endpoint);
  const { username, password } = endpoint.credentials;
  return {
    addresses: topology.shards.map(({ address, slots }) => ({ ...address, slots })),
    cluster: topology.kind === 'cluster',
    // A user without a password (nopass) is named with an empty one.
    ...(username === null ? {} : { username, password: password ?? '' }),
    ...(password === null ? {} : { password }),
    tls: endpoint.tls,
    connectTimeoutMs: endpoint.connectTimeoutMs,
    name: 'redferry:validate',
  };
}
