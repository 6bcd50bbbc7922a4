// A sample of both sides: keys of the source are compared, keys of the target are looked for on the source. Beside it what
// is not part of the statistics but finds faults: more keys of rare types, and the largest that were seen.
import type { Examiner } from './examine.ts';
import { batchOf } from './key-batch.ts';
import { isPicky, type KeyScope } from './key-scope.ts';
import { KeySet } from './key-set.ts';
import type { LinkedSides } from './linked-sides.ts';
import type { Pace } from './pace.ts';
import { seededRandom } from './random.ts';
import { shareOut } from './sample-plan.ts';
import type { SampleSize } from './sample-size.ts';
import { sampleSource } from './sample-source.ts';
import { drawKeys } from './sampler.ts';
import type { StratumPlace } from './strata.ts';

export interface Drawn {
  readonly place: StratumPlace;
  /** Keys to draw. */
  readonly wanted: number;
  /** Keys looked at. */
  drawn: number;
  designEffect: number;
  /** redferry's own keys of the place, as far as they were counted. */
  own: number;
  way: 'walked' | 'windows' | null;
}

export interface SampleOptions {
  readonly sides: LinkedSides;
  readonly examiner: Examiner;
  readonly pace: Pace;
  readonly size: SampleSize;
  readonly scope: KeyScope;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** Keys compared with one request. */
const BATCH_KEYS = 1000;
const TYPES = ['string', 'list', 'set', 'zset', 'hash', 'stream'] as const;
/** Fewer checked keys of a type than this are topped up to it, where there are more. */
const TYPE_FLOOR = 100;
/** Windows tried for keys of a rare type, and the names in one. */
const TYPE_WINDOWS = 5;
const TYPE_WINDOW_COUNT = 1000;
/** The largest keys, of those whose size was asked for. */
const LARGEST = 20;
const CURSOR_BITS = 48;

/** How many keys are drawn of each place: the source's and the target's are two populations. */
export function planSample(places: readonly StratumPlace[], size: SampleSize): Drawn[] {
  return (['source', 'target'] as const).flatMap((side) => {
    const own = places.filter((place) => place.side === side);
    const wanted = shareOut(
      size,
      own.map(({ keys }) => keys),
    );
    return own.map((place, index) => ({
      place,
      wanted: wanted[index] ?? 0,
      drawn: 0,
      designEffect: 1,
      own: 0,
      way: null,
    }));
  });
}

/** Draws and examines; nothing is settled yet. The nodes work side by side. */
export async function drawSample(plan: readonly Drawn[], options: SampleOptions): Promise<void> {
  const outcomes = await Promise.allSettled(plan.map((drawn) => drawPlace(drawn, options)));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

async function drawPlace(drawn: Drawn, options: SampleOptions): Promise<void> {
  const { sides, examiner, pace, scope, signal } = options;
  const { place, wanted } = drawn;
  const source = await sampleSource(sides[place.side], place, scope);
  // Each place its own numbers, so that the answers' order does not change what is drawn.
  const random = seededRandom(options.seed + place.number * 0x1_0000_0001);
  const outcome = await drawKeys({
    // Windows would draw from all keys alike, and find a few in scope or none.
    source: isPicky(scope) ? { ...source, takesAnyCursor: false } : source,
    wanted,
    random,
    signal,
    take: async (keys) => {
      for (let from = 0; from < keys.length; from += BATCH_KEYS) {
        const batch = batchOf(keys.slice(from, from + BATCH_KEYS));
        await pace.take(batch.count, signal);
        examiner.commit(await examiner.examine(place, batch));
        drawn.drawn += batch.count;
      }
    },
  });
  drawn.designEffect = outcome.designEffect;
  drawn.own = outcome.own;
  drawn.way = outcome.way;
}

/**
 * Keys of types of which hardly any were drawn, and the largest of those: they stand in tallies of their own, one for each
 * of `places`, since they were not drawn evenly.
 * @param checkedOfType how many keys of a type the sample has.
 */
export async function topUp(
  places: readonly { readonly from: StratumPlace; readonly into: StratumPlace }[],
  checkedOfType: (type: string) => number,
  options: SampleOptions,
): Promise<void> {
  const { sides, examiner, pace, scope, signal } = options;
  const random = seededRandom(options.seed ^ 0x5bd1e995);
  const sizes: { readonly key: Buffer; readonly bytes: number; readonly into: StratumPlace }[] = [];
  const taken = new KeySet();
  for (const type of TYPES) {
    if (scope.type !== null && scope.type !== type) continue;
    let missing = TYPE_FLOOR - checkedOfType(type);
    for (const { from, into } of places) {
      signal?.throwIfAborted();
      const source = await sampleSource(sides.source, from, { ...scope, type });
      const cursors = Array.from({ length: TYPE_WINDOWS }, () =>
        source.takesAnyCursor ? String(random.below(2 ** CURSOR_BITS)) : '0',
      );
      const found: Buffer[] = [];
      // A server that knows no TYPE refuses; it is one before 6.0.
      const windows = await source.scan(cursors, TYPE_WINDOW_COUNT).catch(() => []);
      for (const { keys } of windows) {
        for (let index = 0; index < keys.length; index++) {
          const key = keys.at(index);
          if (key !== undefined && taken.add(key)) found.push(key);
        }
      }
      const more = found.splice(0, Math.max(0, missing));
      missing -= more.length;
      if (more.length > 0) {
        await pace.take(more.length, signal);
        examiner.commit(await examiner.examine(into, batchOf(more)));
      }
      if (type !== 'string') sizes.push(...(await sized(sides, from, into, found)));
    }
  }
  const largest = sizes.sort((a, b) => b.bytes - a.bytes).slice(0, LARGEST);
  for (const { key, into } of largest) {
    await pace.take(1, signal);
    examiner.commit(await examiner.examine(into, batchOf([key])));
  }
}

async function sized(sides: LinkedSides, from: StratumPlace, into: StratumPlace, keys: readonly Buffer[]) {
  const node = sides.source.side.nodes[from.node];
  if (node === undefined) return [];
  const usages = await node.batch(
    keys.map((key) => ['MEMORY', 'USAGE', key]),
    from.database,
  );
  return keys.flatMap((key, index) => {
    const bytes = usages[index];
    return typeof bytes === 'number' ? [{ key, bytes, into }] : [];
  });
}
