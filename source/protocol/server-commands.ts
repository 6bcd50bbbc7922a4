// Reads a server's answer to COMMAND (https://redis.io/docs/latest/commands/command/): RESP2 arrays, or RESP3 with maps and
// sets. Whatever is not understood gives a command whose keys are unknown, never a wrong key.

import { type KeyRule, type KeySearch, NO_KEYS, rangeKeys, searchKeys, UNKNOWN_KEYS } from './command-spec.ts';

/** One command of the answer, the members of a family each for themselves. */
export interface ServerCommand {
  /** Upper case; `FAMILY MEMBER`. */
  readonly name: string;
  readonly flags: ReadonlySet<string>;
  readonly keys: KeyRule;
  readonly container: boolean;
}

export function readServerCommands(reply: unknown): ServerCommand[] {
  const found: ServerCommand[] = [];
  for (const entry of listOf(reply)) addEntry(entry, found);
  return found;
}

/** name, arity, flags, first, last, step, then from 6.0 categories, from 7.0 tips, key specifications, subcommands. */
function addEntry(entry: unknown, found: ServerCommand[]): void {
  const fields = listOf(entry);
  const name = textOf(fields[0]);
  if (name === '') return;
  const flags = new Set(listOf(fields[2]).map(textOf));
  const members = listOf(fields[9]);
  // Subcommands come as `family|member`.
  found.push({
    name: name.toUpperCase().replace('|', ' '),
    flags,
    keys: rule(fields, flags),
    container: members.length > 0,
  });
  for (const member of members) addEntry(member, found);
}

function rule(fields: readonly unknown[], flags: ReadonlySet<string>): KeyRule {
  const specs = listOf(fields[8]);
  if (specs.length > 0) {
    const searches = specs.map(searchOf);
    const known = searches.filter((search) => search !== null);
    return known.length === searches.length ? searchKeys(...known) : UNKNOWN_KEYS;
  }
  if (flags.has('movablekeys')) return UNKNOWN_KEYS;
  const [first, last, step] = [numberOf(fields[3]), numberOf(fields[4]), numberOf(fields[5])];
  return first > 0 && step > 0 ? rangeKeys(first, last, step) : NO_KEYS;
}

function searchOf(spec: unknown): KeySearch | null {
  const parts = mapOf(spec);
  // The server itself says that this does not find all keys.
  if (listOf(parts.get('flags')).map(textOf).includes('incomplete')) return null;
  const begin = mapOf(parts.get('begin_search'));
  const find = mapOf(parts.get('find_keys'));
  const beginSpec = mapOf(begin.get('spec'));
  const findSpec = mapOf(find.get('spec'));
  const beginType = textOf(begin.get('type'));
  const findType = textOf(find.get('type'));
  if (beginType !== 'index' && beginType !== 'keyword') return null;
  if (findType !== 'range' && findType !== 'keynum') return null;
  const keyword =
    beginType === 'keyword' ? Buffer.from(textOf(beginSpec.get('keyword')).toUpperCase(), 'latin1') : null;
  return {
    keyword,
    at: numberOf(beginSpec.get(keyword === null ? 'index' : 'startfrom')),
    counted: findType === 'keynum',
    countAt: numberOf(findSpec.get('keynumidx')),
    firstAt: numberOf(findSpec.get('firstkey')),
    last: numberOf(findSpec.get('lastkey')),
    limit: numberOf(findSpec.get('limit')),
    step: Math.max(1, numberOf(findSpec.get('keystep'))),
  };
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return value instanceof Set ? [...value] : [];
}

/** RESP3 maps come as Map or object, RESP2 ones as name, value, name, value. */
function mapOf(value: unknown): Map<string, unknown> {
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [textOf(key), item]));
  if (Array.isArray(value)) {
    const map = new Map<string, unknown>();
    for (let i = 0; i + 1 < value.length; i += 2) map.set(textOf(value[i]), value[i + 1]);
    return map;
  }
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}

/** Flags are simple strings, names bulk strings; a client may give either as bytes. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : '';
}

function numberOf(value: unknown): number {
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : 0;
}
