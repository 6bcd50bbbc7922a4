// One walk over the keys of a source with SCAN, database after database. COUNT follows how long the source takes for a
// call, beyond the round trip: the source serves nobody else meanwhile.
import { isOwnName } from '../../protocol/own-names.ts';
import { encodeCommand } from '../../protocol/resp-encode.ts';
import { ReplyCursor, SourceRefusal } from './reply-cursor.ts';
import type { SourceLink } from './source-link.ts';

export interface ScanFilter {
  /** Glob that the source holds against each key, or null. */
  readonly match: string | null;
  /** Only keys of this type (6.0), or null. */
  readonly type: string | null;
}

export interface FoundDatabase {
  readonly database: number;
  readonly keys: number;
}

/** What one call may take of the source's time, ms. */
const LONG_CALL_MS = 4;
const SHORT_CALL_MS = 1;
const FIRST_COUNT = 256;
const LEAST_COUNT = 16;
const MOST_COUNT = 2048;
/** Low bits of a cursor that are the slot, in clusters with a table for each slot (Redis 7.4, Valkey 8). */
const SLOT_BITS = 14;

export class KeyScan {
  readonly #databases: readonly FoundDatabase[];
  readonly #filter: ScanFilter;
  readonly #cursor = new ReplyCursor();
  #index = 0;
  #position = '0';
  #count = FIRST_COUNT;
  #shortestMs = Number.POSITIVE_INFINITY;
  /** Keys that the source gave. */
  found = 0;
  done: boolean;

  constructor(databases: readonly FoundDatabase[], filter: ScanFilter) {
    this.#databases = databases;
    this.#filter = filter;
    this.done = databases.length === 0;
  }

  /** Begins anew: the cursors of another server mean nothing. */
  restart(): void {
    this.#index = 0;
    this.#position = '0';
    this.found = 0;
    this.done = this.#databases.length === 0;
  }

  /** The next call; gives its keys to `take`. A call that throws is made again by the next. @throws FerryError */
  async step(link: SourceLink, take: (database: number, bytes: Buffer, start: number, length: number) => void) {
    const place = this.#databases[this.#index];
    if (place === undefined) return;
    const { match, type } = this.#filter;
    const args = ['SCAN', this.#position, 'COUNT', String(this.#count)];
    if (match !== null) args.push('MATCH', match);
    if (type !== null) args.push('TYPE', type);
    const askedAtMs = performance.now();
    const replies = await link.ask(encodeCommand(args), 1, place.database);
    this.#adapt(performance.now() - askedAtMs);
    const cursor = this.#cursor;
    cursor.begin(replies.bytes);
    cursor.next();
    if (cursor.isError) throw new SourceRefusal(cursor.text());
    cursor.next();
    const next = cursor.text();
    cursor.next();
    const keys = cursor.number;
    for (let i = 0; i < keys; i++) {
      cursor.next();
      const length = cursor.end - cursor.start;
      if (!isOwnName(replies.bytes, cursor.start, length)) take(place.database, replies.bytes, cursor.start, length);
    }
    link.release(replies);
    this.found += keys;
    this.#position = next;
    if (next !== '0') return;
    this.#index++;
    this.done = this.#index === this.#databases.length;
  }

  /** Keys to expect in all; with a filter that is guessed from how far the cursor has come. */
  total(slotCursors: boolean): number {
    const all = this.#databases.reduce((sum, { keys }) => sum + keys, 0);
    if (this.done) return this.found;
    if (this.#filter.match === null && this.#filter.type === null) return Math.max(all, this.found);
    const share = this.#share(slotCursors, all);
    return share <= 0 ? Math.max(all, this.found) : Math.max(this.found, Math.round(this.found / share));
  }

  #share(slotCursors: boolean, all: number): number {
    const place = this.#databases[this.#index];
    if (place === undefined || all === 0) return 1;
    const before = this.#databases.slice(0, this.#index).reduce((sum, { keys }) => sum + keys, 0);
    return (before + place.keys * cursorShare(BigInt(this.#position), place.keys, slotCursors)) / all;
  }

  #adapt(ms: number): void {
    this.#shortestMs = Math.min(this.#shortestMs, ms);
    const own = ms - this.#shortestMs;
    if (own > LONG_CALL_MS) this.#count = Math.max(LEAST_COUNT, this.#count >> 1);
    else if (own < SHORT_CALL_MS) this.#count = Math.min(MOST_COUNT, this.#count * 2);
  }
}

/**
 * How far a cursor has come, 0 to 1: it counts through the buckets of the table with its bits reversed (dictScan, dict.c).
 * @param keys in the table, from which its size follows: the next power of two.
 */
export function cursorShare(cursor: bigint, keys: number, slotCursors: boolean): number {
  if (slotCursors) return Number(BigInt.asUintN(SLOT_BITS, cursor)) / 2 ** SLOT_BITS;
  const bits = Math.max(2, Math.ceil(Math.log2(Math.max(2, keys))));
  let reversed = 0;
  for (let bit = 0; bit < bits; bit++) {
    if ((cursor >> BigInt(bit)) & 1n) reversed += 2 ** (bits - 1 - bit);
  }
  return reversed / 2 ** bits;
}
