// Every key, in both directions: the source's keys are compared, the target's are looked for on the source. Goes through the
// strata with SCAN, a few batches under way at once and committed in their order, so that a cursor can be stood upon:
// everything before it is in the tallies. While the source's keys are compared the target's are counted up against them
// (key-balance.ts): where that comes out even, nothing has to be looked for.
import type { Examined, Examiner } from './examine.ts';
import { type KeyBatch, scanBatch, scanCommand } from './key-batch.ts';
import type { KeyScope } from './key-scope.ts';
import type { LinkedSides } from './linked-sides.ts';
import type { Pace } from './pace.ts';
import type { Replies } from './reply-link.ts';
import type { StratumPlace } from './strata.ts';

export interface WalkPlace {
  readonly place: StratumPlace;
  /** Where to go on; `null` when all of it is done. */
  cursor: string | null;
  /** Keys looked at. */
  looked: number;
  /** redferry's own keys, passed over since the walk began. */
  own: number;
}

export interface WalkOptions {
  readonly sides: LinkedSides;
  readonly examiner: Examiner;
  readonly pace: Pace;
  readonly scope: KeyScope;
  readonly signal?: AbortSignal | undefined;
}

const SCAN_COUNT = 1000;
/** Batches under way: while one is compared the servers read the next. Of one node, of all of them, and of each at least. */
const MOST_BATCHES = 6;
const BATCHES_OF_ALL = 24;
const FEWEST_BATCHES = 2;
/** Suspects that are kept before they are settled: they are keys in memory, and in the state file. */
const MOST_SUSPECTS = 5000;

/** Walks all places of one side, and settles what was suspected. */
export async function walkSide(
  side: 'source' | 'target',
  places: readonly WalkPlace[],
  options: WalkOptions,
): Promise<void> {
  const { examiner } = options;
  await walkPlaces(side, places, options, (place, batch) => examiner.examine(place, batch));
  await examiner.settle();
}

/** Walks all places of the target for the account of its keys alone. */
export async function countTarget(places: readonly WalkPlace[], options: WalkOptions): Promise<void> {
  const { examiner } = options;
  await walkPlaces('target', places, options, (place, batch) => examiner.count(place, batch));
}

type Visit = (place: StratumPlace, batch: KeyBatch) => Promise<Examined>;

/** The nodes side by side. */
async function walkPlaces(
  side: 'source' | 'target',
  places: readonly WalkPlace[],
  options: WalkOptions,
  visit: Visit,
): Promise<void> {
  const own = places.filter(({ place, cursor }) => place.side === side && cursor !== null);
  const nodes = new Map<number, WalkPlace[]>();
  for (const one of own) nodes.set(one.place.node, [...(nodes.get(one.place.node) ?? []), one]);
  const outcomes = await Promise.allSettled(
    [...nodes.values()].map(async (ofNode) => {
      for (const one of ofNode) await walk(one, batchesAtOnce(nodes.size), visit, options);
    }),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

interface Under {
  readonly next: string;
  readonly keys: number;
  readonly own: number;
  readonly examined: Promise<Examined>;
  isDone: boolean;
}

function batchesAtOnce(nodes: number): number {
  return Math.max(FEWEST_BATCHES, Math.min(MOST_BATCHES, Math.floor(BATCHES_OF_ALL / nodes)));
}

async function walk(walked: WalkPlace, batchesAtOnce: number, visit: Visit, options: WalkOptions): Promise<void> {
  const { sides, examiner, pace, scope, signal } = options;
  const { place } = walked;
  const link = sides[place.side].links[place.node];
  if (link === undefined) throw new RangeError(`there is no node ${place.node}`);
  const underway: Under[] = [];
  const commitFirst = async (): Promise<void> => {
    const first = underway[0];
    if (first === undefined) return;
    examiner.commit(await first.examined);
    underway.shift();
    walked.looked += first.keys;
    walked.own += first.own;
    walked.cursor = first.next === '0' ? null : first.next;
    if (examiner.suspects.size >= MOST_SUSPECTS) await examiner.settle();
  };
  const scan = (from: string): Promise<Replies> => {
    const scanned = link.request([scanCommand(from, SCAN_COUNT, scope)], 1, { database: place.database });
    // Joined when its turn comes; without this a failure before that would end the process.
    scanned.catch(() => {});
    return scanned;
  };
  let scanned: Promise<Replies> | null = scan(walked.cursor ?? '0');
  while (scanned !== null) {
    const replies: Replies = await scanned;
    const { cursor, batch, own } = scanBatch(replies);
    // Before anything is done about these keys: the server looks for the next ones meanwhile.
    scanned = cursor === '0' ? null : scan(cursor);
    await pace.take(batch.count, signal);
    const examined = visit(place, batch).finally(() => link.release(replies));
    const under: Under = { next: cursor, keys: batch.count, own, examined, isDone: false };
    const done = (): void => {
      under.isDone = true;
    };
    examined.then(done, done);
    underway.push(under);
    while (underway[0]?.isDone === true || underway.length >= batchesAtOnce) await commitFirst();
  }
  while (underway.length > 0) await commitFirst();
}
