// Compares two streams: entries with their ids, what the stream remembers (last id, entries added, highest deleted id),
// groups, consumers and pending entries with their delivery count and time. Left out is what no copy can keep the same
// and no reader relies on: consumers with nothing pending, idle times, a group's lag, the nodes of the radix tree.

import type { Reply } from './resp-reader.ts';
import { count, list, text } from './side.ts';
import { askBoth, bytes, type ValuePair } from './value-pair.ts';

/** Entries and pending entries of one window where the stream is too big for XINFO STREAM FULL. */
const WINDOW_ENTRIES = 500;
/**
 * Delivery times of big streams come as idle time and are taken back from the server's clock: both are read a moment
 * apart. Those of smaller streams are exact.
 */
const IDLE_TOLERANCE_MS = 50;

const STREAM_FIELDS = [
  'length',
  'last-generated-id',
  'max-deleted-entry-id',
  'entries-added',
  'recorded-first-entry-id',
];
const LAST_DELIVERED = 'last-delivered-id';
const GROUP_FIELDS = [LAST_DELIVERED, 'pel-count'];
/**
 * How many entries a group has read, from which the server estimates its lag. Replication does not carry it: XREADGROUP
 * reaches a replica as XCLAIM, which moves the last id and not this (seen between two 7.0.15), so by itself it says
 * nothing about a copy.
 */
const DRIFTING_FIELD = 'entries-read';

/** null when equal. `wholeBelow`: a stream of fewer bytes is read with one command. */
export async function compareStreams(pair: ValuePair, wholeBelow: number): Promise<string | null> {
  const whole = pair.bytes < wholeBelow;
  // COUNT 0 means all; 1 is the least that can be asked for.
  const [[ours], [theirs]] = await askBoth(pair, [['XINFO', 'STREAM', pair.key, 'FULL', 'COUNT', whole ? 0 : 1]]);
  const a = fieldsOf(ours ?? null);
  const b = fieldsOf(theirs ?? null);
  const difference = compareFields('', STREAM_FIELDS, a, b) ?? compareGroups(pair, a, b, whole);
  if (difference !== null) return difference;
  if (whole) return compareEntries(list(a.get('entries') ?? null), list(b.get('entries') ?? null));
  return (await compareEntriesInWindows(pair)) ?? (await comparePendingInWindows(pair, groupsByName(a).keys()));
}

function compareGroups(pair: ValuePair, a: Map<string, Reply>, b: Map<string, Reply>, whole: boolean): string | null {
  const ours = groupsByName(a);
  const theirs = groupsByName(b);
  for (const name of theirs.keys()) if (!ours.has(name)) return `group ${show(name)} is only on the target`;
  for (const [name, group] of ours) {
    const other = theirs.get(name);
    if (other === undefined) return `group ${show(name)} is not on the target`;
    const where = `group ${show(name)}: `;
    const forgotten = whole && pair.forgetsDeleted ? forgottenBy(other, group, a) : [];
    const difference =
      forgotten.length > 0
        ? (compareFields(where, [LAST_DELIVERED], group, other) ??
          comparePending(where, without(pendingOf(group), forgotten), pendingOf(other)))
        : (compareFields(where, GROUP_FIELDS, group, other) ??
          compareNames(`${where}consumers`, consumersOf(group), consumersOf(other)) ??
          (whole ? comparePending(where, pendingOf(group), pendingOf(other)) : null));
    if (forgotten.length > 0) pair.onDrift('deleted-pending');
    if (difference !== null) return difference;
    const drift = compareFields(where, [DRIFTING_FIELD], group, other);
    if (drift === null) continue;
    if (pair.entriesRead) return drift;
    pair.onDrift('entries-read');
  }
  return null;
}

/** Pending entries that the group has on the source alone, and whose entry the stream does not have any more. */
function forgottenBy(other: Map<string, Reply>, group: Map<string, Reply>, stream: Map<string, Reply>): Reply[] {
  const idsOf = (entries: readonly Reply[]): Set<string> =>
    new Set(entries.map((entry) => text(list(entry)[0] ?? null)));
  const theirs = idsOf(pendingOf(other));
  const there = idsOf(list(stream.get('entries') ?? null));
  return pendingOf(group).filter((entry) => {
    const id = text(list(entry)[0] ?? null);
    return !theirs.has(id) && !there.has(id);
  });
}

function without(entries: readonly Reply[], others: readonly Reply[]): Reply[] {
  const left = new Set(others);
  return entries.filter((entry) => !left.has(entry));
}

/** Fields that only one side's version knows are left out. */
function compareFields(
  where: string,
  names: readonly string[],
  a: Map<string, Reply>,
  b: Map<string, Reply>,
): string | null {
  for (const name of names) {
    const ours = a.get(name);
    const theirs = b.get(name);
    if (ours === undefined || theirs === undefined || text(ours) === text(theirs)) continue;
    return `${where}${name} is ${text(ours)}, on the target ${text(theirs)}`;
  }
  return null;
}

function compareNames(what: string, a: readonly string[], b: readonly string[]): string | null {
  const ours = new Set(a);
  const theirs = new Set(b);
  const missing = a.filter((name) => !theirs.has(name));
  const extra = b.filter((name) => !ours.has(name));
  if (missing.length + extra.length === 0) return null;
  return `${what}: only on the source ${missing.map(show).join(', ') || 'none'}, only on the target ${extra.map(show).join(', ') || 'none'}`;
}

/** A group's pending entry of XINFO STREAM FULL: id, consumer, delivery time, delivery count. */
function comparePending(where: string, a: readonly Reply[], b: readonly Reply[]): string | null {
  if (a.length !== b.length) return `${where}${a.length} pending entries, on the target ${b.length}`;
  for (const [index, entry] of a.entries()) {
    const ours = list(entry).map(text).join(' ');
    const theirs = list(b[index] ?? null)
      .map(text)
      .join(' ');
    if (ours !== theirs)
      return `${where}pending entry (id, consumer, time, deliveries) is ${ours}, on the target ${theirs}`;
  }
  return null;
}

function compareEntries(a: readonly Reply[], b: readonly Reply[]): string | null {
  if (a.length !== b.length) return `${a.length} entries, on the target ${b.length}`;
  for (const [index, entry] of a.entries()) {
    const [id, fields] = list(entry);
    const [otherId, otherFields] = list(b[index] ?? null);
    if (text(id ?? null) !== text(otherId ?? null)) {
      return `entry ${text(id ?? null)} stands where the target has ${text(otherId ?? null)}`;
    }
    const ours = list(fields ?? null);
    const theirs = list(otherFields ?? null);
    const same = ours.length === theirs.length && ours.every((part, i) => bytes(part).equals(bytes(theirs[i])));
    if (!same) return `the fields of entry ${text(id ?? null)} differ`;
  }
  return null;
}

async function compareEntriesInWindows(pair: ValuePair): Promise<string | null> {
  let from = '-';
  for (;;) {
    const [[ours], [theirs]] = await askBoth(pair, [['XRANGE', pair.key, from, '+', 'COUNT', WINDOW_ENTRIES]]);
    const a = list(ours ?? null);
    const difference = compareEntries(a, list(theirs ?? null));
    if (difference !== null) return difference;
    if (a.length < WINDOW_ENTRIES) return null;
    from = after(text(list(a.at(-1) ?? null)[0] ?? null));
  }
}

async function comparePendingInWindows(pair: ValuePair, groups: Iterable<string>): Promise<string | null> {
  for (const name of groups) {
    const group = Buffer.from(name, 'latin1');
    let from = '-';
    for (;;) {
      const [ours, theirs] = await askBoth(pair, [['TIME'], ['XPENDING', pair.key, group, from, '+', WINDOW_ENTRIES]]);
      const a = pendingWithTimes(ours);
      const b = pendingWithTimes(theirs);
      const at = a.findIndex((entry, i) => entry.text !== b[i]?.text || farApart(entry.timeMs, b[i].timeMs));
      if (at >= 0 || a.length !== b.length) {
        return `group ${show(name)}: pending entries differ from ${(a[at] ?? b[a.length])?.text ?? 'the end'} on`;
      }
      if (a.length < WINDOW_ENTRIES) break;
      from = after(a.at(-1)?.id ?? '-');
    }
  }
  return null;
}

interface PendingEntry {
  readonly id: string;
  readonly text: string;
  readonly timeMs: number;
}

/** From [TIME, XPENDING]: id, consumer, idle, delivery count. */
function pendingWithTimes(replies: readonly Reply[]): PendingEntry[] {
  const [seconds, micros] = list(replies[0] ?? null);
  const nowMs = count(seconds) * 1000 + Math.floor(count(micros) / 1000);
  return list(replies[1] ?? null).map((entry) => {
    const [id, consumer, idle, deliveries] = list(entry);
    const name = text(id ?? null);
    return { id: name, text: `${name} ${text(consumer ?? null)} ${count(deliveries)}`, timeMs: nowMs - count(idle) };
  });
}

function farApart(aMs: number, bMs: number): boolean {
  return Math.abs(aMs - bMs) > IDLE_TOLERANCE_MS;
}

/** The smallest id above this one. `(` for exclusive ranges needs 6.2. */
function after(id: string): string {
  const [time, sequence] = id.split('-');
  return `${time}-${BigInt(sequence ?? 0) + 1n}`;
}

function groupsByName(stream: Map<string, Reply>): Map<string, Map<string, Reply>> {
  const groups = new Map<string, Map<string, Reply>>();
  for (const group of list(stream.get('groups') ?? null)) {
    const fields = fieldsOf(group);
    groups.set(text(fields.get('name') ?? null), fields);
  }
  return groups;
}

/** Consumers with pending entries. One without is not replicated by every server: an XREADGROUP that finds nothing makes it on the source alone. */
function consumersOf(group: Map<string, Reply>): string[] {
  return list(group.get('consumers') ?? null)
    .map(fieldsOf)
    .filter((consumer) => count(consumer.get('pel-count') ?? undefined) > 0)
    .map((consumer) => text(consumer.get('name') ?? null));
}

function pendingOf(group: Map<string, Reply>): Reply[] {
  return list(group.get('pending') ?? group.get('pel') ?? null);
}

/** A flat reply of names and values as a map. */
function fieldsOf(reply: Reply): Map<string, Reply> {
  const flat = list(reply);
  const fields = new Map<string, Reply>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(text(flat[i] ?? null), flat[i + 1] ?? null);
  return fields;
}

function show(name: string): string {
  return JSON.stringify(name);
}
