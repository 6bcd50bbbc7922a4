// What is known about one command: where its keys stand and how redferry must treat it. Plain data, made once at the
// start; all specs have the same shape, so that the code that reads them hundreds of thousands of times a second stays fast.

/** Commands of a replication stream that need more than "to the slot of its keys". */
export const COMMAND_KIND = {
  NORMAL: 0,
  PING: 1,
  SELECT: 2,
  MULTI: 3,
  EXEC: 4,
  REPLCONF: 5,
  FLUSHALL: 6,
  FLUSHDB: 7,
  SWAPDB: 8,
  PUBLISH: 9,
  /** Its channel stands where a key would, and decides the slot. */
  SPUBLISH: 10,
  SCRIPT: 11,
  FUNCTION: 12,
  /** Names a database: MOVE always, COPY perhaps. */
  MOVE: 13,
  COPY: 14,
  /** Each key stands for itself, `keys.step` arguments a key: DEL, UNLINK, TOUCH (1), MSET (2). */
  SPLITTABLE: 15,
  /** The source cluster's own housekeeping of slots (TRIMSLOTS, CLUSTER ...): not for any target. */
  TOPOLOGY: 16,
} as const;
export type CommandKind = (typeof COMMAND_KIND)[keyof typeof COMMAND_KIND];

export const FLAG = {
  WRITE: 1,
  /** Refused when the target is out of memory. */
  DENY_OOM: 2,
  /** The name of a family; the argument behind it says which command is meant. */
  CONTAINER: 4,
  /** Known from a server's COMMAND only. */
  FROM_SERVER: 8,
  /** A member of a family: its name is two arguments. */
  MEMBER: 16,
} as const;

/** How the arguments that are keys are found. */
export const KEY_SHAPE = {
  NONE: 0,
  /** first, first + step, ... last; a negative last counts from the end. */
  RANGE: 1,
  /** One or more searches, as Redis 7.0 and newer describe them. */
  SEARCH: 2,
  /** The first key, and a second one behind STORE. */
  SORT: 3,
  MIGRATE: 4,
  /** Nobody knows. */
  UNKNOWN: 5,
} as const;
export type KeyShape = (typeof KEY_SHAPE)[keyof typeof KEY_SHAPE];

/** A key specification of https://redis.io/docs/latest/develop/reference/key-specs/ */
export interface KeySearch {
  /** Upper case. null: begins at argument `at`; else behind this word, looked for from `at` on (negative: backwards). */
  readonly keyword: Uint8Array | null;
  readonly at: number;
  /** true: a number of keys stands `countAt` behind the beginning, the first key `firstAt` behind it. */
  readonly counted: boolean;
  readonly countAt: number;
  readonly firstAt: number;
  /** Not counted: last key relative to the beginning, or from the end when negative. */
  readonly last: number;
  /** With last -1: only the first 1/limit of the rest are keys. 0 and 1: all of it. */
  readonly limit: number;
  readonly step: number;
}

export interface KeyRule {
  readonly shape: KeyShape;
  readonly first: number;
  readonly last: number;
  readonly step: number;
  readonly searches: readonly KeySearch[];
}

/**
 * `write` goes to the slot of its keys, `keyless` travels in a stream without any key, `other` (reads, administration)
 * has no business in a stream.
 */
export type CommandClass = 'write' | 'keyless' | 'other';

export interface CommandSpec {
  /** Upper case; a member of a family with a blank: `XGROUP CREATE`. */
  readonly name: string;
  readonly kind: CommandKind;
  readonly class: CommandClass;
  /** Bits of FLAG. */
  readonly flags: number;
  readonly keys: KeyRule;
}

const NO_SEARCH: readonly KeySearch[] = [];

function rule(shape: KeyShape, first: number, last: number, step: number, searches: readonly KeySearch[]): KeyRule {
  return { shape, first, last, step, searches };
}

export const NO_KEYS = rule(KEY_SHAPE.NONE, 0, 0, 0, NO_SEARCH);
export const UNKNOWN_KEYS = rule(KEY_SHAPE.UNKNOWN, 0, 0, 0, NO_SEARCH);
export const SORT_KEYS = rule(KEY_SHAPE.SORT, 1, 1, 1, NO_SEARCH);
export const MIGRATE_KEYS = rule(KEY_SHAPE.MIGRATE, 3, 3, 1, NO_SEARCH);

export function rangeKeys(first: number, last: number, step = 1): KeyRule {
  return rule(KEY_SHAPE.RANGE, first, last, step, NO_SEARCH);
}

export function searchKeys(...searches: readonly KeySearch[]): KeyRule {
  return rule(KEY_SHAPE.SEARCH, 0, 0, 0, searches);
}

/** One key at an argument. */
export function keyAt(at: number): KeySearch {
  return { keyword: null, at, counted: false, countAt: 0, firstAt: 0, last: 0, limit: 0, step: 1 };
}

/** A number of keys at an argument, the keys behind it, each `step` from the next. */
export function countedAt(at: number, step = 1): KeySearch {
  return { keyword: null, at, counted: true, countAt: 0, firstAt: 1, last: 0, limit: 0, step };
}

/** The one key behind a word, if the word is there. */
export function keyBehind(word: string, from: number): KeySearch {
  return { ...keyAt(from), keyword: Buffer.from(word, 'latin1') };
}

/** The first half of what stands behind a word. */
export function halfBehind(word: string, from: number): KeySearch {
  const keyword = Buffer.from(word, 'latin1');
  return { keyword, at: from, counted: false, countAt: 0, firstAt: 0, last: -1, limit: 2, step: 1 };
}
