// Which of an RDB's plain encodings a value gets that is written element by element: its type stands before its key, so
// this must be known from the type alone that the source gave it.
import type { StreamVersion } from '../../rdb/encode-stream-group.ts';
import { type Dialect, TYPE, VALKEY_TYPE } from '../../rdb/format.ts';

/** Expiries of a hash's fields: none, as in Redis 7.4, as in Valkey 9. */
export type FieldExpiries = 'none' | 'redis' | 'valkey';

export interface PlainLayout {
  readonly type: number;
  readonly fieldExpiries: FieldExpiries;
  readonly streamVersion: StreamVersion;
}

/** First versions with expiries of fields, with streams of version 3, with those of version 2, and of Valkey's own. */
const FIRST_WITH_FIELD_EXPIRY = 12;
const FIRST_WITH_STREAM_3 = 11;
const FIRST_WITH_STREAM_2 = 10;
const FIRST_OF_VALKEY = 80;

const STREAM_TYPES: Readonly<Record<StreamVersion, number>> = {
  1: TYPE.streamListpacks,
  2: TYPE.streamListpacks2,
  3: TYPE.streamListpacks3,
};

/**
 * @param type of the source's encoding, one that can be decoded.
 * @param version of the file.
 */
export function plainLayout(type: number, dialect: Dialect, version: number): PlainLayout {
  const fieldExpiries = mayExpire(type, dialect) ? fieldExpiriesOf(version) : 'none';
  const streamVersion = Math.min(streamVersionOf(type), newestStream(version)) as StreamVersion;
  return { type: plainType(type, dialect, fieldExpiries, streamVersion), fieldExpiries, streamVersion };
}

function plainType(type: number, dialect: Dialect, expiries: FieldExpiries, stream: StreamVersion): number {
  switch (type) {
    case TYPE.string:
      return TYPE.string;
    case TYPE.list:
    case TYPE.listZiplist:
    case TYPE.listQuicklist:
    case TYPE.listQuicklist2:
      return TYPE.list;
    case TYPE.set:
    case TYPE.setIntset:
    case TYPE.setListpack:
      return TYPE.set;
    case TYPE.zset:
    case TYPE.zset2:
    case TYPE.zsetZiplist:
    case TYPE.zsetListpack:
      return TYPE.zset2;
    case TYPE.streamListpacks:
    case TYPE.streamListpacks2:
    case TYPE.streamListpacks3:
      return STREAM_TYPES[stream];
    case TYPE.streamListpacks4:
    case TYPE.streamListpacks5:
      if (dialect === 'redis') return STREAM_TYPES[stream];
  }
  return expiries === 'none' ? TYPE.hash : expiries === 'redis' ? TYPE.hashMetadata : VALKEY_TYPE.hash2;
}

function mayExpire(type: number, dialect: Dialect): boolean {
  if (dialect === 'valkey') return type === VALKEY_TYPE.hash2;
  return type >= TYPE.hashMetadataPreGa && type <= TYPE.hashListpackEx;
}

function fieldExpiriesOf(version: number): FieldExpiries {
  if (version >= FIRST_OF_VALKEY) return 'valkey';
  return version >= FIRST_WITH_FIELD_EXPIRY ? 'redis' : 'none';
}

/** What the source knows of a stream is what the layout that it chose holds. */
function streamVersionOf(type: number): StreamVersion {
  return type === TYPE.streamListpacks ? 1 : type === TYPE.streamListpacks2 ? 2 : 3;
}

function newestStream(version: number): StreamVersion {
  return version >= FIRST_WITH_STREAM_3 ? 3 : version >= FIRST_WITH_STREAM_2 ? 2 : 1;
}
