// Compares one key thoroughly: there at all, type, value, expiry, field expiries. All that differs is told, not the first.
// The quick path sends here only keys whose DUMP or expiry differed, or that are too big for it.

import type { Command } from './connection.ts';
import { compareContent } from './content.ts';
import type { KeyPlaces } from './database-numbers.ts';
import { clockOf, expiryCommand, expiryOf, NO_EXPIRY, sameExpiry, settledExpiry, showExpiry } from './expiry.ts';
import type { Aspect } from './report.ts';
import { type Reply, ReplyError } from './resp-reader.ts';
import { count, list, type Side, text } from './side.ts';
import {
  type Ask,
  bytes,
  type OnDrift,
  quote,
  type SameAnswer,
  scanValue,
  type ValuePair,
  windowOf,
} from './value-pair.ts';

export interface KeyQuestion {
  readonly source: Side;
  readonly target: Side;
  readonly places: KeyPlaces;
  readonly key: Buffer;
  readonly toleranceMs: number;
  /** A key this near to its expiry is neither equal nor different. */
  readonly guardMs: number;
  readonly entriesRead: boolean;
  readonly onDrift: OnDrift;
  readonly same?: SameAnswer | undefined;
}

export type KeyVerdict = { readonly type: string } & (
  | { readonly verdict: 'equal' }
  /** Expired while it was compared, or about to. */
  | { readonly verdict: 'expiring' }
  /** On neither side any more; the type is `none`. */
  | { readonly verdict: 'gone' }
  /** Said to be equal by nothing, and to differ by nothing that counts. */
  | { readonly verdict: 'unreadable'; readonly reason: string }
  | { readonly verdict: 'different'; readonly aspects: readonly Aspect[]; readonly detail: string }
);

interface Presence {
  readonly type: string;
  readonly expiresAtMs: number;
  readonly nowMs: number;
  readonly bytes: number;
}

/** Where the size is unknown (MEMORY USAGE refused): windows of a hundred elements or so. */
const UNKNOWN_BYTES = 10_000_000;

export async function compareKey(question: KeyQuestion): Promise<KeyVerdict> {
  const { source, target, key, places } = question;
  const askTarget = asker(target, key, places.target);
  const [{ ask: askSource, presence: ours }, there] = await Promise.all([
    findOnSource(question),
    readPresence(askTarget, target.exactExpiry, key),
  ]);
  const theirs = { ...there, expiresAtMs: settledExpiry(target, there.expiresAtMs) };
  if (ours.type === 'none' && theirs.type === 'none') return { verdict: 'gone', type: 'none' };
  // A due expiry on the target alone is a difference: the source's key would stay.
  const decisive = ours.type === 'none' ? theirs : ours;
  const { type } = decisive;
  if (isDue(decisive, question.guardMs)) return { verdict: 'expiring', type };
  if (ours.type === 'none' || askSource === null) {
    return { verdict: 'different', type, aspects: ['extra'], detail: `${type} is only on the target` };
  }
  if (theirs.type === 'none' || askTarget === null) {
    return { verdict: 'different', type, aspects: ['missing'], detail: `${type} is not on the target` };
  }

  let unreadable: string | null = null;
  const aspects: Aspect[] = [];
  const clauses: string[] = [];
  if (ours.type !== theirs.type) {
    aspects.push('type');
    clauses.push(`${ours.type}, on the target ${theirs.type}`);
  } else {
    const { entriesRead, onDrift, same } = question;
    const pair: ValuePair = {
      key,
      source: askSource,
      target: askTarget,
      bytes: ours.bytes,
      entriesRead,
      // XCLAIM drops deleted entries since the version that brought PEXPIRETIME.
      forgetsDeleted: !source.exactExpiry && target.exactExpiry,
      onDrift,
      same,
    };
    const content = await compareContent(ours.type, pair);
    if (content === undefined) {
      unreadable = `a value of type ${type} has another DUMP on the target, and there is no way to compare it closer`;
    } else if (content !== null) {
      aspects.push('value');
      clauses.push(content);
    }
    const fieldExpiry =
      ours.type === 'hash' && source.fieldExpiry && target.fieldExpiry
        ? await compareFieldExpiries(pair, target)
        : null;
    if (fieldExpiry !== null) {
      aspects.push('field-ttl');
      clauses.push(fieldExpiry);
    }
  }
  if (!sameExpiry(ours.expiresAtMs, theirs.expiresAtMs, question.toleranceMs)) {
    aspects.push('ttl');
    clauses.push(`expires ${showExpiry(ours.expiresAtMs)}, on the target ${showExpiry(theirs.expiresAtMs)}`);
  }
  if (aspects.length === 0) {
    return unreadable === null ? { verdict: 'equal', type } : { verdict: 'unreadable', type, reason: unreadable };
  }
  // Its time may have come while a long value was read.
  const [later] = await askSource([['EXISTS', key]]);
  if (ours.expiresAtMs !== NO_EXPIRY && count(later) === 0) return { verdict: 'expiring', type };
  return { verdict: 'different', type, aspects, detail: clauses.join('; ') };
}

function isDue(presence: Presence, guardMs: number): boolean {
  return presence.expiresAtMs >= 0 && presence.expiresAtMs - presence.nowMs < guardMs;
}

/** The first of its databases that has the key; where none has it, there is nobody to ask. */
async function findOnSource({ source, key, places }: KeyQuestion): Promise<{ ask: Ask | null; presence: Presence }> {
  for (const database of places.source) {
    const ask = asker(source, key, database);
    const presence = await readPresence(ask, source.exactExpiry, key);
    if (presence.type !== 'none') return { ask, presence };
  }
  return { ask: null, presence: absent() };
}

/** null where the side has no such database: a cluster has one. */
function asker(side: Side, key: Buffer, database: number): Ask | null {
  if (side.cluster && database !== 0) return null;
  const node = side.nodeOf(key);
  return (commands) => node.batch(commands, database);
}

function absent(): Presence {
  return { type: 'none', expiresAtMs: NO_EXPIRY, nowMs: 0, bytes: 0 };
}

async function readPresence(ask: Ask | null, exact: boolean, key: Buffer): Promise<Presence> {
  if (ask === null) return absent();
  const commands: Command[] = [
    ['TIME'],
    ['TYPE', key],
    expiryCommand(exact, key),
    ['MEMORY', 'USAGE', key, 'SAMPLES', 5],
  ];
  const [time, type, expiry, usage] = await ask(commands);
  const nowMs = clockOf(time);
  return {
    type: text(type ?? null),
    expiresAtMs: expiryOf(exact, expiry, nowMs),
    nowMs,
    bytes: usage instanceof ReplyError || usage === null || usage === undefined ? UNKNOWN_BYTES : count(usage),
  };
}

/** Both sides must know HPEXPIRETIME. */
async function compareFieldExpiries(pair: ValuePair, target: Side): Promise<string | null> {
  const [length] = await pair.source([['HLEN', pair.key]]);
  for await (const flat of scanValue(pair, 'HSCAN', windowOf(pair, count(length)))) {
    const fields = flat.filter((_: Reply, index: number) => index % 2 === 0).map(bytes);
    if (fields.length === 0) continue;
    const question: Command = ['HPEXPIRETIME', pair.key, 'FIELDS', fields.length, ...fields];
    const [[ours], [theirs]] = await Promise.all([pair.source([question]), pair.target([question])]);
    const a = list(ours ?? null).map(count);
    const b = list(theirs ?? null).map((reply) => settledExpiry(target, count(reply)));
    const at = a.findIndex((expiresAtMs, index) => expiresAtMs !== b[index]);
    if (at < 0) continue;
    const other = b[at] ?? NO_EXPIRY;
    return `field ${quote(fields[at])} expires ${showExpiry(a[at] ?? NO_EXPIRY)}, on the target ${showExpiry(other)}`;
  }
  return null;
}
