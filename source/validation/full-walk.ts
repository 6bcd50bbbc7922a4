// Every key, in both directions: the source's keys are compared, the target's are looked for on the source. Goes through the
// strata with SCAN, a few batches under way at once and committed in their order, so that a cursor can be stood upon:
// everything before it is in the tallies.
import type { Examined, Examiner } from './examine.ts';
import { scanBatch, scanCommand } from './key-batch.ts';
import type { KeyScope } from './key-scope.ts';
import type { LinkedSides } from './linked-sides.ts';
import type { Pace } from './pace.ts';
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
/** Batches of one node under way: while one is compared the servers read the next. */
const BATCHES_AT_ONCE = 3;
/** Suspects that are kept before they are settled: they are keys in memory, and in the state file. */
const MOST_SUSPECTS = 5000;

/** Walks all places of one side, its nodes side by side, and settles what was suspected. */
export async function walkSide(
  side: 'source' | 'target',
  places: readonly WalkPlace[],
  options: WalkOptions,
): Promise<void> {
  const own = places.filter(({ place, cursor }) => place.side === side && cursor !== null);
  const nodes = new Map<number, WalkPlace[]>();
  for (const one of own) nodes.set(one.place.node, [...(nodes.get(one.place.node) ?? []), one]);
  const outcomes = await Promise.allSettled(
    [...nodes.values()].map(async (ofNode) => {
      for (const one of ofNode) await walk(one, options);
    }),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  await options.examiner.settle();
}

interface Under {
  readonly next: string;
  readonly keys: number;
  readonly own: number;
  readonly examined: Promise<Examined>;
}

async function walk(walked: WalkPlace, options: WalkOptions): Promise<void> {
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
  let cursor = walked.cursor ?? '0';
  do {
    const replies = await link.request([scanCommand(cursor, SCAN_COUNT, scope)], 1, { database: place.database });
    const { cursor: next, batch, own } = scanBatch(replies);
    cursor = next;
    await pace.take(batch.count, signal);
    const examined = examiner.examine(place, batch).finally(() => link.release(replies));
    // Joined in commitFirst; without this a second failure of the same moment would end the process.
    examined.catch(() => {});
    underway.push({ next, keys: batch.count, own, examined });
    if (underway.length >= BATCHES_AT_ONCE) await commitFirst();
  } while (cursor !== '0');
  while (underway.length > 0) await commitFirst();
}
