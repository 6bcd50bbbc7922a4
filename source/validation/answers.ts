// Answers about many keys as the bytes they came in: where each lies is found out when it is needed, and not at all where all
// of them are the same bytes on both sides.
import { integer, lineEnd } from './key-batch.ts';

const ASTERISK = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;

/** What one node answered. */
export interface Part {
  readonly bytes: Buffer;
  /** Where the answers about keys begin. */
  readonly from: number;
  /** Behind the answer to the command without a key. */
  readonly end: number;
  /** Places of its keys among those that were asked about; null for all of them. */
  readonly places: readonly number[] | null;
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
