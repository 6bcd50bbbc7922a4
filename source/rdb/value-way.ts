// How a value of each type gets to a target: as it is, with a version stamped on it that the target takes; rewritten in an
// older encoding or the other dialect's; or not at all. Decided once for a snapshot and a target, never key by key.
import { type Dialect, TYPE, VALKEY_TYPE } from './format.ts';
import { type AcceptedVersions, FIRST_VALKEY_VERSION, lowestVersion } from './payload-version.ts';

export type ValueWay =
  /** RESTORE of the value's own bytes with this version behind them. */
  | { readonly kind: 'restore'; readonly version: number }
  /** RESTORE of what a Reencoder makes of it. */
  | { readonly kind: 'rewrite' }
  /** `reason` is a sentence's end: "cannot be written: ..." */
  | { readonly kind: 'impossible'; readonly reason: string };

const TYPES = 256;
const REWRITE: ValueWay = { kind: 'rewrite' };
/** First version that has streams. */
const STREAM_VERSION = 9;

/** No RESTORE takes these as a file has them: their template stands elsewhere in the file. */
const FILE_ONLY: ReadonlySet<number> = new Set([TYPE.hashTemplateListpackRef, TYPE.hashTemplateArrayRef]);
/** Of the release candidates of Redis 7.4; what they meant by 22 and 23 is not left to the target to guess. */
const PRE_GA_HASHES: ReadonlySet<number> = new Set([TYPE.hashMetadataPreGa, TYPE.hashListpackExPreGa]);

/** Redis's types whose contents older servers and Valkey have no encoding for. */
const REDIS_ONLY: Readonly<Record<number, string>> = {
  [TYPE.array]: 'arrays are known to Redis 8.8 and newer only',
  33: 'rate limiters (type 33) are known to Redis Enterprise only',
};

/**
 * The way of every type, by its number.
 * @param header who wrote the snapshot, and its version.
 * @param accepted what the target's RESTORE takes.
 */
export function valueWays(
  header: { readonly version: number; readonly dialect: Dialect },
  accepted: AcceptedVersions,
): readonly ValueWay[] {
  return Array.from({ length: TYPES }, (_, type) => wayOf(type, header.version, header.dialect, accepted));
}

function wayOf(type: number, source: number, dialect: Dialect, accepted: AcceptedVersions): ValueWay {
  if (type === TYPE.modulePreGa) return impossible('it is a module value of a release candidate of Redis 4.0');
  const lowest = lowestVersion(type, dialect);
  if (lowest === 0) return impossible(REDIS_ONLY[type] ?? `no server known to this redferry writes type ${type}`);
  const version = versionToStamp(lowest, source, accepted);
  const asItIs = !FILE_ONLY.has(type) && !(dialect === 'redis' && PRE_GA_HASHES.has(type));
  if (version > 0 && asItIs) return { kind: 'restore', version };
  return rewritten(type, dialect, accepted);
}

/** The source's own version where the target takes it, else the lowest that has the type; 0 when it takes neither. */
function versionToStamp(lowest: number, source: number, accepted: AcceptedVersions): number {
  if (source >= lowest && source <= limitFor(source, accepted)) return source;
  return lowest <= limitFor(lowest, accepted) ? lowest : 0;
}

function limitFor(version: number, accepted: AcceptedVersions): number {
  return version >= FIRST_VALKEY_VERSION ? accepted.valkey : accepted.redis;
}

function rewritten(type: number, dialect: Dialect, accepted: AcceptedVersions): ValueWay {
  switch (type) {
    case TYPE.module2:
      return impossible('module values in this form are known to Redis 4.0 and newer only');
    case TYPE.streamListpacks:
    case TYPE.streamListpacks2:
    case TYPE.streamListpacks3:
    case TYPE.streamListpacks4:
    case TYPE.streamListpacks5:
      return accepted.redis >= STREAM_VERSION ? REWRITE : impossible('streams are known to Redis 5.0 and newer only');
    case VALKEY_TYPE.pathHash:
      return dialect === 'valkey' ? impossible('path hashes are known to Valkey 9.2 and newer only') : REWRITE;
    default: {
      const reason = REDIS_ONLY[type];
      return reason === undefined ? REWRITE : impossible(reason);
    }
  }
}

function impossible(reason: string): ValueWay {
  return { kind: 'impossible', reason };
}
