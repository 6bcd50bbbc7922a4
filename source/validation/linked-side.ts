// One side with a link to each of its nodes, and the same question about many keys, each at its node.
import { Answers, type Part } from './answers.ts';
import { eachKey, type Indexes, type KeyBatch, keyAt, lineEnd, oneCommand } from './key-batch.ts';
import type { Question } from './questions.ts';
import type { ReplyLink } from './reply-link.ts';
import type { Side } from './side.ts';

const ASTERISK = 0x2a;

/** A side with a link to each of its nodes, in the order of `side.nodes`. */
export interface LinkedSide {
  readonly side: Side;
  readonly links: readonly ReplyLink[];
}

/**
 * Sends `question` about the keys of `batch` at `indexes`, all nodes at once. Rejects with ReplyTooLong when a node's answers
 * are more than `mostBytes`.
 */
export async function askAbout(
  linked: LinkedSide,
  database: number,
  batch: KeyBatch,
  indexes: Indexes,
  question: Question,
  { after = null, mostBytes }: { readonly after?: string | null; readonly mostBytes?: number } = {},
): Promise<Answers> {
  const partOf = new Uint16Array(linked.side.nodes.length === 1 ? 0 : indexes.length);
  const groups = partOf.length === 0 ? [{ node: 0, places: null }] : placesByNode(linked.side, batch, indexes, partOf);
  const together = question.many !== undefined && !linked.side.cluster;
  const asked = await Promise.allSettled(
    groups.map(async ({ node, places }) => {
      const link = linked.links[node];
      if (link === undefined) throw new Error('a node without a link');
      const own = places === null ? indexes : places.map((place) => indexes[place] as number);
      const bytes = together
        ? manyCommand(question.many, batch, own)
        : [eachKey(question.head, question.tail, batch, own)];
      if (after !== null) bytes.push(Buffer.from(after, 'latin1'));
      const replies = (together ? 1 : own.length) + (after === null ? 0 : 1);
      return { link, received: await link.request(bytes, replies, { database, mostBytes }) };
    }),
  );
  const answered = asked.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const release = (): void => {
    for (const { link, received } of answered) link.release(received);
  };
  const failure = asked.find((result) => result.status === 'rejected');
  if (failure !== undefined) {
    release();
    throw failure.reason;
  }
  const parts = answered.map(({ received: { bytes, end } }, number): Part => {
    if (together && bytes[0] !== ASTERISK) throw new Error(refusal(bytes, end));
    return { bytes, end, from: together ? lineEnd(bytes, 0) : 0, places: groups[number]?.places ?? null };
  });
  return new Answers(indexes.length, parts, partOf, question.many !== undefined && !together, release);
}

function placesByNode(
  side: Side,
  batch: KeyBatch,
  indexes: Indexes,
  part: Uint16Array,
): { node: number; places: number[] }[] {
  const groups: { node: number; places: number[] }[] = [];
  const groupOf = new Map<number, number>();
  for (let place = 0; place < indexes.length; place++) {
    const node = side.numberOf(keyAt(batch, indexes[place] as number));
    let group = groupOf.get(node);
    if (group === undefined) {
      group = groups.push({ node, places: [] }) - 1;
      groupOf.set(node, group);
    }
    groups[group]?.places.push(place);
    part[place] = group;
  }
  return groups;
}

function manyCommand(name: string, batch: KeyBatch, indexes: Indexes): Buffer[] {
  const from = indexes[0] ?? 0;
  const to = (indexes[indexes.length - 1] ?? -1) + 1;
  if (to - from === indexes.length) return oneCommand(name, batch, from, to);
  const head = Buffer.from(`*${indexes.length + 1}\r\n$${name.length}\r\n${name}\r\n`, 'latin1');
  return [head, eachKey('', '', batch, indexes)];
}

function refusal(bytes: Buffer, end: number): string {
  return `a server refused to be read: ${bytes.toString('latin1', 1, Math.min(end, 200)).trim()}`;
}
