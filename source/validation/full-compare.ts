// Compares all keys of two stores at rest, in both directions, and shares no code with the engine: what the engine gets
// wrong must not look right here for the same reason. Quick path: equal DUMP bytes and an equal expiry prove a key equal;
// everything else is compared by content. Memory is bounded by windows of SCAN and by the size of what is dumped.
// Leaves out redferry's own keys. Only reads.

import type { Command, Connection } from './connection.ts';
import {
  clockOf,
  expiryCommand,
  expiryOf,
  heldNote,
  NO_KEY,
  sameExpiry,
  settledExpiry,
  toleranceFor,
} from './expiry.ts';
import { compareKey } from './key-compare.ts';
import { type CompareProgress, type CompareReport, ReportBuilder } from './report.ts';
import type { Reply } from './resp-reader.ts';
import { type CompareSide, count, list, openSide, type Side, text } from './side.ts';
import { DRIFTS, type OnDrift } from './value-pair.ts';

export interface CompareOptions {
  readonly source: CompareSide;
  readonly target: CompareSide;
  /** Differences that are kept with key and detail; all are counted. */
  readonly maxDifferences?: number;
  /** How far expiries may lie apart; without it 0, or 1 s where a side is older than 7.0. */
  readonly toleranceMs?: number;
  /** Count a stream group's entries-read as its value too. Only between stores that were not kept equal by replication. */
  readonly entriesRead?: boolean;
  readonly onProgress?: (progress: CompareProgress) => void;
  readonly signal?: AbortSignal;
}

const OWN_KEYS = Buffer.from('redferry:');
const MAX_DIFFERENCES = 1000;
const SCAN_COUNT = 1000;
/** Windows of one node being compared at once: the next is read while the servers dump the last. */
const WINDOWS_AT_ONCE = 2;
/** Larger values are never dumped: 1 MB, as MEMORY USAGE estimates it. */
const DUMP_BYTES = 1_048_576;
/** What one batch may dump: it stands in the server's output buffer until it is read. */
const BATCH_BYTES = 1_048_576;
/** Keys compared by content at once. */
const THOROUGH_AT_ONCE = 64;
/** RDB version (2 bytes) and CRC64 (8 bytes) behind the value in a DUMP: the versions may differ. */
const DUMP_FOOTER_BYTES = 10;
const EXPIRY_GUARD_MS = 2000;

interface Run {
  readonly source: Side;
  readonly target: Side;
  readonly toleranceMs: number;
  readonly report: ReportBuilder;
  readonly entriesRead: boolean;
  readonly signal: AbortSignal | undefined;
  readonly progress: (looking: CompareProgress['looking'], keys: number) => void;
}

/** Throws when a side cannot be reached or read; differences are not errors. */
export async function compareAll(options: CompareOptions): Promise<CompareReport> {
  const report = new ReportBuilder(options.maxDifferences ?? MAX_DIFFERENCES);
  const source = await openSide(options.source);
  try {
    const target = await openSide(options.target);
    try {
      await compareSides(source, target, options, report);
      const held = heldNote(target);
      if (held !== null) report.note(held);
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
  return report.build();
}

async function compareSides(source: Side, target: Side, options: CompareOptions, report: ReportBuilder): Promise<void> {
  const ours = await source.databases();
  const theirs = await target.databases();
  let total = 0;
  for (const keys of [...ours.values(), ...theirs.values()]) total += keys;
  let looked = 0;
  const run: Run = {
    source,
    target,
    toleranceMs: toleranceFor(source.exactExpiry && target.exactExpiry, options.toleranceMs),
    report,
    entriesRead: options.entriesRead ?? false,
    signal: options.signal,
    progress: (looking, keys) => {
      looked += keys;
      options.onProgress?.({ checked: looked, total, differences: report.different, looking });
    },
  };
  if (source.fieldExpiry && !target.fieldExpiry) {
    report.note('Expiries of hash fields were not compared: the target does not know them.');
  }
  for (const database of [...ours.keys()].sort(ascending)) {
    await walk(run, source, database, (keys, node) => compareWindow(run, database, keys, node), 'source');
  }
  for (const database of [...theirs.keys()].sort(ascending)) {
    await walk(run, target, database, (keys) => findExtras(run, database, keys), 'target');
  }
}

/** Every key of one database of a side, its nodes side by side, a few windows of each at once. */
async function walk(
  run: Run,
  side: Side,
  database: number,
  visit: (keys: Buffer[], node: Connection) => Promise<void>,
  looking: CompareProgress['looking'],
): Promise<void> {
  await Promise.all(
    side.nodes.map(async (node) => {
      const open = new Set<Promise<void>>();
      let cursor = '0';
      do {
        run.signal?.throwIfAborted();
        const [next, found] = list(await node.call(['SCAN', cursor, 'COUNT', SCAN_COUNT], database));
        cursor = text(next ?? null);
        const keys = list(found ?? null).filter(isForeign);
        const visiting: Promise<void> = visit(keys, node).then(() => {
          open.delete(visiting);
          run.progress(looking, keys.length);
        });
        open.add(visiting);
        // Raced and joined below; without this a second failure of the same moment would end the process.
        visiting.catch(() => {});
        if (open.size >= WINDOWS_AT_ONCE) await Promise.race(open);
      } while (cursor !== '0');
      await Promise.all(open);
    }),
  );
}

function isForeign(key: Reply): key is Buffer {
  return Buffer.isBuffer(key) && OWN_KEYS.compare(key, 0, Math.min(key.length, OWN_KEYS.length)) !== 0;
}

/** The quick path for one window; what it cannot prove equal is compared by content. */
async function compareWindow(run: Run, database: number, keys: Buffer[], node: Connection): Promise<void> {
  if (keys.length === 0) return;
  if (run.target.cluster && database !== 0) return compareThoroughly(run, database, keys);
  const sizes = await node.batch(
    keys.map((key) => ['MEMORY', 'USAGE', key, 'SAMPLES', 1]),
    database,
  );
  const doubtful: Buffer[] = [];
  let batch: Buffer[] = [];
  let batchBytes = 0;
  for (const [index, key] of keys.entries()) {
    const usage = sizes[index];
    const size = typeof usage === 'number' ? usage : 0;
    // Unknown size (refused, or the key has just expired): by content, which asks again and goes by windows.
    if (typeof usage !== 'number' || size > DUMP_BYTES) {
      doubtful.push(key);
      continue;
    }
    if (batchBytes + size > BATCH_BYTES) {
      doubtful.push(...(await compareDumps(run, database, batch, node)));
      batch = [];
      batchBytes = 0;
    }
    batch.push(key);
    batchBytes += size;
  }
  doubtful.push(...(await compareDumps(run, database, batch, node)));
  run.report.checked += keys.length - doubtful.length;
  run.report.equal += keys.length - doubtful.length;
  await compareThoroughly(run, database, doubtful);
}

/** Gives the keys that are not proved equal. */
async function compareDumps(run: Run, database: number, keys: readonly Buffer[], node: Connection): Promise<Buffer[]> {
  const groups = [...groupByNode(run.target, keys)];
  const [ours, ...theirs] = await Promise.all([
    node.batch(dumpCommands(run.source, keys), database),
    ...groups.map(([owner, group]) => owner.batch(dumpCommands(run.target, group), database)),
  ]);
  const ourClock = clockOf(ours[0]);
  const theirClocks = theirs.map((replies) => clockOf(replies[0]));
  const nextOf = groups.map(() => 1);
  const groupOf = new Map(groups.map(([owner], index) => [owner, index]));
  const doubtful: Buffer[] = [];
  let at = 1;
  for (const key of keys) {
    const group = groupOf.get(run.target.nodeOf(key)) ?? 0;
    const their = nextOf[group] ?? 0;
    nextOf[group] = their + 2;
    const replies = theirs[group] ?? [];
    const expiry = expiryOf(run.source.exactExpiry, ours[at + 1], ourClock);
    const held = expiryOf(run.target.exactExpiry, replies[their + 1], theirClocks[group] ?? 0);
    const theirExpiry = settledExpiry(run.target, held);
    const same =
      expiry !== NO_KEY &&
      sameExpiry(expiry, theirExpiry, run.toleranceMs) &&
      sameDump(ours[at] ?? null, replies[their] ?? null);
    if (!same) doubtful.push(key);
    at += 2;
  }
  return doubtful;
}

function groupByNode(side: Side, keys: readonly Buffer[]): Map<Connection, Buffer[]> {
  const groups = new Map<Connection, Buffer[]>();
  for (const key of keys) {
    const node = side.nodeOf(key);
    const group = groups.get(node);
    if (group === undefined) groups.set(node, [key]);
    else group.push(key);
  }
  return groups;
}

function dumpCommands(side: Side, keys: readonly Buffer[]): Command[] {
  const commands: Command[] = [['TIME']];
  for (const key of keys) commands.push(['DUMP', key], expiryCommand(side.exactExpiry, key));
  return commands;
}

function sameDump(a: Reply, b: Reply): boolean {
  if (!Buffer.isBuffer(a) || !Buffer.isBuffer(b) || a.length !== b.length) return false;
  const end = a.length - DUMP_FOOTER_BYTES;
  return a.compare(b, 0, end, 0, end) === 0;
}

/** By content, a few at once. Also what settles whether a key is only on one side. */
async function compareThoroughly(run: Run, database: number, keys: readonly Buffer[]): Promise<void> {
  const waiting = keys.values();
  const { source, target, toleranceMs, report, entriesRead } = run;
  const onDrift: OnDrift = (what) => (what === 'entries-read' ? report.drift() : report.note(DRIFTS[what]));
  const work = async (): Promise<void> => {
    for (const key of waiting) {
      run.signal?.throwIfAborted();
      const guardMs = EXPIRY_GUARD_MS;
      const places = { source: [database], target: database };
      const outcome = await compareKey({ source, target, places, key, toleranceMs, guardMs, entriesRead, onDrift });
      if (outcome.verdict === 'different') {
        const { type, aspects, detail } = outcome;
        report.add({ database, key, type, aspects, detail });
        continue;
      }
      if (outcome.verdict === 'unreadable') {
        report.note(`Keys that could not be compared: ${outcome.reason}.`);
        continue;
      }
      report.checked += 1;
      if (outcome.verdict === 'equal') report.equal += 1;
      else report.expiring += 1;
    }
  };
  await Promise.all(Array.from({ length: Math.min(THOROUGH_AT_ONCE, keys.length) }, work));
}

/** Keys of the target that the source does not have. */
async function findExtras(run: Run, database: number, keys: Buffer[]): Promise<void> {
  if (keys.length === 0) return;
  const { source } = run;
  const extras: Buffer[] = [];
  if (source.cluster && database !== 0) extras.push(...keys);
  else {
    await Promise.all(
      [...groupByNode(source, keys)].map(async ([node, group]) => {
        // One command for all where no slots forbid it: nearly always the answer is that all are there.
        if (!source.cluster && count(await node.call(['EXISTS', ...group], database)) === group.length) return;
        const found = await node.batch(
          group.map((key) => ['EXISTS', key]),
          database,
        );
        for (const [index, key] of group.entries()) if (count(found[index]) === 0) extras.push(key);
      }),
    );
  }
  await compareThoroughly(run, database, extras);
}

function ascending(a: number, b: number): number {
  return a - b;
}
