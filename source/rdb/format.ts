// The constants of the RDB format: opcodes, value types, and the version that a value type needs. Sources: rdb.h of
// Redis 2.2 to 8.10 and of Valkey 8 and 9; the same number means different things to the two from type 22 on.

/** Who wrote the file: the header's magic decides (REDISnnnn or VALKEYnnn). */
export type Dialect = 'redis' | 'valkey';

export const OPCODE = {
  hashTemplate: 242,
  /** Redis 8.6: KEY_META; Valkey 9: SLOT_IMPORT. */
  keyMetaOrSlotImport: 243,
  slotInfo: 244,
  function2: 245,
  functionPreGa: 246,
  moduleAux: 247,
  idle: 248,
  freq: 249,
  aux: 250,
  resizeDb: 251,
  expireTimeMs: 252,
  expireTime: 253,
  selectDb: 254,
  eof: 255,
} as const;

/** Of Redis Enterprise, among the value types; a length stands behind each. */
export const ENTERPRISE_OPCODE = { ramLru: 107, slotNumber: 121 } as const;

/** Opcodes are 242 and above; below stand value types. */
export const LOWEST_OPCODE = 242;

export const TYPE = {
  string: 0,
  list: 1,
  set: 2,
  zset: 3,
  hash: 4,
  zset2: 5,
  modulePreGa: 6,
  module2: 7,
  hashZipmap: 9,
  listZiplist: 10,
  setIntset: 11,
  zsetZiplist: 12,
  hashZiplist: 13,
  listQuicklist: 14,
  streamListpacks: 15,
  hashListpack: 16,
  zsetListpack: 17,
  listQuicklist2: 18,
  streamListpacks2: 19,
  setListpack: 20,
  streamListpacks3: 21,
  /** Redis 7.4 release candidates; Valkey 9 has its own 22 and 23. */
  hashMetadataPreGa: 22,
  hashListpackExPreGa: 23,
  /** Fields with expiries (Redis 7.4). */
  hashMetadata: 24,
  hashListpackEx: 25,
  streamListpacks4: 26,
  streamListpacks5: 27,
  array: 28,
  /** Hashes whose field names stand in a template (Redis 8.10); the two `Ref` occur in files only. */
  hashTemplateListpack: 29,
  hashTemplateListpackRef: 30,
  hashTemplateArray: 31,
  hashTemplateArrayRef: 32,
} as const;

/** Valkey's own meanings of numbers that Redis uses otherwise. */
export const VALKEY_TYPE = { hash2: 22, pathHash: 23 } as const;

const REDIS_EXPIRING_HASHES: ReadonlySet<number> = new Set([
  TYPE.hashMetadataPreGa,
  TYPE.hashListpackExPreGa,
  TYPE.hashMetadata,
  TYPE.hashListpackEx,
]);

/** Whether fields of a value of that type may have expiries. */
export function hasFieldExpiries(type: number, dialect: Dialect): boolean {
  return dialect === 'valkey' ? type === VALKEY_TYPE.hash2 : REDIS_EXPIRING_HASHES.has(type);
}

/** The special string encodings behind a length byte 11xxxxxx. */
export const STRING_ENCODING = { int8: 0, int16: 1, int32: 2, lzf: 3 } as const;

/** Bytes of the magic and version at the head of a file. */
export const MAGIC_BYTES = 9;
/** From this version on a CRC64 of 8 bytes follows the end opcode. */
export const FIRST_VERSION_WITH_CRC = 5;
/** Version and CRC64 behind a DUMP payload. */
export const FOOTER_BYTES = 10;
