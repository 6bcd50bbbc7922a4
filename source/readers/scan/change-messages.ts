// Reads what a subscribed connection sends, in any chunking: keyspace events, invalidations (CLIENT TRACKING, RESP3), and
// the replies in between. A key is given as a place in the bytes received; no object per message.

export interface MessageListener {
  /** @param database -1 where the message does not tell. */
  key(database: number, bytes: Buffer, start: number, length: number): void;
  /** The invalidation of everything: FLUSHALL or FLUSHDB. */
  flushed(): void;
  /** Any other reply: its kind, and its line. */
  reply(kind: number, text: string): void;
}

const CR = 13;
const MINUS = 45;
const ZERO = 48;
const AT = 64;
const UNDERSCORE = 95;
const COLON = 58;
const BULK = 36;
const ARRAY = 42;
const PUSH = 62;
const MAP = 37;
const SET = 126;
const EVENT_CHANNEL = Buffer.from('__keyevent@');
const SPACE_CHANNEL = Buffer.from('__keyspace@');
const INVALIDATE = Buffer.from('invalidate');
const KEYMISS = Buffer.from(':keymiss');

export class ChangeMessages {
  readonly #listener: MessageListener;
  #rest: Buffer = Buffer.alloc(0);
  #bytes: Buffer = this.#rest;
  #at = 0;
  // Of the element read last.
  #kind = 0;
  #number = 0;
  #start = 0;
  #end = 0;

  constructor(listener: MessageListener) {
    this.#listener = listener;
  }

  feed(chunk: Buffer): void {
    this.#bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let whole = 0;
    this.#at = 0;
    while (this.#isWhole()) {
      const behind = this.#at;
      this.#at = whole;
      this.#message();
      this.#at = behind;
      whole = behind;
    }
    // The chunk is a view of a buffer that is read into again.
    this.#rest = Buffer.from(this.#bytes.subarray(whole));
  }

  /** Passes over one message, however nested; false when its end is not there yet. */
  #isWhole(): boolean {
    for (let left = 1; left > 0; left--) {
      if (!this.#next()) return false;
      if (this.#kind === ARRAY || this.#kind === PUSH || this.#kind === SET) left += Math.max(0, this.#number);
      else if (this.#kind === MAP) left += 2 * this.#number;
    }
    return true;
  }

  #next(): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    if (at >= bytes.length) return false;
    this.#kind = bytes[at++] as number;
    this.#start = at;
    const end = bytes.indexOf(CR, at);
    if (end < 0 || end + 1 >= bytes.length) return false;
    this.#end = end;
    const negative = bytes[at] === MINUS;
    let value = 0;
    for (at += negative ? 1 : 0; at < end; at++) value = value * 10 + (bytes[at] as number) - ZERO;
    this.#number = negative ? -value : value;
    this.#at = end + 2;
    if (this.#kind !== BULK || negative) return true;
    this.#start = this.#at;
    this.#end = this.#start + value;
    this.#at = this.#end + 2;
    return this.#at <= bytes.length;
  }

  #message(): void {
    this.#next();
    const kind = this.#kind;
    if ((kind !== ARRAY && kind !== PUSH) || this.#number < 2) {
      this.#listener.reply(kind, this.#bytes.toString('latin1', this.#start, this.#end));
      return;
    }
    const count = this.#number;
    this.#next();
    if (this.#is(INVALIDATE)) {
      this.#invalidation();
      return;
    }
    // pmessage, pattern, channel, payload.
    if (count !== 4) {
      this.#listener.reply(kind, this.#bytes.toString('latin1', this.#start, this.#end));
      return;
    }
    this.#next();
    this.#next();
    this.#notification(this.#start, this.#end);
  }

  #invalidation(): void {
    this.#next();
    if (this.#kind !== ARRAY || this.#number < 0) {
      this.#listener.flushed();
      return;
    }
    for (let left = this.#number; left > 0; left--) {
      this.#next();
      this.#listener.key(-1, this.#bytes, this.#start, this.#end - this.#start);
    }
  }

  #notification(start: number, end: number): void {
    const bytes = this.#bytes;
    const byEvent = startsWith(bytes, start, EVENT_CHANNEL);
    if (!byEvent && !startsWith(bytes, start, SPACE_CHANNEL)) return;
    let at = start;
    while (bytes[at] !== AT) at++;
    let database = 0;
    for (at++; bytes[at] !== UNDERSCORE; at++) database = database * 10 + (bytes[at] as number) - ZERO;
    while (bytes[at] !== COLON) at++;
    if (!byEvent) {
      this.#listener.key(database, bytes, at + 1, end - at - 1);
      return;
    }
    // Reading a key that is not there changes nothing.
    if (end - at === KEYMISS.length && startsWith(bytes, at, KEYMISS)) return;
    this.#next();
    this.#listener.key(database, bytes, this.#start, this.#end - this.#start);
  }

  #is(word: Buffer): boolean {
    return this.#end - this.#start === word.length && startsWith(this.#bytes, this.#start, word);
  }
}

function startsWith(bytes: Buffer, at: number, word: Buffer): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false;
  return true;
}
