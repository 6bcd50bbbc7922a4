// Compares batches of keys, quickly where bytes prove them equal and thoroughly where they do not, and keeps the tallies.
// What differs at first sight is a suspect: suspects.ts finds out what it is.
import { sourcesOf } from './database-numbers.ts';
import type { KeyBalance } from './key-balance.ts';
import { type KeyBatch, keyAt, oneCommand } from './key-batch.ts';
import { KeySet } from './key-set.ts';
import { askAbout, type LinkedSide } from './linked-side.ts';
import { type LinkedSides, onlyNode } from './linked-sides.ts';
import { PlainHabit } from './plain-batch.ts';
import { QUESTIONS } from './questions.ts';
import { quickCompare } from './quick-compare.ts';
import type { Difference } from './report.ts';
import { sameAnswerTo } from './same-answer.ts';
import type { StratumPlace } from './strata.ts';
import { eachOf, lookAt, type Settled, type SettleOptions, type Suspect, settleSuspects } from './suspects.ts';
import { addDifferent, addEqual, addTally, emptyTally, type Tally } from './tally.ts';

export interface ExamineOptions extends SettleOptions {
  readonly sides: LinkedSides;
  /** Where all keys of both sides are gone through: what keeps the account of them. */
  readonly balance?: KeyBalance | null;
  /** Every confirmed difference, once. */
  readonly onDifference: (difference: Difference, stratum: number) => void;
  readonly onSkipped: (suspect: Suspect, reason: string) => void;
}

/** What one batch came to; nothing of it is in the tallies before it is committed. */
export interface Examined {
  readonly stratum: number;
  readonly tally: Tally;
  readonly suspects: readonly Suspect[];
}

export class Examiner {
  readonly #options: ExamineOptions;
  readonly #sources: readonly LinkedSide[];
  /** By node of the source. */
  readonly #habits: readonly PlainHabit[];
  readonly #balance: KeyBalance | null;
  readonly tallies: Tally[];
  /** Waiting to be looked at again. */
  readonly #suspects = new Set<Suspect>();

  /** Differences that are counted already: SCAN may give a key twice. */
  readonly #known = new KeySet();
  readonly #ofTarget: readonly boolean[];

  /** A tally for each stratum. */
  constructor(options: ExamineOptions, strata: readonly { readonly side: 'source' | 'target' }[]) {
    const { source, target } = options.sides;
    this.#options = {
      ...options,
      same: (key, places) => (command) => sameAnswerTo(source, target, key, places, command),
    };
    this.#balance = options.balance ?? null;
    this.#ofTarget = strata.map(({ side }) => side === 'target');
    this.#sources = options.sides.source.side.nodes.map((_, node) => onlyNode(options.sides.source, node));
    this.#habits = this.#sources.map(() => new PlainHabit());
    this.tallies = strata.map(emptyTally);
  }

  /** All tallies together. */
  get sum(): Tally {
    const sum = emptyTally();
    for (const tally of this.tallies) addTally(sum, tally);
    return sum;
  }

  get suspects(): ReadonlySet<Suspect> {
    return this.#suspects;
  }

  /** Keys of a node of the source: everything about them. Keys of a node of the target: whether the source has them. */
  examine(place: StratumPlace, batch: KeyBatch): Promise<Examined> {
    return place.side === 'source' ? this.#compare(place, batch) : this.#findExtras(place, batch);
  }

  /** Keys of a node of the target, for the account alone. */
  async count({ database, number }: StratumPlace, batch: KeyBatch): Promise<Examined> {
    this.#balance?.onTarget(database, batch);
    return { stratum: number, tally: emptyTally(), suspects: [] };
  }

  /** Puts what was found into the tallies. */
  commit({ stratum, tally, suspects }: Examined): void {
    const own = this.tallies[stratum];
    if (own !== undefined) addTally(own, tally);
    for (const suspect of suspects) this.#suspects.add(suspect);
  }

  /** A difference that is in the tallies already: from an earlier part of the same comparison. */
  know(difference: Difference): void {
    this.#known.add(nameOf(difference));
  }

  /** Looks at all suspects there are now until each is settled. */
  async settle(): Promise<void> {
    const waiting = [...this.#suspects];
    if (waiting.length === 0) return;
    await settleSuspects(waiting, this.#options, (suspect, settled) => {
      // Another round may have begun with it meanwhile: the first word counts.
      if (this.#suspects.delete(suspect)) this.#note(suspect, settled);
    });
  }

  async #compare(place: StratumPlace, batch: KeyBatch): Promise<Examined> {
    const { sides, toleranceMs } = this.#options;
    const source = this.#sources[place.node];
    const habit = this.#habits[place.node];
    if (source === undefined || habit === undefined) throw new RangeError(`the source has no node ${place.node}`);
    const tally = emptyTally();
    const suspects: Suspect[] = [];
    const { equal, doubtful } = await quickCompare(
      { source, target: sides.target, toleranceMs, habit },
      place.database,
      batch,
    );
    for (const [type, count] of equal) addEqual(tally, type, count);
    this.#balance?.onBoth(place.database, batch, doubtful);
    await eachOf(doubtful, async (index) => {
      // A copy: the batch is a view into a buffer that will be read into again.
      const key = Buffer.from(keyAt(batch, index));
      const suspect: Suspect = { side: 'source', database: place.database, key, stratum: place.number };
      const verdict = await lookAt(suspect, this.#options);
      if (verdict.verdict === 'equal') {
        addEqual(tally, verdict.type, 1);
        this.#balance?.oneOnBoth(place.database, key);
      } else if (verdict.verdict === 'expiring') tally.expiring += 1;
      else if (verdict.verdict !== 'gone') suspects.push(suspect);
    });
    return { stratum: place.number, tally, suspects };
  }

  async #findExtras(place: StratumPlace, batch: KeyBatch): Promise<Examined> {
    const { sides } = this.#options;
    const { database, number } = place;
    let absent = this.#balance?.openIn(database, batch) ?? Array.from({ length: batch.count }, (_, index) => index);
    for (const from of sourcesOf(sides.target.side.description.databases, database)) {
      absent = await absentFrom(sides.source, from, batch, absent);
    }
    const suspects = absent.map(
      (index): Suspect => ({ side: 'target', database, key: Buffer.from(keyAt(batch, index)), stratum: number }),
    );
    return { stratum: number, tally: emptyTally(), suspects };
  }

  /** A key of the target that the source has after all: it is compared, and counted, as the source's. */
  #isSourcesBusiness(settled: Settled): boolean {
    if (settled.outcome === 'different') return !settled.difference.aspects.includes('extra');
    return settled.outcome === 'equal';
  }

  #note(suspect: Suspect, settled: Settled): void {
    const tally = this.tallies[suspect.stratum];
    if (tally === undefined) return;
    if (this.#ofTarget[suspect.stratum] === true) {
      if (this.#isSourcesBusiness(settled)) return;
    } else if (isOnBoth(settled)) this.#balance?.oneOnBoth(suspect.database, suspect.key);
    switch (settled.outcome) {
      case 'different':
        if (!this.#known.add(nameOf(settled.difference))) break;
        addDifferent(tally, settled.difference.type, settled.difference.aspects);
        this.#options.onDifference(settled.difference, suspect.stratum);
        break;
      case 'equal':
        addEqual(tally, settled.type, 1);
        break;
      case 'skipped':
        tally.skipped += 1;
        this.#options.onSkipped(suspect, settled.reason);
        break;
      case 'unstable':
      case 'expiring':
        tally[settled.outcome] += 1;
        break;
      case 'gone':
        break;
    }
  }
}

function isOnBoth(settled: Settled): boolean {
  if (settled.outcome === 'different') return !settled.difference.aspects.includes('missing');
  return settled.outcome === 'equal';
}

/** The number of an extra key's database is the target's. */
function nameOf({ database, key, aspects }: Difference): Buffer {
  return Buffer.concat([Buffer.from(`${aspects.includes('extra') ? '+' : ''}${database}:`, 'latin1'), key]);
}

/** Those of the keys at `indexes` that a side does not have. */
async function absentFrom(linked: LinkedSide, database: number, batch: KeyBatch, indexes: number[]): Promise<number[]> {
  if (linked.side.cluster && database !== 0) return indexes;
  const [link] = linked.links;
  if (indexes.length === 0 || link === undefined) return [];
  if (!linked.side.cluster && indexes.length === batch.count) {
    // One number for all of them: nearly always the answer is that all are there.
    const replies = await link.request(oneCommand('EXISTS', batch, 0, batch.count), 1, { database });
    const there = Number(replies.bytes.toString('latin1', 1, replies.end));
    link.release(replies);
    if (there === batch.count) return [];
  }
  const answers = await askAbout(linked, database, batch, indexes, QUESTIONS.exists);
  const absent = indexes.filter((_, place) => answers.numberIn(place) !== 1);
  answers.release();
  return absent;
}
