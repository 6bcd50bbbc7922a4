// Fetches the values of a list of keys, with their expiries, over one link. First the source is asked how large they are:
// what is above the limit is never fetched whole. Strings come by MGET (0.9 us of the source's time for 473 bytes, its
// expiry included; DUMP 2.5 us, measured on Redis 7.0.15), whatever else by DUMP. A standalone answers values and expiries
// in one transaction; a cluster, where a transaction takes one slot, and a source above its maxmemory do not: a change between
// the two is told by its event.

import { steadyMs } from '../../engine/steady-clock.ts';
import { RespBuilder } from '../../protocol/resp-builder.ts';
import type { ServerVersion } from '../../topology/topology.ts';
import { FetchedValues, FOUND, type Found } from './fetched-values.ts';
import type { KeyList } from './key-list.ts';
import { ReplyCursor, SourceRefusal } from './reply-cursor.ts';
import type { SourceLink } from './source-link.ts';

export interface FetcherOptions {
  readonly version: ServerVersion;
  readonly cluster: boolean;
  /** Values of more bytes in the source's memory are read by elements. */
  readonly bigBytes: number;
  /** The source does not say how large values are. */
  readonly sizesUnknown: (reply: string) => void;
}

/** Values of one request together: they are held until they are written. */
const GROUP_BYTES = 2 * 1024 * 1024;
/** Below this share of strings MGET would mostly ask for nothing. */
const LEAST_STRINGS = 0.2;
/** A source above its maxmemory is asked once more whether it takes transactions after this time. */
const PLAIN_MS = 10_000;
const NOWHERE = new Uint16Array(0);
/** How fast the share follows what was found. */
const SHARE_WEIGHT = 0.2;

export class ValueFetcher {
  readonly #options: FetcherOptions;
  readonly #request = new RespBuilder(64 * 1024);
  readonly #cursor = new ReplyCursor();
  readonly #values: FetchedValues;
  #stringShare = 1;
  #sizesKnown = true;
  /** Until when a source above its maxmemory is asked without transactions, by steadyMs. */
  #plainUntilMs = 0;
  /** The request that is being made is a transaction. */
  #isolated = false;

  constructor(keys: KeyList, options: FetcherOptions) {
    this.#options = options;
    this.#values = new FetchedValues(keys);
  }

  /**
   * Fetches the list in groups; each belongs to `deliver` until what that gives resolves.
   * @throws FerryError when the link breaks or the source refuses to be read.
   */
  async fetch(link: SourceLink, keys: KeyList, deliver: (values: FetchedValues) => Promise<void>): Promise<void> {
    const values = this.#values;
    values.begin(keys);
    if (this.#sizesKnown) await this.#askSizes(link, keys);
    else values.sizes.fill(-1, 0, keys.count);
    let next = 0;
    while (next < keys.count) {
      let bytes = 0;
      values.count = 0;
      for (; next < keys.count && (values.count === 0 || bytes < GROUP_BYTES); next++) {
        values.places[values.count++] = next;
        if (values.found[next] === FOUND.asked) bytes += Math.max(0, values.sizes[next] as number);
      }
      await this.#fetchGroup(link, values);
      await deliver(values);
      for (const replies of values.replies) link.release(replies);
      values.replies = [];
    }
  }

  async #askSizes(link: SourceLink, keys: KeyList): Promise<void> {
    const request = this.#request;
    const values = this.#values;
    const cursor = this.#cursor;
    request.clear();
    for (let i = 0; i < keys.count; i++) {
      request.command(3);
      request.text('MEMORY');
      request.text('USAGE');
      request.argument(keys.bytes, keys.start(i), keys.end(i));
    }
    const replies = await link.ask(request.written(), keys.count, keys.database);
    cursor.begin(replies.bytes);
    for (let i = 0; i < keys.count; i++) {
      cursor.next();
      values.sizes[i] = -1;
      if (cursor.isError) this.#sizeRefused(i);
      else if (cursor.isNull) values.found[i] = FOUND.gone;
      else {
        values.sizes[i] = cursor.number;
        if (cursor.number > this.#options.bigBytes) values.found[i] = FOUND.big;
      }
    }
    link.release(replies);
  }

  #sizeRefused(index: number): void {
    const text = this.#cursor.text();
    if (isElsewhere(text)) this.#values.found[index] = FOUND.elsewhere;
    else if (/^NOPERM|unknown command/i.test(text)) {
      if (this.#sizesKnown) this.#options.sizesUnknown(text);
      this.#sizesKnown = false;
    } else throw new SourceRefusal(text);
  }

  async #fetchGroup(link: SourceLink, values: FetchedValues): Promise<void> {
    const asked = this.#placesOf(values, FOUND.asked);
    if (asked.length > 0) await this.#askValuesAnyhow(link, values, asked);
    const elsewhere = values.keys.isChange ? this.#placesOf(values, FOUND.elsewhere) : NOWHERE;
    if (elsewhere.length > 0) await this.#askImported(link, values, elsewhere);
  }

  #placesOf(values: FetchedValues, found: Found): Uint16Array {
    return values.places.subarray(0, values.count).filter((place) => values.found[place] === found);
  }

  /** Above its maxmemory a source takes no command into a transaction, reads neither (processCommand, server.c). */
  async #askValuesAnyhow(link: SourceLink, values: FetchedValues, asked: Uint16Array): Promise<void> {
    try {
      await this.#askValues(link, values, asked);
    } catch (error) {
      if (!(error instanceof SourceRefusal) || !error.reply.startsWith('OOM') || !this.#isolates) throw error;
      this.#plainUntilMs = steadyMs() + PLAIN_MS;
      await this.#askValues(link, values, this.#placesOf(values, FOUND.asked));
    }
  }

  /** Whether values and expiries are asked for in one transaction. */
  get #isolates(): boolean {
    return !this.#options.cluster && steadyMs() >= this.#plainUntilMs;
  }

  async #askValues(link: SourceLink, values: FetchedValues, asked: Uint16Array): Promise<void> {
    let others = asked;
    if (this.#stringShare >= LEAST_STRINGS) {
      await this.#askStrings(link, values, asked);
      others = asked.filter((place) => values.found[place] === FOUND.asked);
    }
    if (others.length > 0) await this.#askPayloads(link, values, others);
    const strings = asked.reduce((sum, place) => sum + (this.#isString(values, place) ? 1 : 0), 0);
    this.#stringShare += (strings / asked.length - this.#stringShare) * SHARE_WEIGHT;
  }

  #isString(values: FetchedValues, place: number): boolean {
    if (values.found[place] === FOUND.text) return true;
    return (
      values.found[place] === FOUND.payload &&
      values.replies[values.reply[place] as number]?.bytes[values.start[place] as number] === 0
    );
  }

  async #askStrings(link: SourceLink, values: FetchedValues, places: Uint16Array): Promise<void> {
    const request = this.#begin();
    const { keys } = values;
    const { cluster } = this.#options;
    if (!cluster) {
      request.command(places.length + 1);
      request.text('MGET');
    }
    for (const place of places) {
      if (cluster) {
        request.command(2);
        request.text('GET');
      }
      request.argument(keys.bytes, keys.start(place), keys.end(place));
    }
    await this.#askExpiries(link, values, places, cluster ? places.length : 1, () => {
      if (!cluster) this.#cursor.next();
      for (const place of places) this.#takeValue(values, place, FOUND.text);
    });
  }

  async #askPayloads(link: SourceLink, values: FetchedValues, places: Uint16Array): Promise<void> {
    const request = this.#begin();
    const { keys } = values;
    for (const place of places) {
      request.command(2);
      request.text('DUMP');
      request.argument(keys.bytes, keys.start(place), keys.end(place));
    }
    await this.#askExpiries(link, values, places, places.length, () => {
      for (const place of places) {
        this.#takeValue(values, place, FOUND.payload);
        if (values.found[place] === FOUND.asked) values.found[place] = FOUND.gone;
      }
    });
  }

  /** A key that is told of and is said to be elsewhere may have come already, before its slot. */
  async #askImported(link: SourceLink, values: FetchedValues, places: Uint16Array): Promise<void> {
    const request = this.#request;
    const cursor = this.#cursor;
    const { keys } = values;
    const absolute = knowsExpireTime(this.#options.version);
    request.clear();
    for (const place of places) {
      for (const command of ['DUMP', absolute ? 'PEXPIRETIME' : 'PTTL']) {
        request.add('ASKING');
        request.command(2);
        request.text(command);
        request.argument(keys.bytes, keys.start(place), keys.end(place));
      }
    }
    const replies = await link.ask(request.written(), places.length * 4, keys.database);
    values.replies.push(replies);
    cursor.begin(replies.bytes);
    const nowMs = Date.now();
    for (const place of places) {
      cursor.next();
      this.#takeValue(values, place, FOUND.payload);
      cursor.next();
      cursor.next();
      const expiry = cursor.isError || cursor.number < 0 ? -1 : cursor.number;
      values.expiresAtMs[place] = expiry < 0 || absolute ? expiry : nowMs + expiry;
    }
  }

  /** The head of a request: of a transaction where one is possible. */
  #begin(): RespBuilder {
    const request = this.#request;
    request.clear();
    this.#isolated = this.#isolates;
    if (this.#isolated) request.add('MULTI');
    return request;
  }

  /** Ends a request with the expiries of its keys, sends it, and reads the values by `takeValues`, then the expiries. */
  async #askExpiries(
    link: SourceLink,
    values: FetchedValues,
    places: Uint16Array,
    valueCommands: number,
    takeValues: () => void,
  ): Promise<void> {
    const request = this.#request;
    const cursor = this.#cursor;
    const { keys } = values;
    const isolated = this.#isolated;
    const absolute = knowsExpireTime(this.#options.version);
    for (const place of places) {
      request.command(2);
      request.text(absolute ? 'PEXPIRETIME' : 'PTTL');
      request.argument(keys.bytes, keys.start(place), keys.end(place));
    }
    // What PTTL is counted from.
    if (!absolute) request.add('TIME');
    const commands = valueCommands + places.length + (absolute ? 0 : 1);
    if (isolated) request.add('EXEC');
    const replies = await link.ask(request.written(), isolated ? commands + 2 : commands, keys.database);
    values.replies.push(replies);
    cursor.begin(replies.bytes);
    if (isolated) {
      cursor.pass(commands + 1);
      cursor.next();
      if (cursor.isError) throw new SourceRefusal(cursor.text());
    }
    takeValues();
    for (const place of places) {
      cursor.next();
      values.expiresAtMs[place] = cursor.isError ? -1 : Math.max(-1, cursor.number);
    }
    if (!absolute) this.#makeAbsolute(values, places);
  }

  /** Reads the next reply as the value of that key. */
  #takeValue(values: FetchedValues, place: number, kind: 1 | 2): void {
    const cursor = this.#cursor;
    cursor.next();
    if (cursor.isError) {
      const text = cursor.text();
      if (isElsewhere(text)) values.found[place] = FOUND.elsewhere;
      else if (!text.startsWith('WRONGTYPE')) this.#valueRefused(values, place, text);
      return;
    }
    if (cursor.isNull) return;
    values.found[place] = kind;
    values.reply[place] = values.replies.length - 1;
    values.start[place] = cursor.start;
    values.end[place] = cursor.end;
  }

  /** Rights may be missing for some keys only. */
  #valueRefused(values: FetchedValues, place: number, text: string): void {
    if (!text.startsWith('NOPERM')) throw new SourceRefusal(text);
    values.found[place] = FOUND.refused;
    values.reasons.set(place, text);
  }

  #makeAbsolute(values: FetchedValues, places: Uint16Array): void {
    const cursor = this.#cursor;
    cursor.next();
    cursor.next();
    const seconds = Number(cursor.text());
    cursor.next();
    const nowMs = seconds * 1000 + Math.floor(Number(cursor.text()) / 1000);
    for (const place of places) {
      const left = values.expiresAtMs[place] as number;
      if (left >= 0) values.expiresAtMs[place] = nowMs + left;
    }
  }
}

/** PEXPIRETIME is of 7.0. */
export function knowsExpireTime({ product, major }: ServerVersion): boolean {
  return product === 'Valkey' || major >= 7;
}

/** Another node has the key's slot, or is about to get it. */
function isElsewhere(reply: string): boolean {
  return reply.startsWith('MOVED') || reply.startsWith('ASK');
}
