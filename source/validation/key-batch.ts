// Keys as they stand in a SCAN reply: `$11\r\nk:000000042\r\n` is a reply's element and a command's argument alike, so a
// whole batch becomes an MGET or EXISTS by putting a head before it.
import { encode } from './connection.ts';
import { EVERY_KEY, type KeyScope } from './key-scope.ts';
import type { Replies } from './reply-link.ts';
import { ReplyError } from './resp-reader.ts';

export interface KeyBatch {
  /** Bulk strings, one after the other, from `starts[0]` to `starts[count]`. */
  readonly bytes: Buffer;
  readonly count: number;
  /** Where each bulk string begins; one more entry than there are keys. */
  readonly starts: Uint32Array;
}

const OWN_KEYS = Buffer.from('redferry:');
const CR = 0x0d;
const ASTERISK = 0x2a;
const MINUS = 0x2d;
const ZERO = 0x30;

export interface Scanned {
  /** Decimal; '0' at the end of the table. */
  readonly cursor: string;
  readonly batch: KeyBatch;
  /** redferry's own keys, which are not in the batch. */
  readonly own: number;
  /** Where the next reply begins. */
  readonly end: number;
}

/** `match` and `type` leave other keys out. */
export function scanCommand(cursor: string, count: number, only: Pick<KeyScope, 'match' | 'type'> = EVERY_KEY): Buffer {
  const { match, type } = only;
  const words = ['SCAN', cursor, 'COUNT', count];
  if (match !== null) words.push('MATCH', match);
  if (type !== null) words.push('TYPE', type);
  return encode([words]);
}

/**
 * Reads the reply of SCAN at `from`: `*2`, cursor, keys. redferry's own keys are left out. The batch is a view.
 * @throws ReplyError on an error reply.
 */
export function scanBatch({ bytes, end }: Replies, from = 0): Scanned {
  if (bytes[from] !== ASTERISK) {
    throw new ReplyError(`SCAN was refused: ${bytes.toString('latin1', from + 1, Math.min(end, from + 200)).trim()}`);
  }
  const cursorHead = lineEnd(bytes, from);
  const cursorAt = lineEnd(bytes, cursorHead);
  const cursorEnd = cursorAt + integer(bytes, cursorHead + 1);
  const cursor = bytes.toString('latin1', cursorAt, cursorEnd);
  const listHead = cursorEnd + 2;
  const found = integer(bytes, listHead + 1);
  const starts = new Uint32Array(found + 1);
  let at = lineEnd(bytes, listHead);
  let own = 0;
  for (let i = 0; i < found; i++) {
    starts[i] = at;
    const body = lineEnd(bytes, at);
    const length = integer(bytes, at + 1);
    if (isOwn(bytes, body, length)) own += 1;
    at = body + length + 2;
  }
  starts[found] = at;
  const batch = { bytes, count: found, starts };
  const others = own === 0 ? batch : batchOf(keysOf(batch).filter((key) => !isOwnKey(key)));
  return { cursor, batch: others, own, end: at };
}

/** The same of keys that are there one by one. */
export function batchOf(keys: readonly Buffer[]): KeyBatch {
  const starts = new Uint32Array(keys.length + 1);
  const parts: Buffer[] = [];
  let at = 0;
  for (const [index, key] of keys.entries()) {
    starts[index] = at;
    const head = Buffer.from(`$${key.length}\r\n`, 'latin1');
    parts.push(head, key, LINE_END);
    at += head.length + key.length + 2;
  }
  starts[keys.length] = at;
  return { bytes: Buffer.concat(parts, at), count: keys.length, starts };
}

const LINE_END = Buffer.from('\r\n');

/** A view of one key. */
export function keyAt(batch: KeyBatch, index: number): Buffer {
  return batch.bytes.subarray(keyStart(batch, index), keyEnd(batch, index));
}

/** Where the bytes of one key begin in those of the batch. */
export function keyStart({ bytes, starts }: KeyBatch, index: number): number {
  return lineEnd(bytes, starts[index] as number);
}

/** Behind the last byte of a key. */
export function keyEnd({ starts }: KeyBatch, index: number): number {
  return (starts[index + 1] as number) - 2;
}

/** The keys as views that are made when they are asked for. */
export function lazyKeys(batch: KeyBatch): { readonly length: number; at(index: number): Buffer | undefined } {
  return { length: batch.count, at: (index) => (index < batch.count ? keyAt(batch, index) : undefined) };
}

/** Views of all keys. */
export function keysOf(batch: KeyBatch): Buffer[] {
  return Array.from({ length: batch.count }, (_, index) => keyAt(batch, index));
}

/** One command for all keys from `from` to `to`: the head takes the place of the name, as `MGET`. */
export function oneCommand(name: string, batch: KeyBatch, from: number, to: number): Buffer[] {
  const head = Buffer.from(`*${to - from + 1}\r\n$${name.length}\r\n${name}\r\n`, 'latin1');
  return [head, batch.bytes.subarray(batch.starts[from], batch.starts[to])];
}

/** A command for each of these keys: `head` + key + `tail`. */
export function eachKey(head: string, tail: string, { bytes, starts }: KeyBatch, indexes: Indexes): Buffer {
  const count = indexes.length;
  let size = count * (head.length + tail.length);
  for (let i = 0; i < count; i++) {
    const index = indexes[i] as number;
    size += (starts[index + 1] as number) - (starts[index] as number);
  }
  const before = Buffer.from(head, 'latin1');
  const behind = Buffer.from(tail, 'latin1');
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const index = indexes[i] as number;
    at = append(out, at, before, 0, before.length);
    at = append(out, at, bytes, starts[index] as number, starts[index + 1] as number);
    at = append(out, at, behind, 0, behind.length);
  }
  return out;
}

/** What is appended is short: a loop beats the call of copy(). */
function append(out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  let place = at;
  for (let i = from; i < to; i++) out[place++] = bytes[i] as number;
  return place;
}

export type Indexes = ArrayLike<number>;

export function isOwnKey(key: Buffer): boolean {
  return isOwn(key, 0, key.length);
}

function isOwn(bytes: Buffer, at: number, length: number): boolean {
  if (length < OWN_KEYS.length || bytes[at] !== OWN_KEYS[0]) return false;
  return OWN_KEYS.compare(bytes, at, at + OWN_KEYS.length) === 0;
}

/** Where the line that begins at `from` has ended. */
export function lineEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== CR) at++;
  return at + 2;
}

/** The number up to the end of the line; -1 for every negative one. */
export function integer(bytes: Buffer, from: number): number {
  let at = from;
  if (bytes[at] === MINUS) return -1;
  let value = 0;
  for (; at < bytes.length && bytes[at] !== CR; at++) value = value * 10 + (bytes[at] as number) - ZERO;
  return value;
}
