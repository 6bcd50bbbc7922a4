// Compares the value of one key on both sides by its type, in windows, so that neither side's value is ever held whole.
// Encodings, versions and the order of hash tables make no difference here. Each function answers what differs, in
// words, or null. Both sides must be at rest.

import type { Command } from './connection.ts';
import type { Reply } from './resp-reader.ts';
import { count, list, text } from './side.ts';
import { compareStreams } from './stream-content.ts';
import { askBoth, bytes, quote, sameWindow, scanValue, type ValuePair, WINDOW_BYTES, windowOf } from './value-pair.ts';
import { compareVectorSets } from './vector-content.ts';

/** Of a string, from the first byte that differs. */
const SHOWN_BYTES = 32;
/** Of a type that is not known here; by MEMORY USAGE, an estimate. */
const DUMP_BYTES = 64 * 1_048_576;
/** RDB version and CRC64 behind the value: versions may differ. */
const DUMP_FOOTER_BYTES = 10;

/** null when equal; undefined for a value that can not be compared closer than by its DUMP, which differs. */
export async function compareContent(type: string, pair: ValuePair): Promise<string | null | undefined> {
  switch (type) {
    case 'string':
      return compareStrings(pair);
    case 'list':
      return compareLists(pair);
    case 'set':
      return compareSets(pair);
    case 'hash':
      return compareHashes(pair);
    case 'zset':
      return compareSortedSets(pair);
    case 'stream':
      return compareStreams(pair, WINDOW_BYTES);
    case 'vectorset':
      return compareVectorSets(pair);
    default:
      return (await haveSameDump(pair)) ? null : undefined;
  }
}

/** Of a module's type nothing else can be asked. Two servers may well dump the same value as other bytes. */
async function haveSameDump(pair: ValuePair): Promise<boolean> {
  if (pair.bytes > DUMP_BYTES) return false;
  const [[ours], [theirs]] = await askBoth(pair, [['DUMP', pair.key]]);
  const [a, b] = [bytes(ours), bytes(theirs)];
  const end = a.length - DUMP_FOOTER_BYTES;
  return end >= 0 && a.length === b.length && a.compare(b, 0, end, 0, end) === 0;
}

async function compareStrings(pair: ValuePair): Promise<string | null> {
  const lengths = await compareLengths(pair, 'STRLEN', 'bytes');
  if (lengths.difference !== null) return lengths.difference;
  for (let from = 0; from < lengths.length; from += WINDOW_BYTES) {
    const window: Command = ['GETRANGE', pair.key, from, from + WINDOW_BYTES - 1];
    if (await sameWindow(pair, window)) continue;
    const [[ours], [theirs]] = await askBoth(pair, [window]);
    const a = bytes(ours);
    const b = bytes(theirs);
    if (a.equals(b)) continue;
    const at = a.findIndex((byte, index) => byte !== b[index]);
    const shown = (side: Buffer): string => quote(side.subarray(at, at + SHOWN_BYTES));
    return `bytes differ from offset ${from + at}: ${shown(a)}, on the target ${shown(b)}`;
  }
  return null;
}

async function compareLists(pair: ValuePair): Promise<string | null> {
  const lengths = await compareLengths(pair, 'LLEN', 'elements');
  if (lengths.difference !== null) return lengths.difference;
  const step = windowOf(pair, lengths.length);
  for (let from = 0; from < lengths.length; from += step) {
    const window: Command = ['LRANGE', pair.key, from, from + step - 1];
    if (await sameWindow(pair, window)) continue;
    const [[ours], [theirs]] = await askBoth(pair, [window]);
    const a = list(ours ?? null);
    const b = list(theirs ?? null);
    if (a.length !== b.length) return `${a.length} elements from index ${from}, on the target ${b.length}`;
    const at = a.findIndex((element, index) => !bytes(element).equals(bytes(b[index])));
    if (at >= 0) return `element ${from + at} differs: ${quote(a[at])}, on the target ${quote(b[at])}`;
  }
  return null;
}

/** Equal numbers of members, and every one of the source's is on the target: then they are the same set. */
async function compareSets(pair: ValuePair): Promise<string | null> {
  const lengths = await compareLengths(pair, 'SCARD', 'members');
  if (lengths.difference !== null) return lengths.difference;
  for await (const members of scanValue(pair, 'SSCAN', windowOf(pair, lengths.length))) {
    const found = await pair.target(members.map((member) => ['SISMEMBER', pair.key, bytes(member)]));
    const absent = found.findIndex((reply) => count(reply) !== 1);
    if (absent >= 0) return `member ${quote(members[absent])} is not on the target`;
  }
  return null;
}

async function compareHashes(pair: ValuePair): Promise<string | null> {
  const lengths = await compareLengths(pair, 'HLEN', 'fields');
  if (lengths.difference !== null) return lengths.difference;
  for await (const flat of scanValue(pair, 'HSCAN', windowOf(pair, lengths.length))) {
    const fields = flat.filter((_, index) => index % 2 === 0).map(bytes);
    const [reply] = await pair.target([['HMGET', pair.key, ...fields]]);
    const values = list(reply ?? null);
    for (const [index, field] of fields.entries()) {
      const theirs = values[index] ?? null;
      if (theirs === null) return `field ${quote(field)} is not on the target`;
      const ours = bytes(flat[index * 2 + 1]);
      if (ours.equals(bytes(theirs))) continue;
      return `the value of field ${quote(field)} differs: ${quote(ours)}, on the target ${quote(theirs)}`;
    }
  }
  return null;
}

/**
 * By rank: equal sorted sets have equal orders, since ties are ordered by member. -0 equals 0: a server turns the one into
 * the other itself where the set is small (listpack, 7.0), so a copy in another encoding may do so rightly.
 */
async function compareSortedSets(pair: ValuePair): Promise<string | null> {
  const lengths = await compareLengths(pair, 'ZCARD', 'members');
  if (lengths.difference !== null) return lengths.difference;
  const step = windowOf(pair, lengths.length);
  for (let from = 0; from < lengths.length; from += step) {
    const window: Command = ['ZRANGE', pair.key, from, from + step - 1, 'WITHSCORES'];
    if (await sameWindow(pair, window)) continue;
    const [[ours], [theirs]] = await askBoth(pair, [window]);
    const a = list(ours ?? null);
    const b = list(theirs ?? null);
    for (let i = 0; i < a.length; i += 2) {
      const member = bytes(a[i]);
      const score = parseScore(a[i + 1] ?? null);
      if (member.equals(bytes(b[i])) && score === parseScore(b[i + 1] ?? null)) continue;
      const [reply] = await pair.target([['ZSCORE', pair.key, member]]);
      if (reply === null || reply === undefined) return `member ${quote(member)} is not on the target`;
      const other = parseScore(reply);
      if (score === other) return `rank ${from + i / 2} holds another member on the target`;
      return `member ${quote(member)} has the score ${score}, on the target ${other}`;
    }
  }
  return null;
}

/**
 * The double that a score's text stands for. 7.0 prints 17 digits and 7.2 the shortest text that reads back the same,
 * so texts may differ where doubles do not.
 */
export function parseScore(reply: Reply): number {
  const written = text(reply);
  if (/^[+]?inf(inity)?$/i.test(written)) return Number.POSITIVE_INFINITY;
  if (/^-inf(inity)?$/i.test(written)) return Number.NEGATIVE_INFINITY;
  return Number(written);
}

async function compareLengths(
  pair: ValuePair,
  command: string,
  unit: string,
): Promise<{ length: number; difference: string | null }> {
  const [[ours], [theirs]] = await askBoth(pair, [[command, pair.key]]);
  const length = count(ours);
  const other = count(theirs);
  return { length, difference: length === other ? null : `${length} ${unit}, on the target ${other}` };
}
