// What the type byte of an RDB value says in a client's words: what TYPE answers, and how the value is laid out.
import { type Dialect, TYPE, VALKEY_TYPE } from './format.ts';

export interface TypeName {
  /** As TYPE answers; `module` and the like where only the server knows. */
  readonly kind: string;
  readonly encoding: string;
}

const NAMES: Readonly<Record<number, TypeName>> = {
  [TYPE.string]: { kind: 'string', encoding: 'string' },
  [TYPE.list]: { kind: 'list', encoding: 'linkedlist' },
  [TYPE.set]: { kind: 'set', encoding: 'hashtable' },
  [TYPE.zset]: { kind: 'zset', encoding: 'skiplist' },
  [TYPE.hash]: { kind: 'hash', encoding: 'hashtable' },
  [TYPE.zset2]: { kind: 'zset', encoding: 'skiplist' },
  [TYPE.module2]: { kind: 'module', encoding: 'module' },
  [TYPE.hashZipmap]: { kind: 'hash', encoding: 'zipmap' },
  [TYPE.listZiplist]: { kind: 'list', encoding: 'ziplist' },
  [TYPE.setIntset]: { kind: 'set', encoding: 'intset' },
  [TYPE.zsetZiplist]: { kind: 'zset', encoding: 'ziplist' },
  [TYPE.hashZiplist]: { kind: 'hash', encoding: 'ziplist' },
  [TYPE.listQuicklist]: { kind: 'list', encoding: 'quicklist' },
  [TYPE.streamListpacks]: { kind: 'stream', encoding: 'stream' },
  [TYPE.hashListpack]: { kind: 'hash', encoding: 'listpack' },
  [TYPE.zsetListpack]: { kind: 'zset', encoding: 'listpack' },
  [TYPE.listQuicklist2]: { kind: 'list', encoding: 'quicklist' },
  [TYPE.streamListpacks2]: { kind: 'stream', encoding: 'stream' },
  [TYPE.setListpack]: { kind: 'set', encoding: 'listpack' },
  [TYPE.streamListpacks3]: { kind: 'stream', encoding: 'stream' },
};

const OF_REDIS: Readonly<Record<number, TypeName>> = {
  [TYPE.hashMetadataPreGa]: { kind: 'hash', encoding: 'hashtable' },
  [TYPE.hashListpackExPreGa]: { kind: 'hash', encoding: 'listpack' },
  [TYPE.hashMetadata]: { kind: 'hash', encoding: 'hashtable' },
  [TYPE.hashListpackEx]: { kind: 'hash', encoding: 'listpack' },
  [TYPE.streamListpacks4]: { kind: 'stream', encoding: 'stream' },
  [TYPE.streamListpacks5]: { kind: 'stream', encoding: 'stream' },
  [TYPE.hashTemplateListpack]: { kind: 'hash', encoding: 'listpack' },
  [TYPE.hashTemplateListpackRef]: { kind: 'hash', encoding: 'listpack' },
  [TYPE.hashTemplateArray]: { kind: 'hash', encoding: 'array' },
  [TYPE.hashTemplateArrayRef]: { kind: 'hash', encoding: 'array' },
};

const OF_VALKEY: Readonly<Record<number, TypeName>> = {
  [VALKEY_TYPE.hash2]: { kind: 'hash', encoding: 'hashtable' },
};

/** null for types that have no name here: modules of old, and what newer servers brought. */
export function typeName(type: number, dialect: Dialect): TypeName | null {
  return NAMES[type] ?? (dialect === 'redis' ? OF_REDIS : OF_VALKEY)[type] ?? null;
}
