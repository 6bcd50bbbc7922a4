// The sides of a run or of `redferry validate` as the comparer is told of them.
import { configError } from '../config/config-error.ts';
import { isFile, type Place } from '../config/place.ts';
import { discoverTopology } from '../topology/discover.ts';
import type { Endpoint } from '../topology/endpoint.ts';
import type { CompareSide } from '../validation/side.ts';

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
