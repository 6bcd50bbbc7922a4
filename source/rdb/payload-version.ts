// Which versions of the format a server's RESTORE takes, and which version defines a value's type: the two sides from
// which value-way.ts decides. Source: verifyDumpPayload and rdb.h of the versions named.
import type { ServerVersion } from '../topology/topology.ts';
import { type Dialect, TYPE, VALKEY_TYPE } from './format.ts';

/** First version of Valkey's own numbering; 12 to 79 are Redis's alone. */
export const FIRST_VALKEY_VERSION = 80;

/**
 * What is stamped where any version would do. Redis 2.6 to 3.0 take this one alone (`!=`, where later servers compare
 * with `>`), so no version below it is ever written.
 */
export const OLDEST_PAYLOAD_VERSION = 6;

/** Newest first: from this release on a server writes and takes this version. */
const REDIS_VERSIONS: readonly (readonly [major: number, minor: number, rdb: number])[] = [
  [8, 10, 15],
  [8, 8, 14],
  [8, 6, 13],
  [7, 4, 12],
  [7, 2, 11],
  [7, 0, 10],
  [5, 0, 9],
  [4, 0, 8],
  [3, 2, 7],
  [2, 6, OLDEST_PAYLOAD_VERSION],
];

/** The highest version whose payloads RESTORE takes there, and the highest of Valkey's own numbers (0: none). */
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
  return { redis: row?.[2] ?? OLDEST_PAYLOAD_VERSION, valkey: 0 };
}

/** The lowest version that defines a type. Of types that no server writes: 0. */
export function lowestVersion(type: number, dialect: Dialect): number {
  if (type <= TYPE.hash) return OLDEST_PAYLOAD_VERSION;
  if (dialect === 'valkey' && type > TYPE.streamListpacks3) {
    return type === VALKEY_TYPE.hash2 ? 80 : type === VALKEY_TYPE.pathHash ? 81 : 0;
  }
  return DEFINED_BY[type] ?? 0;
}

/** Redis's types above the plain ones; up to 21 they are Valkey's too. */
const DEFINED_BY: Readonly<Record<number, number>> = {
  [TYPE.zset2]: 8,
  [TYPE.module2]: 8,
  [TYPE.hashZipmap]: OLDEST_PAYLOAD_VERSION,
  [TYPE.listZiplist]: OLDEST_PAYLOAD_VERSION,
  [TYPE.setIntset]: OLDEST_PAYLOAD_VERSION,
  [TYPE.zsetZiplist]: OLDEST_PAYLOAD_VERSION,
  [TYPE.hashZiplist]: OLDEST_PAYLOAD_VERSION,
  [TYPE.listQuicklist]: 7,
  [TYPE.streamListpacks]: 9,
  [TYPE.hashListpack]: 10,
  [TYPE.zsetListpack]: 10,
  [TYPE.listQuicklist2]: 10,
  [TYPE.streamListpacks2]: 10,
  [TYPE.setListpack]: 11,
  [TYPE.streamListpacks3]: 11,
  [TYPE.hashMetadataPreGa]: 12,
  [TYPE.hashListpackExPreGa]: 12,
  [TYPE.hashMetadata]: 12,
  [TYPE.hashListpackEx]: 12,
  [TYPE.streamListpacks4]: 13,
  [TYPE.streamListpacks5]: 14,
  [TYPE.array]: 14,
  [TYPE.hashTemplateListpack]: 15,
  [TYPE.hashTemplateListpackRef]: 15,
  [TYPE.hashTemplateArray]: 15,
  [TYPE.hashTemplateArrayRef]: 15,
};
