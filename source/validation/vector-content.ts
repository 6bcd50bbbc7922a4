// Compares two vector sets (Redis 8): dimension, quantization, members with their vectors as they are stored, and attributes.
// Left out is the graph between them, which is drawn by lot on each server and no copy can have the same.
import type { Reply } from './resp-reader.ts';
import { count, list, text } from './side.ts';
import { askBoth, bytes, quote, type ValuePair, windowOf } from './value-pair.ts';

/** Their names can only be had all at once (no cursor in 8.0). */
const MOST_MEMBERS = 100_000;

/** null when equal; undefined where there are too many members to hold their names. */
export async function compareVectorSets(pair: ValuePair): Promise<string | null | undefined> {
  const { key } = pair;
  const [ours, theirs] = await askBoth(pair, [
    ['VCARD', key],
    ['VINFO', key],
  ]);
  const members = count(ours[0]);
  if (members !== count(theirs[0])) return `${members} members, on the target ${count(theirs[0])}`;
  for (const name of ['vector-dim', 'quant-type', 'projection-input-dim']) {
    const [a, b] = [fieldOf(ours[1], name), fieldOf(theirs[1], name)];
    if (a !== b) return `${name} is ${a}, on the target ${b}`;
  }
  if (members > MOST_MEMBERS) return undefined;
  // As many as there are, and none twice: all of them.
  const [names] = await pair.source([['VRANDMEMBER', key, members]]);
  const all = list(names ?? null).map(bytes);
  const step = windowOf(pair, members);
  for (let from = 0; from < all.length; from += step) {
    const difference = await compareMembers(pair, all.slice(from, from + step));
    if (difference !== null) return difference;
  }
  return null;
}

async function compareMembers(pair: ValuePair, members: readonly Buffer[]): Promise<string | null> {
  const { key } = pair;
  const [ours, theirs] = await askBoth(
    pair,
    members.flatMap((member) => [
      ['VEMB', key, member, 'RAW'],
      ['VGETATTR', key, member],
    ]),
  );
  for (const [index, member] of members.entries()) {
    const at = index * 2;
    if ((theirs[at] ?? null) === null) return `member ${quote(member)} is not on the target`;
    if (!sameVector(ours[at], theirs[at])) return `the vector of member ${quote(member)} differs`;
    const [a, b] = [attributes(ours[at + 1]), attributes(theirs[at + 1])];
    if (a !== b) return `the attributes of member ${quote(member)} differ: ${a}, on the target ${b}`;
  }
  return null;
}

/** Kind, stored bytes, then norm and range as the text of doubles. */
function sameVector(a: Reply | undefined, b: Reply | undefined): boolean {
  const [kind, stored, ...numbers] = list(a ?? null);
  const [otherKind, otherStored, ...otherNumbers] = list(b ?? null);
  return (
    text(kind ?? null) === text(otherKind ?? null) &&
    bytes(stored).equals(bytes(otherStored)) &&
    numbers.length === otherNumbers.length &&
    numbers.every((number, index) => Number(text(number)) === Number(text(otherNumbers[index] ?? null)))
  );
}

function attributes(reply: Reply | undefined): string {
  return reply === null || reply === undefined ? 'none' : quote(reply);
}

function fieldOf(reply: Reply | undefined, name: string): string {
  const flat = list(reply ?? null);
  const at = flat.findIndex((field, index) => index % 2 === 0 && text(field) === name);
  return at < 0 ? 'unknown' : text(flat[at + 1] ?? null);
}
