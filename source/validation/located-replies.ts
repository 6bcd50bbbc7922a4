// Asks one side the same question about many keys, each at its node, and says where in the bytes received each answer lies.

import { type Command, encode } from './connection.ts';
import type { KeyPlaces } from './database-numbers.ts';
import { eachKey, type Indexes, integer, type KeyBatch, keyAt, lineEnd, oneCommand } from './key-batch.ts';
import { type ReplyLink, ReplyTooLong } from './reply-link.ts';
import type { Side } from './side.ts';

/** A side with a link to each of its nodes, in the order of `side.nodes`. */
export interface LinkedSide {
  readonly side: Side;
  readonly links: readonly ReplyLink[];
}

/** A command for each key, around its bulk string; `many` where one command may take all keys of a node. */
export interface Question {
  readonly head: string;
  readonly tail: string;
  readonly many?: string;
}

/** A command without a key, sent once to each node behind the others. */
export const AFTER = {
  keyspace: '*2\r\n$4\r\nINFO\r\n$8\r\nkeyspace\r\n',
  time: '*1\r\n$4\r\nTIME\r\n',
} as const;

interface Part {
  readonly bytes: Buffer;
  /** Where the answers about keys begin. */
  readonly from: number;
  /** Behind the answer to the command without a key. */
  readonly end: number;
  /** Places of its keys among those that were asked about; null for all of them. */
  readonly places: readonly number[] | null;
}

export const QUESTIONS = {
  /** Unlike STRLEN no type makes it fail. */
  size: { head: '*3\r\n$6\r\nMEMORY\r\n$5\r\nUSAGE\r\n', tail: '' },
  /** Unlike GET it answers nil, and counts no error on the server, where the value is no string. */
  string: { head: '*2\r\n$4\r\nMGET\r\n', tail: '', many: 'MGET' },
  /** Cut off behind the largest that is small; nothing where there is no key, and an error for other types. */
  head: { head: '*4\r\n$8\r\nGETRANGE\r\n', tail: '$1\r\n0\r\n$5\r\n65536\r\n' },
  type: { head: '*2\r\n$4\r\nTYPE\r\n', tail: '' },
  expiresAt: { head: '*2\r\n$11\r\nPEXPIRETIME\r\n', tail: '' },
  timeLeft: { head: '*2\r\n$4\r\nPTTL\r\n', tail: '' },
  exists: { head: '*2\r\n$6\r\nEXISTS\r\n', tail: '' },
  hash: { head: '*2\r\n$7\r\nHGETALL\r\n', tail: '' },
  list: { head: '*4\r\n$6\r\nLRANGE\r\n', tail: '$1\r\n0\r\n$2\r\n-1\r\n' },
  set: { head: '*2\r\n$8\r\nSMEMBERS\r\n', tail: '' },
  zset: { head: '*5\r\n$6\r\nZRANGE\r\n', tail: '$1\r\n0\r\n$2\r\n-1\r\n$10\r\nWITHSCORES\r\n' },
} as const satisfies Record<string, Question>;

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

/** Answers by the place of the key among those that were asked about. Where each lies is found out when it is needed. */
export class Answers {
  readonly count: number;
  /** Gives the buffers back: nothing of it may be looked at any more. */
  readonly release: () => void;
  readonly #parts: readonly Part[];
  /** By place, the number of its part; empty when there is one. */
  readonly #partOf: Uint16Array;
  /** Each answer in an array of its own, as MGET of one key gives it. */
  readonly #wrapped: boolean;
  #starts: Uint32Array | null = null;
  #ends = new Uint32Array(0);
  /** By part, where the answer to the command without a key begins. */
  #after: number[] = [];

  constructor(count: number, parts: readonly Part[], partOf: Uint16Array, wrapped: boolean, release: () => void) {
    this.count = count;
    this.#parts = parts;
    this.#partOf = partOf;
    this.#wrapped = wrapped;
    this.release = release;
  }

  /** The first byte of an answer: what kind of reply it is. */
  kindOf(place: number): number {
    const starts = this.#locate();
    return this.#bytesOf(place)[starts[place] as number] ?? 0;
  }

  /** The number in an answer: -1 for nil and for every negative one. */
  numberIn(place: number): number {
    const starts = this.#locate();
    return integer(this.#bytesOf(place), (starts[place] as number) + 1);
  }

  /** The text of a one-line answer. */
  lineIn(place: number): string {
    const starts = this.#locate();
    return this.#bytesOf(place).toString('latin1', (starts[place] as number) + 1, (this.#ends[place] as number) - 2);
  }

  /** The number in an answer; -1 and -2 are told apart. */
  signedIn(place: number): number {
    const number = this.numberIn(place);
    if (number >= 0) return number;
    const digit = (this.#starts as Uint32Array)[place] as number;
    return ZERO - (this.#bytesOf(place)[digit + 2] as number);
  }

  /** The number of the node's part, for `textsAfter`. */
  partOf(place: number): number {
    return this.#partOf[place] ?? 0;
  }

  /** What each node answered to the command without a key, by part. */
  textsAfter(): string[] {
    this.#locate();
    return this.#parts.map(({ bytes, end }, number) => bytes.toString('latin1', this.#after[number], end));
  }

  /** Whether the answers about one key are the same bytes. */
  sameAs(other: Answers, place: number): boolean {
    const start = this.#locate()[place] as number;
    const end = this.#ends[place] as number;
    const otherStart = other.#locate()[place] as number;
    const otherEnd = other.#ends[place] as number;
    if (end - start !== otherEnd - otherStart) return false;
    return this.#bytesOf(place).compare(other.#bytesOf(place), otherStart, otherEnd, start, end) === 0;
  }

  /**
   * Whether the answers about one key are arrays of the same elements, in any order: `together` of them belong together, as
   * field and value. Tables of one content give it in the order of their own hash seed.
   */
  sameElementsAs(other: Answers, place: number, together: number): boolean {
    const ours = this.#elementsOf(place, together);
    const theirs = other.#elementsOf(place, together);
    if (ours === null || theirs === null || ours.size !== theirs.size) return false;
    for (const element of ours) if (!theirs.has(element)) return false;
    return true;
  }

  /** Each with its length before it, so that no two differ and look alike; null for a reply that is no array. */
  #elementsOf(place: number, together: number): Set<string> | null {
    const starts = this.#locate();
    const bytes = this.#bytesOf(place);
    const start = starts[place] as number;
    if (bytes[start] !== ASTERISK) return null;
    const elements = new Set<string>();
    const end = this.#ends[place] as number;
    for (let at = lineEnd(bytes, start); at < end; ) {
      const from = at;
      for (let part = 0; part < together && at < end; part++) at = afterReply(bytes, at);
      elements.add(bytes.toString('latin1', from, at));
    }
    return elements;
  }

  /** Whether all answers are the same bytes in the same order: one comparison for a thousand keys. */
  allAs(other: Answers): boolean {
    const [ours] = this.#parts;
    const [theirs] = other.#parts;
    if (ours === undefined || theirs === undefined || this.#parts.length + other.#parts.length > 2) return false;
    if (ours.end - ours.from !== theirs.end - theirs.from) return false;
    return ours.bytes.compare(theirs.bytes, theirs.from, theirs.end, ours.from, ours.end) === 0;
  }

  #bytesOf(place: number): Buffer {
    return (this.#parts[this.#partOf[place] ?? 0] as Part).bytes;
  }

  #locate(): Uint32Array {
    if (this.#starts !== null) return this.#starts;
    const starts = new Uint32Array(this.count);
    const ends = new Uint32Array(this.count);
    for (const { bytes, from, places } of this.#parts) {
      const count = places?.length ?? this.count;
      let at = from;
      for (let i = 0; i < count; i++) {
        const place = places === null ? i : (places[i] as number);
        if (this.#wrapped && bytes[at] === ASTERISK) at = lineEnd(bytes, at);
        starts[place] = at;
        at = afterReply(bytes, at);
        ends[place] = at;
      }
      this.#after.push(at);
    }
    this.#ends = ends;
    this.#starts = starts;
    return starts;
  }
}

/** Whether both sides answer a command about one key with the same bytes; an error, or too much, is not the same. */
export async function sameAnswerTo(
  source: LinkedSide,
  target: LinkedSide,
  key: Buffer,
  places: KeyPlaces,
  command: Command,
): Promise<boolean> {
  const [ourDatabase, another] = places.source;
  // Which of several has the key is not known here.
  if (ourDatabase === undefined || another !== undefined) return false;
  const wire = encode([command]);
  const sides = [
    { ...source, database: ourDatabase },
    { ...target, database: places.target },
  ];
  const asked = await Promise.allSettled(
    sides.map(async ({ side, links, database }) => {
      const link = links[side.numberOf(key)];
      if (link === undefined) throw new Error('a node without a link');
      return { link, replies: await link.request([wire], 1, { database, mostBytes: MOST_WINDOW_BYTES }) };
    }),
  );
  const answered = asked.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const [ours, theirs] = answered;
  const same =
    ours !== undefined &&
    theirs !== undefined &&
    ours.replies.bytes[0] !== MINUS &&
    ours.replies.end === theirs.replies.end &&
    ours.replies.bytes.compare(theirs.replies.bytes, 0, theirs.replies.end, 0, ours.replies.end) === 0;
  for (const { link, replies } of answered) link.release(replies);
  const failure = asked.find((result) => result.status === 'rejected');
  if (failure !== undefined && !(failure.reason instanceof ReplyTooLong)) throw failure.reason;
  return same;
}

/** A window is about a megabyte, by an estimate. */
const MOST_WINDOW_BYTES = 16 * 1_048_576;

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

const ASTERISK = 0x2a;
const MINUS = 0x2d;
const DOLLAR = 0x24;
const ZERO = 0x30;

/** Where the reply that begins at `from` has ended. */
function afterReply(bytes: Buffer, from: number): number {
  if (bytes[from] === DOLLAR) {
    const body = lineEnd(bytes, from);
    const length = integer(bytes, from + 1);
    return length < 0 ? body : body + length + 2;
  }
  let at = from;
  for (let open = 1; open > 0; open--) {
    const kind = bytes[at] as number;
    const body = lineEnd(bytes, at);
    if (kind === DOLLAR) {
      const length = integer(bytes, at + 1);
      at = length < 0 ? body : body + length + 2;
    } else {
      if (kind === ASTERISK) open += Math.max(0, integer(bytes, at + 1));
      at = body;
    }
  }
  return at;
}

function refusal(bytes: Buffer, end: number): string {
  return `a server refused to be read: ${bytes.toString('latin1', 1, Math.min(end, 200)).trim()}`;
}
