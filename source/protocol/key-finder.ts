// Which arguments of a command are keys, from byte ranges, without making strings or objects. An answer is only given
// when it is certain: a command whose arguments do not fit its rule has -1, and the caller decides what becomes of it.

import { type CommandSpec, KEY_SHAPE, type KeySearch } from './command-spec.ts';

const UNCERTAIN = -1;

const STORE = Buffer.from('STORE', 'latin1');
const KEYS = Buffer.from('KEYS', 'latin1');

/** Options of SORT with arguments, which may look like an option themselves. */
const SKIPPED = [
  { option: Buffer.from('GET', 'latin1'), count: 1 },
  { option: Buffer.from('BY', 'latin1'), count: 1 },
  { option: Buffer.from('LIMIT', 'latin1'), count: 2 },
];

/**
 * Writes the argument indexes of a command's keys to `out`, which must have room for argc of them, in ascending order
 * for all but the option forms; gives how many, or -1 when the keys cannot be told.
 */
export function findKeys(
  spec: CommandSpec,
  buffer: Uint8Array,
  offsets: Int32Array,
  lengths: Int32Array,
  argc: number,
  out: Int32Array,
): number {
  const { shape, first, last, step } = spec.keys;
  switch (shape) {
    case KEY_SHAPE.RANGE:
      if (last === first) {
        if (first >= argc) return UNCERTAIN;
        out[0] = first;
        return 1;
      }
      return putRange(first, last < 0 ? argc + last : last, step, argc, out, 0);
    case KEY_SHAPE.NONE:
      return 0;
    case KEY_SHAPE.SEARCH:
      return search(spec.keys.searches, buffer, offsets, lengths, argc, out);
    case KEY_SHAPE.SORT:
      return sorted(buffer, offsets, lengths, argc, out);
    case KEY_SHAPE.MIGRATE:
      return migrated(buffer, offsets, lengths, argc, out);
    case KEY_SHAPE.UNKNOWN:
      return UNCERTAIN;
  }
}

/** Puts first, first + step, ... up to last behind the `count` that are there; gives how many there are then. */
function putRange(first: number, last: number, step: number, argc: number, out: Int32Array, count: number): number {
  if (first < 1 || first > last || last >= argc) return UNCERTAIN;
  // Writes behind the end of a typed array vanish silently: a caller's mistake must not become a lost key.
  if ((last - first) / step >= out.length - count) throw new RangeError(`No room for the keys of ${argc} arguments`);
  let total = count;
  for (let i = first; i <= last; i += step) out[total++] = i;
  return total;
}

function search(
  searches: readonly KeySearch[],
  buffer: Uint8Array,
  offsets: Int32Array,
  lengths: Int32Array,
  argc: number,
  out: Int32Array,
): number {
  let count = 0;
  for (const one of searches) {
    const begin = one.keyword === null ? one.at : behind(one.keyword, one.at, buffer, offsets, lengths, argc);
    // A word that is not there means that this form of the command has no such keys.
    if (begin === 0) continue;
    if (begin >= argc) return UNCERTAIN;
    if (one.counted) {
      const keys = numberAt(begin + one.countAt, buffer, offsets, lengths, argc);
      const first = begin + one.firstAt;
      if (keys < 0) return UNCERTAIN;
      if (keys > 0) count = putRange(first, first + (keys - 1) * one.step, one.step, argc, out, count);
    } else {
      count = putRange(begin, lastOf(one, begin, argc), one.step, argc, out, count);
    }
    if (count < 0) return UNCERTAIN;
  }
  return count;
}

function lastOf(one: KeySearch, begin: number, argc: number): number {
  if (one.last >= 0) return begin + one.last;
  if (one.limit <= 1) return argc + one.last;
  return begin + Math.floor((argc - begin) / one.limit) + one.last;
}

/** The index behind a word, 0 when it is not there. */
function behind(
  word: Uint8Array,
  from: number,
  buffer: Uint8Array,
  offsets: Int32Array,
  lengths: Int32Array,
  argc: number,
): number {
  const direction = from < 0 ? -1 : 1;
  for (let i = from < 0 ? argc + from : from; i > 0 && i < argc; i += direction) {
    if (isWord(word, i, buffer, offsets, lengths)) return i + 1;
  }
  return 0;
}

/** SORT key ... STORE target: the last one counts, as on the server. */
function sorted(buffer: Uint8Array, offsets: Int32Array, lengths: Int32Array, argc: number, out: Int32Array): number {
  if (argc < 2) return UNCERTAIN;
  let target = 0;
  for (let i = 2; i + 1 < argc; i++) {
    if (isWord(STORE, i, buffer, offsets, lengths)) {
      target = ++i;
      continue;
    }
    for (const { option, count } of SKIPPED) {
      if (!isWord(option, i, buffer, offsets, lengths)) continue;
      i += count;
      break;
    }
  }
  out[0] = 1;
  if (target === 0) return 1;
  out[1] = target;
  return 2;
}

/** MIGRATE host port key|"" db timeout [...] [KEYS key ...] */
function migrated(buffer: Uint8Array, offsets: Int32Array, lengths: Int32Array, argc: number, out: Int32Array): number {
  if (argc < 6) return UNCERTAIN;
  if ((lengths[3] ?? 0) > 0) {
    out[0] = 3;
    return 1;
  }
  const first = behind(KEYS, 6, buffer, offsets, lengths, argc);
  return first === 0 ? UNCERTAIN : putRange(first, argc - 1, 1, argc, out, 0);
}

/** Whether an argument is a word, in any case. */
function isWord(
  word: Uint8Array,
  index: number,
  buffer: Uint8Array,
  offsets: Int32Array,
  lengths: Int32Array,
): boolean {
  if (lengths[index] !== word.length) return false;
  const start = offsets[index] ?? 0;
  for (let i = 0; i < word.length; i++) {
    const byte = buffer[start + i] ?? 0;
    if ((byte >= 0x61 && byte <= 0x7a ? byte - 32 : byte) !== word[i]) return false;
  }
  return true;
}

/** A plain decimal number of at most nine digits, -1 when it is none. */
function numberAt(index: number, buffer: Uint8Array, offsets: Int32Array, lengths: Int32Array, argc: number): number {
  const length = lengths[index] ?? 0;
  if (index >= argc || length < 1 || length > 9) return -1;
  const start = offsets[index] ?? 0;
  let value = 0;
  for (let i = start; i < start + length; i++) {
    const digit = (buffer[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
