// Keys that differed at first sight, looked at again until it is known what that means. Under writes the two sides are read
// a moment apart, and the target is behind by its lag: a difference counts when neither side has changed for a while and
// they still differ. What never holds still is unstable, which is no difference and no equality.
import { passBarrier, type WaitForApplied } from './barrier.ts';
import type { Command } from './connection.ts';
import { type KeyPlaces, placesOf, type SidedKey } from './database-numbers.ts';
import { clockOf, expiryCommand, expiryOf } from './expiry.ts';
import { compareKey, type KeyQuestion, type KeyVerdict } from './key-compare.ts';
import { wait } from './pace.ts';
import type { Difference } from './report.ts';
import { type Reply, ReplyError } from './resp-reader.ts';
import type { Side } from './side.ts';
import type { OnDrift, SameAnswer } from './value-pair.ts';

export interface Suspect extends SidedKey {
  readonly key: Buffer;
  /** Which tally it belongs to. */
  readonly stratum: number;
}

export type Settled =
  | { readonly outcome: 'equal' | 'unstable' | 'expiring'; readonly type: string }
  | { readonly outcome: 'gone' }
  | { readonly outcome: 'skipped'; readonly reason: string }
  | { readonly outcome: 'different'; readonly difference: Difference };

export interface SettleOptions {
  readonly source: Side;
  readonly target: Side;
  readonly toleranceMs: number;
  readonly guardMs: number;
  /** Pauses between one look and the next, growing. */
  readonly pausesMs?: readonly number[];
  /** For how long a difference must stay as it is. At least the lag of the target. */
  readonly quietMs?: number;
  /**
   * How far the target has come, where somebody knows. With it a difference is confirmed when, twice, the source was the same
   * before the barrier and after the look behind it; nobody has to wait for quiet.
   */
  readonly waitForApplied?: WaitForApplied | undefined;
  readonly entriesRead?: boolean;
  readonly onDrift?: OnDrift;
  /** Tells windows that are equal byte for byte from others, without parsing them. */
  readonly same?: ((key: Buffer, places: KeyPlaces) => SameAnswer) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const PAUSES_MS = [100, 300, 700, 1500, 3000];
const QUIET_MS = 1000;
/** Keys looked at at once. */
const AT_ONCE = 16;
/** Larger values are told apart by what was found different in them, not by a DUMP. */
const DUMP_BYTES = 1_048_576;
/** Of a DUMP: version and CRC64, which change with the value. */
const FOOTER_BYTES = 10;
/** Where expiries come from PTTL they waver by a millisecond or two. */
const WAVERING_MS = 10_000;

const ABSENT = 'absent';
/** A key that is set to and fro may look the same before and after by chance, hardly twice with the same on the target. */
const CONFIRMATIONS = 2;

interface Watched {
  readonly suspect: Suspect;
  /** Of both sides at the last look. */
  state: string | null;
  sinceMs: number;
  confirmations: number;
}

/** Tells once for each suspect what became of it. */
export async function settleSuspects(
  suspects: readonly Suspect[],
  options: SettleOptions,
  tell: (suspect: Suspect, settled: Settled) => void,
): Promise<void> {
  const pauses = options.pausesMs ?? PAUSES_MS;
  let open = suspects.map((suspect): Watched => ({ suspect, state: null, sinceMs: 0, confirmations: 0 }));
  for (let look = 0; open.length > 0; look++) {
    options.signal?.throwIfAborted();
    const behind = await lookBehindBarrier(open, options);
    const left: Watched[] = [];
    await eachOf(open, async (watched) => {
      const { suspect } = watched;
      const verdict = await lookAt(suspect, options);
      if (verdict.verdict !== 'different') {
        tell(suspect, settledBy(verdict));
        return;
      }
      if (await isConfirmed(watched, verdict.detail, options, behind)) {
        const { key } = suspect;
        const { type, aspects, detail } = verdict;
        const places = placesIn(suspect, options);
        const database = aspects.includes('extra') ? places.target : (places.source[0] ?? places.target);
        tell(suspect, { outcome: 'different', difference: { database, key, type, aspects, detail } });
      } else if (look >= pauses.length) tell(suspect, { outcome: 'unstable', type: verdict.type });
      else left.push(watched);
    });
    open = left;
    const onlyOnceMore = open.every(({ confirmations }) => confirmations > 0);
    if (open.length > 0 && !onlyOnceMore) await wait(pauses[look] ?? 0, options.signal);
  }
}

/** What the source had before the barrier, by key that has passed it; null where there is no barrier. */
type BehindBarrier = ReadonlyMap<Watched, string | null> | null;

async function lookBehindBarrier(open: readonly Watched[], options: SettleOptions): Promise<BehindBarrier> {
  const { source, waitForApplied } = options;
  if (waitForApplied === undefined) return null;
  const before = await sourceStatesOf(open, options);
  const nodes = new Set(open.map(({ suspect }) => source.numberOf(suspect.key)));
  const passed = await passBarrier(source, nodes, waitForApplied);
  return new Map([...before].filter(([{ suspect }]) => passed.has(source.numberOf(suspect.key))));
}

/** After a look that found it different. */
async function isConfirmed(
  watched: Watched,
  detail: string,
  options: SettleOptions,
  behind: BehindBarrier,
): Promise<boolean> {
  const ours = await stateOf(watched.suspect, options, 'source');
  const theirs = await stateOf(watched.suspect, options, 'target');
  const state = ours === null || theirs === null ? detail : `${ours} / ${theirs}`;
  const held = watched.state === state;
  const nowMs = performance.now();
  if (!held) watched.sinceMs = nowMs;
  watched.state = state;
  if (behind !== null && !behind.has(watched)) return false;
  const before = behind?.get(watched) ?? null;
  if (before === null) return held && nowMs - watched.sinceMs >= (options.quietMs ?? QUIET_MS);
  watched.confirmations = before !== ours ? 0 : held ? watched.confirmations + 1 : 1;
  return watched.confirmations >= CONFIRMATIONS;
}

/** One look at a key, an error as a verdict: one that cannot be read must not end the comparison. */
export async function lookAt(suspect: Suspect, options: SettleOptions): Promise<KeyVerdict> {
  const { source, target, toleranceMs, guardMs, entriesRead = false, onDrift = () => {} } = options;
  const { key } = suspect;
  const places = placesIn(suspect, options);
  const same = options.same?.(key, places);
  const question: KeyQuestion = { source, target, places, key, toleranceMs, guardMs, entriesRead, onDrift, same };
  try {
    return await compareKey(question);
  } catch (error) {
    if (error instanceof ReplyError) return { verdict: 'unreadable', type: 'none', reason: error.message };
    throw error;
  }
}

function settledBy(verdict: Exclude<KeyVerdict, { verdict: 'different' }>): Settled {
  switch (verdict.verdict) {
    case 'unreadable':
      return { outcome: 'skipped', reason: verdict.reason };
    case 'gone':
      return { outcome: 'gone' };
    case 'equal':
    case 'expiring':
      return { outcome: verdict.verdict, type: verdict.type };
  }
}

async function sourceStatesOf(
  watched: readonly Watched[],
  options: SettleOptions,
): Promise<Map<Watched, string | null>> {
  const states = new Map<Watched, string | null>();
  await eachOf(watched, async (one) => {
    states.set(one, await stateOf(one.suspect, options, 'source'));
  });
  return states;
}

/** What tells a changed value from an unchanged one; null where a value is too big or may not be dumped. */
async function stateOf(suspect: Suspect, options: SettleOptions, name: 'source' | 'target'): Promise<string | null> {
  const places = placesIn(suspect, options);
  const states: string[] = [];
  for (const database of name === 'source' ? places.source : [places.target]) {
    const state = await stateIn(options[name], database, suspect.key);
    if (state === null) return null;
    states.push(state);
  }
  return states.join(' ');
}

async function stateIn(side: Side, database: number, key: Buffer): Promise<string | null> {
  if (side.cluster && database !== 0) return ABSENT;
  const node = side.nodeOf(key);
  const commands: Command[] = [['TIME'], expiryCommand(side.exactExpiry, key), ['MEMORY', 'USAGE', key]];
  const [time, expiry, usage] = await node.batch(commands, database);
  if (usage === null) return ABSENT;
  if (typeof usage !== 'number' || usage > DUMP_BYTES) return null;
  const [dump] = await node.batch([['DUMP', key]], database);
  const footer = footerOf(dump);
  if (footer === null || expiry instanceof ReplyError) return null;
  const expiresAtMs = expiryOf(side.exactExpiry, expiry, clockOf(time));
  const shown = side.exactExpiry || expiresAtMs < 0 ? expiresAtMs : Math.round(expiresAtMs / WAVERING_MS);
  return `${footer} ${shown}`;
}

function placesIn(suspect: SidedKey, { target }: Pick<SettleOptions, 'target'>): KeyPlaces {
  return placesOf(target.description.databases, suspect);
}

function footerOf(dump: Reply | undefined): string | null {
  if (dump === null) return ABSENT;
  if (!Buffer.isBuffer(dump)) return null;
  return `${dump.length} ${dump.toString('hex', Math.max(0, dump.length - FOOTER_BYTES))}`;
}

/** A few at once. */
export async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const run = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, run));
}
