// Which version to write behind a DUMP payload: the source's own where the target takes it, else the lowest that
// defines the value's type, whose bytes are the same. Source: verifyDumpPayload and rdb.h of the versions named.
import type { ServerVersion } from '../topology/topology.ts';
import type { Dialect } from './format.ts';

/** First version of Valkey's own numbering. */
const FIRST_VALKEY_VERSION = 80;

/** Newest first: from this release on a server writes and takes this version. */
const REDIS_VERSIONS: readonly (readonly [major: number, minor: number, rdb: number])[] = [
  [8, 6, 13],
  [7, 4, 12],
  [7, 2, 11],
  [7, 0, 10],
  [5, 0, 9],
  [4, 0, 8],
  [3, 2, 7],
  [2, 6, 6],
];

/** The highest version whose payloads RESTORE takes there, and whether Valkey's own numbers count. */
export interface AcceptedVersions {
  readonly redis: number;
  readonly valkey: number;
}

/** What RESTORE of that server takes. Valkey 9 refuses Redis's 12 to 79 in its default strict mode. */
export function acceptedVersions(server: ServerVersion): AcceptedVersions {
  if (server.product === 'Valkey') {
    return { redis: 11, valkey: server.major >= 9 ? (server.major === 9 && server.minor < 2 ? 80 : 81) : 0 };
  }
  const row = REDIS_VERSIONS.find(
    ([major, minor]) => server.major > major || (server.major === major && server.minor >= minor),
  );
  return { redis: row?.[2] ?? 6, valkey: 0 };
}

/** The lowest version that defines a type of either dialect up to 21; 0 for the dialect's own types. */
function lowestVersion(type: number): number {
  if (type === 14) return 7;
  if (type === 5 || type === 7) return 8;
  if (type === 15) return 9;
  if (type >= 16 && type <= 19) return 10;
  if (type === 20 || type === 21) return 11;
  return type <= 13 ? 8 : 0;
}

/** The version to stamp on each value type; the source's own where nothing better is known (the target then refuses). */
export function payloadVersion(type: number, source: number, dialect: Dialect, accepted: AcceptedVersions): number {
  const limit = dialect === 'valkey' && source >= FIRST_VALKEY_VERSION ? accepted.valkey : accepted.redis;
  if (source <= limit) return source;
  const lowest = lowestVersion(type);
  return lowest > 0 && lowest <= accepted.redis ? lowest : source;
}
