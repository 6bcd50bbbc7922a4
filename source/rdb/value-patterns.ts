// The layout of every value type as data: what stands behind the key, in order. The walker runs these patterns; adding
// a type means adding a line. Sources: rdbLoadObject of Redis 7.4 and 8.6 and of Valkey 9; the format reference has each.
import type { Dialect } from './format.ts';

/** One step of a pattern: a primitive, or a count that repeats another pattern. */
export type Step =
  | { readonly kind: 'string' }
  | { readonly kind: 'length' }
  | { readonly kind: 'raw'; readonly bytes: number }
  /** A score of type 3: a length byte with text behind it, or 253 to 255 alone. */
  | { readonly kind: 'score' }
  /** Module opcodes up to the end mark. */
  | { readonly kind: 'module' }
  | { readonly kind: 'repeat'; readonly pattern: Pattern }
  /** The head of an array (type 28): how many elements, whether a length comes between; the elements follow. */
  | { readonly kind: 'array' }
  /** A tag, and the string or the eight bytes that it announces. */
  | { readonly kind: 'tagged' };
export type Pattern = readonly Step[];

const STRING: Step = { kind: 'string' };
const LENGTH: Step = { kind: 'length' };
const SCORE: Step = { kind: 'score' };
const MODULE: Step = { kind: 'module' };
const ARRAY: Step = { kind: 'array' };
/** One element of an array: its index and its tagged value. */
export const ARRAY_ELEMENT: Pattern = [{ kind: 'length' }, { kind: 'tagged' }];
const BYTES_4: Step = { kind: 'raw', bytes: 4 };
const BYTES_8: Step = { kind: 'raw', bytes: 8 };
const STREAM_ID: Step = { kind: 'raw', bytes: 16 };
const repeat = (...pattern: Step[]): Step => ({ kind: 'repeat', pattern });

const PENDING = repeat(STREAM_ID, BYTES_8, LENGTH);
const CONSUMERS = repeat(STRING, BYTES_8, repeat(STREAM_ID));
const CONSUMERS_WITH_ACTIVE_TIME = repeat(STRING, BYTES_8, BYTES_8, repeat(STREAM_ID));
const STREAM_HEAD: Pattern = [repeat(STRING, STRING), LENGTH, LENGTH, LENGTH];
const STREAM_HEAD_2: Pattern = [...STREAM_HEAD, LENGTH, LENGTH, LENGTH, LENGTH, LENGTH];
const GROUPS_3 = repeat(STRING, LENGTH, LENGTH, LENGTH, PENDING, CONSUMERS_WITH_ACTIVE_TIME);
const GROUPS_5 = repeat(STRING, LENGTH, LENGTH, LENGTH, PENDING, CONSUMERS_WITH_ACTIVE_TIME, repeat(STREAM_ID));
const IDEMPOTENCY: Pattern = [LENGTH, LENGTH, repeat(STRING, repeat(STRING, LENGTH, LENGTH)), LENGTH, LENGTH];

const SHARED: Readonly<Record<number, Pattern>> = {
  0: [STRING],
  1: [repeat(STRING)],
  2: [repeat(STRING)],
  3: [repeat(STRING, SCORE)],
  4: [repeat(STRING, STRING)],
  5: [repeat(STRING, BYTES_8)],
  7: [LENGTH, MODULE],
  9: [STRING],
  10: [STRING],
  11: [STRING],
  12: [STRING],
  13: [STRING],
  14: [repeat(STRING)],
  15: [...STREAM_HEAD, repeat(STRING, LENGTH, LENGTH, PENDING, CONSUMERS)],
  16: [STRING],
  17: [STRING],
  18: [repeat(LENGTH, STRING)],
  19: [...STREAM_HEAD_2, repeat(STRING, LENGTH, LENGTH, LENGTH, PENDING, CONSUMERS)],
  20: [STRING],
  21: [...STREAM_HEAD_2, GROUPS_3],
};

const REDIS_ONLY: Readonly<Record<number, Pattern>> = {
  22: [repeat(LENGTH, STRING, STRING)],
  23: [STRING],
  24: [BYTES_8, repeat(LENGTH, STRING, STRING)],
  25: [BYTES_8, STRING],
  26: [...STREAM_HEAD_2, GROUPS_3, ...IDEMPOTENCY],
  27: [...STREAM_HEAD_2, GROUPS_5, ...IDEMPOTENCY],
  28: [ARRAY],
  30: [STRING],
};

const VALKEY_ONLY: Readonly<Record<number, Pattern>> = {
  22: [repeat(STRING, STRING, BYTES_8)],
  23: [repeat(STRING, repeat(STRING, STRING))],
};

/** The layout of a value type as that dialect writes it; null when it cannot be passed over. */
export function patternOf(type: number, dialect: Dialect): Pattern | null {
  return SHARED[type] ?? (dialect === 'redis' ? REDIS_ONLY : VALKEY_ONLY)[type] ?? null;
}

/** Behind a MODULE_AUX opcode: the module's id, then its opcodes (the first pair says when it was saved). */
export const MODULE_AUX_PATTERN: Pattern = [LENGTH, MODULE];

/** Behind FUNCTION_PRE_GA of the 7.0 release candidates: name, engine, 0 or 1 description, code. Servers refuse it. */
export const FUNCTION_PRE_GA_PATTERN: Pattern = [STRING, STRING, repeat(STRING), STRING];

/** Behind KEY_META of Redis 8.6: for each kind of metadata its name in four bytes and module opcodes. */
export const KEY_META_PATTERN: Pattern = [repeat(BYTES_4, MODULE)];

/** Type 32: the template's number, then a value for each of its fields. */
export function templateHashPattern(fields: number): Pattern {
  const known = TEMPLATE_PATTERNS.get(fields);
  if (known !== undefined) return known;
  const pattern: Pattern = [LENGTH, ...Array.from({ length: fields }, () => STRING)];
  TEMPLATE_PATTERNS.set(fields, pattern);
  return pattern;
}
const TEMPLATE_PATTERNS = new Map<number, Pattern>();

/** Behind SLOT_IMPORT of Valkey 9: the job's name, then ranges of slots. */
export const VALKEY_SLOT_IMPORT_PATTERN: Pattern = [STRING, repeat(LENGTH, LENGTH)];
