// The two sides of a conflict: what the snapshot wanted to write, read back from its command, and what the target has. An
// equal value in another encoding is equal: where the bytes of both differ, both are decoded.
import { exactExpiry } from '../../protocol/held-expiry.ts';
import { encodeCommand } from '../../protocol/resp-encode.ts';
import { canDecode } from '../../rdb/decode.ts';
import { type Dialect, FOOTER_BYTES, TYPE } from '../../rdb/format.ts';
import { typeName } from '../../rdb/type-names.ts';
import { digestValue, type ValueDigest } from '../../rdb/value-digest.ts';
import { type BlockLink, type BlockReply, TargetRefusal } from '../../writers/block-link.ts';
import { readRestore } from '../../writers/refused-restores.ts';
import type { ConflictDifference, ConflictSide } from '../contract/conflict.ts';
import { printableKey } from '../shard/refusal.ts';

/** What the snapshot wanted to write. */
export interface Incoming {
  readonly key: Buffer;
  readonly kind: string;
  /** Of a plain string the text itself, else an RDB value of this type. */
  readonly type: number;
  readonly value: Buffer;
  readonly plain: boolean;
  /** Unix ms, or -1. */
  readonly expiresAtMs: number;
}

/** What the target has, as far as it was asked. */
export interface Present {
  /** `none` when the key is gone. */
  readonly kind: string;
  readonly expiresAtMs: number;
  /** In memory; null where MEMORY USAGE is not allowed. */
  readonly bytes: number | null;
}

export type Comparison =
  /** `expired`: for everybody but us, so that it is to be replaced. */
  | { readonly state: 'gone'; readonly expired: boolean }
  | { readonly state: 'equal' }
  | { readonly state: 'different'; readonly difference: ConflictDifference; readonly present: Present };

export interface SideOptions {
  /** Whose meaning the target's type numbers have. */
  readonly dialect: Dialect;
  /** The target knows PEXPIRETIME (7.0). */
  readonly exactExpiry: boolean;
  /** The target is in import-mode: it shows us keys that have expired, and keeps them until the run ends. */
  readonly showsExpired: boolean;
}

/** A larger value of the target is not fetched for a comparison. */
const MOST_FETCHED_BYTES = 8 * 1024 * 1024;
/** Values fetched together. */
const FETCH_BYTES = 2 * 1024 * 1024;
/** What a value takes in memory for each byte of its serialized form, at most: integers in a table with 64-bit pointers. */
const MEMORY_PER_BYTE = 64;
const MEMORY_OF_ANY = 64 * 1024;
/** PTTL counts from the target's clock, and rounds. */
const EXPIRY_TOLERANCE_MS = 1000;

/** Reads SET ... NX and RESTORE as the snapshot writer makes them. */
export function readIncoming(args: readonly Buffer[], dialect: Dialect): Incoming {
  const restored = readRestore(args);
  if (restored !== null && args[0]?.toString('latin1') === 'RESTORE') {
    const { key, type, value, expiresAtMs } = restored;
    return { key, kind: typeName(type, dialect)?.kind ?? 'unknown', type, value, plain: false, expiresAtMs };
  }
  const [, key = Buffer.alloc(0), value = Buffer.alloc(0)] = args;
  const expiry = args[5]?.toString('latin1');
  const expiresAtMs = expiry === undefined ? -1 : Number(expiry);
  return { key, kind: 'string', type: TYPE.string, value, plain: true, expiresAtMs };
}

/** Compares keys of one node and database; `link` must have selected it. @throws FerryError when the link breaks. */
export async function compareSides(
  link: BlockLink,
  incoming: readonly Incoming[],
  options: SideOptions,
): Promise<readonly Comparison[]> {
  const present = await askPresent(
    link,
    incoming.map(({ key }) => key),
    options,
  );
  const results: Comparison[] = present.map((side, index) => {
    const expired = options.showsExpired && side.expiresAtMs >= 0 && side.expiresAtMs <= Date.now();
    if (side.kind === 'none' || expired) return { state: 'gone', expired };
    const difference = incoming[index]?.kind === side.kind ? 'not-compared' : 'type';
    return { state: 'different', difference, present: side };
  });
  const fetchable = incoming.flatMap((ours, index) => {
    const theirs = present[index];
    const isThere = results[index]?.state === 'different';
    return isThere && theirs !== undefined && mayBeEqual(ours, theirs) ? [{ ours, theirs, index }] : [];
  });
  for (const group of inGroups(fetchable, ({ theirs }) => theirs.bytes ?? 0)) {
    const commands = group.map(({ ours }) => encodeCommand([ours.plain ? 'GET' : 'DUMP', ours.key]));
    const replies = await link.run(commands, commands.length);
    group.forEach(({ ours, theirs, index }, place) => {
      results[index] = compareOne(ours, theirs, replies[place] ?? null, options.dialect);
    });
  }
  return results;
}

/** Too large by far to be the same value: it is not fetched to learn that. */
function mayBeEqual(ours: Incoming, theirs: Present): boolean {
  return (
    ours.kind === theirs.kind &&
    theirs.bytes !== null &&
    theirs.bytes <= MOST_FETCHED_BYTES &&
    theirs.bytes <= ours.value.length * MEMORY_PER_BYTE + MEMORY_OF_ANY
  );
}

function compareOne(ours: Incoming, theirs: Present, reply: BlockReply, dialect: Dialect): Comparison {
  if (reply === null) return { state: 'gone', expired: false };
  const different = (difference: ConflictDifference): Comparison => ({
    state: 'different',
    difference,
    present: theirs,
  });
  if (typeof reply !== 'string') return different('not-compared');
  const bytes = Buffer.from(reply, 'latin1');
  if (!(ours.plain ? bytes.equals(ours.value) : sameValue(ours, bytes, dialect))) return different('value');
  return sameExpiry(ours.expiresAtMs, theirs.expiresAtMs) ? { state: 'equal' } : different('expiry');
}

/** @param dump what DUMP gave: type, value, footer. */
function sameValue(ours: Incoming, dump: Buffer, dialect: Dialect): boolean {
  const value = dump.subarray(1, dump.length - FOOTER_BYTES);
  if (dump[0] === ours.type && value.equals(ours.value)) return true;
  const mine = digestOf(ours.type, ours.value, dialect);
  const other = digestOf(dump[0] ?? -1, value, dialect);
  return mine !== null && other !== null && mine.kind === other.kind && mine.digest === other.digest;
}

/** null for what no decoder knows. */
function digestOf(type: number, value: Buffer, dialect: Dialect): ValueDigest | null {
  return canDecode(type, dialect) ? digestValue(type, dialect, value) : null;
}

function sameExpiry(ours: number, theirs: number): boolean {
  if (ours < 0 || theirs < 0) return ours < 0 && theirs < 0;
  return Math.abs(exactExpiry(ours) - exactExpiry(theirs)) <= EXPIRY_TOLERANCE_MS;
}

async function askPresent(
  link: BlockLink,
  keys: readonly Buffer[],
  { exactExpiry }: SideOptions,
): Promise<readonly Present[]> {
  const commands = keys.flatMap((key) => [
    encodeCommand(['TYPE', key]),
    encodeCommand([exactExpiry ? 'PEXPIRETIME' : 'PTTL', key]),
    encodeCommand(['MEMORY', 'USAGE', key]),
  ]);
  const replies = await link.run(commands, commands.length);
  return keys.map((_, index) => {
    const [type, expiry, memory] = replies.slice(index * 3, index * 3 + 3);
    const time = typeof expiry === 'number' && expiry >= 0 ? expiry : -1;
    return {
      kind: typeof type === 'string' ? type : 'unknown',
      expiresAtMs: time < 0 || exactExpiry ? time : Date.now() + time,
      bytes: typeof memory === 'number' ? memory : null,
    };
  });
}

/** The snapshot's side for the person. */
export function showIncoming(incoming: Incoming, dialect: Dialect): ConflictSide {
  const { type, value, plain, kind, expiresAtMs } = incoming;
  const expiry = shownExpiry(expiresAtMs);
  if (plain) {
    const preview = [printableKey(value.subarray(0, SHOWN_BYTES))];
    return { type: kind, size: value.length, bytes: value.length, expiresAtMs: expiry, encoding: null, preview };
  }
  const digest = digestOf(type, value, dialect);
  const encoding = typeName(type, dialect)?.encoding ?? null;
  return { ...shownDigest(kind, digest), bytes: value.length, expiresAtMs: expiry, encoding };
}

/** The target's side for the person: what the comparison knew, and what its value looks like when it is not too big. */
export async function showPresent(
  link: BlockLink,
  key: Buffer,
  options: SideOptions,
): Promise<{ readonly side: ConflictSide; readonly present: Present }> {
  const [present = GONE] = await askPresent(link, [key], options);
  const { kind, bytes, expiresAtMs } = present;
  const [encoding = null] = await link.run([encodeCommand(['OBJECT', 'ENCODING', key])], 1);
  const fetched = bytes !== null && bytes <= MOST_FETCHED_BYTES ? await dumpOf(link, key) : null;
  const digest =
    fetched === null ? null : digestOf(fetched[0] ?? -1, fetched.subarray(1, -FOOTER_BYTES), options.dialect);
  const side = {
    ...shownDigest(kind, digest),
    bytes,
    expiresAtMs: shownExpiry(expiresAtMs),
    encoding: typeof encoding === 'string' ? encoding : null,
  };
  return { side, present };
}

/** Without what a held one is later (protocol/held-expiry.ts); null for none. */
export function shownExpiry(expiresAtMs: number): number | null {
  return expiresAtMs < 0 ? null : exactExpiry(expiresAtMs);
}

const GONE: Present = { kind: 'none', expiresAtMs: -1, bytes: null };

async function dumpOf(link: BlockLink, key: Buffer): Promise<Buffer | null> {
  const [reply = null] = await link.run([encodeCommand(['DUMP', key])], 1);
  return reply === null || reply instanceof TargetRefusal ? null : Buffer.from(String(reply), 'latin1');
}

/** Of each piece of a value. */
const SHOWN_BYTES = 64;

function shownDigest(kind: string, digest: ValueDigest | null): Pick<ConflictSide, 'type' | 'size' | 'preview'> {
  return { type: kind, size: digest?.size ?? null, preview: (digest?.preview ?? []).map(printableKey) };
}

/** Runs of items that together are not much larger than FETCH_BYTES. */
function* inGroups<T>(items: readonly T[], bytesOf: (item: T) => number): Generator<readonly T[]> {
  let group: T[] = [];
  let bytes = 0;
  for (const item of items) {
    if (group.length > 0 && bytes + bytesOf(item) > FETCH_BYTES) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(item);
    bytes += bytesOf(item);
  }
  if (group.length > 0) yield group;
}
