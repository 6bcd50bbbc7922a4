// Proves most keys of a batch equal without looking into them: the same question to both sides, and answers that are the
// same bytes. No DUMP: encoding and checksum cost the servers more than the plain value, and versions differ in them. What
// is not proved equal here (other order of a hash table, other text of a double, too big, streams, really different) is
// doubtful and goes to key-compare.ts. Never says that a key differs.
import type { Answers } from './answers.ts';
import { sameExpiries } from './batch-expiries.ts';
import { targetOf } from './database-numbers.ts';
import type { Indexes, KeyBatch } from './key-batch.ts';
import { askKeyspaces, type Databases, fieldsMayExpire, mayExpire } from './keyspaces.ts';
import { askAbout, type LinkedSide } from './linked-side.ts';
import type { PlainHabit } from './plain-batch.ts';
import { AFTER, QUESTIONS, type Question } from './questions.ts';
import { ReplyTooLong } from './reply-link.ts';

/** By MEMORY USAGE: larger values are compared in windows. */
const SMALL_BYTES = 65_536;
/** What one request may bring, about: it stands in the server's output buffer until it is read. */
const REQUEST_BYTES = 1_048_576;
/** Numbers are longer as text than in memory; beyond this the source has something else than the target. */
const MOST_BYTES = 16 * REQUEST_BYTES;

const MINUS = 0x2d;
const DOLLAR = 0x24;

/** Types that are read with one command each; what is not here is doubtful. */
const BY_TYPE: Readonly<Record<string, TypeReading>> = {
  hash: { question: QUESTIONS.hash, unordered: 2 },
  list: { question: QUESTIONS.list, unordered: null },
  set: { question: QUESTIONS.set, unordered: 1 },
  zset: { question: QUESTIONS.zset, unordered: null },
};

interface TypeReading {
  readonly question: Question;
  /** Where the order means nothing: how many elements of the reply belong together. */
  readonly unordered: number | null;
}

export interface QuickOutcome {
  /** Keys proved equal, by type. */
  readonly equal: ReadonlyMap<string, number>;
  /** Indexes into the batch, rising. */
  readonly doubtful: readonly number[];
}

export interface QuickPair {
  /** One node of the source: that which holds the batch. */
  readonly source: LinkedSide;
  readonly target: LinkedSide;
  readonly toleranceMs: number;
  /** What the batches of this node have been. */
  readonly habit: PlainHabit;
}

/** Compares the keys of one batch of a database of the source. Throws only when a link breaks or a server refuses to be read. */
export async function quickCompare(pair: QuickPair, database: number, batch: KeyBatch): Promise<QuickOutcome> {
  const found: Found = { equal: new Map(), doubtful: [] };
  const all = new Uint32Array(batch.count);
  for (let index = 0; index < batch.count; index++) all[index] = index;
  if (batch.count === 0) return found;
  const databases = { source: database, target: targetOf(pair.target.side.description.databases, database) };
  // A cluster has one database: everything of another one is missing there.
  if (pair.target.side.cluster && databases.target !== 0) return { equal: found.equal, doubtful: [...all] };
  if (pair.habit.believed) {
    const outcome = await comparePlain(pair, databases, batch, all);
    if (outcome !== null) return outcome;
    pair.habit.disappoint();
  }
  // The target is asked, to spare the source: values that should be equal are equally big.
  const [sizes, ours] = await Promise.all([
    askAbout(pair.target, databases.target, batch, all, QUESTIONS.size, { after: AFTER.keyspace }),
    askKeyspaces(pair.source),
  ]);
  const keyspaces = { source: ours, target: sizes.textsAfter() };
  const expiring = mayExpire(keyspaces, databases);
  const knowFields = pair.source.side.fieldExpiry && pair.target.side.fieldExpiry;
  const fieldsExpire = knowFields && fieldsMayExpire(keyspaces, databases);
  const chunks = cut(sizes, all, found);
  sizes.release();
  const isSmall = chunks.length === 1 && found.doubtful.length === 0;
  await Promise.all(
    chunks.map(async (indexes) => {
      try {
        await compareChunk(pair, databases, batch, indexes, { expiring, fieldsExpire }, found);
      } catch (error) {
        if (!(error instanceof ReplyTooLong)) throw error;
        for (let place = 0; place < indexes.length; place++) found.doubtful.push(indexes[place] as number);
      }
    }),
  );
  const isPlain = isSmall && found.equal.get('string') === batch.count;
  pair.habit.note(isPlain);
  found.doubtful.sort(rising);
  return found;
}

/**
 * All keys as small strings, the values of the target first: of the source nothing is asked before it is known how big they
 * should be. null when they are something else, and nothing is known then.
 */
async function comparePlain(
  pair: QuickPair,
  databases: Databases,
  batch: KeyBatch,
  all: Uint32Array,
): Promise<QuickOutcome | null> {
  const most = { mostBytes: MOST_BYTES };
  const [values, ours, theirs] = await Promise.allSettled([
    askAbout(pair.target, databases.target, batch, all, QUESTIONS.head, most),
    askKeyspaces(pair.source),
    askKeyspaces(pair.target),
  ]);
  const heads = fulfilled(values);
  if (heads === null) return null;
  try {
    if (ours.status === 'rejected') throw ours.reason;
    if (theirs.status === 'rejected') throw theirs.reason;
    let bytes = 0;
    for (let place = 0; place < batch.count; place++) {
      if (heads.kindOf(place) !== DOLLAR) return null;
      const length = heads.numberIn(place);
      if (length === 0 || length > SMALL_BYTES) return null;
      bytes += length;
    }
    pair.habit.note(bytes <= REQUEST_BYTES);
    const keyspaces = { source: ours.value, target: theirs.value };
    const [strings, lasting] = await Promise.all([
      askAbout(pair.source, databases.source, batch, all, QUESTIONS.string, most),
      mayExpire(keyspaces, databases) ? sameExpiries(pair, databases, batch, all) : null,
    ]);
    const found: Found = { equal: new Map(), doubtful: [] };
    const others = judgeStrings({ ours: strings, theirs: heads }, all, lasting, found);
    strings.release();
    return { equal: found.equal, doubtful: [...found.doubtful, ...others].sort(rising) };
  } catch (error) {
    if (error instanceof ReplyTooLong) return null;
    throw error;
  } finally {
    heads.release();
  }
}

function rising(a: number, b: number): number {
  return a - b;
}

/** null for answers that were too long. @throws the reason of any other failure. */
function fulfilled(result: PromiseSettledResult<Answers>): Answers | null {
  if (result.status === 'fulfilled') return result.value;
  if (result.reason instanceof ReplyTooLong) return null;
  throw result.reason;
}

interface Found {
  readonly equal: Map<string, number>;
  readonly doubtful: number[];
}

interface Lasting {
  readonly expiring: boolean;
  readonly fieldsExpire: boolean;
}

async function compareChunk(
  pair: QuickPair,
  databases: Databases,
  batch: KeyBatch,
  indexes: Indexes,
  { expiring, fieldsExpire }: Lasting,
  found: Found,
): Promise<void> {
  const chunk: Found = { equal: new Map(), doubtful: [] };
  const [values, lasting] = await Promise.all([
    askBoth(pair, databases, batch, indexes, QUESTIONS.string),
    expiring ? sameExpiries(pair, databases, batch, indexes) : null,
  ]);
  const others = judgeStrings(values, indexes, lasting, chunk);
  values.release();
  if (others.length > 0) await judgeOthers(pair, databases, batch, others, fieldsExpire, chunk);
  for (const [type, count] of chunk.equal) found.equal.set(type, (found.equal.get(type) ?? 0) + count);
  found.doubtful.push(...chunk.doubtful);
}

interface Both {
  readonly ours: Answers;
  readonly theirs: Answers;
  release(): void;
}

async function askBoth(
  pair: QuickPair,
  databases: Databases,
  batch: KeyBatch,
  indexes: Indexes,
  question: Question,
): Promise<Both> {
  const [ours, theirs] = await Promise.allSettled([
    askAbout(pair.source, databases.source, batch, indexes, question, { mostBytes: MOST_BYTES }),
    askAbout(pair.target, databases.target, batch, indexes, question, { mostBytes: MOST_BYTES }),
  ]);
  const release = (): void => {
    for (const answers of [ours, theirs]) if (answers.status === 'fulfilled') answers.value.release();
  };
  if (ours.status === 'fulfilled' && theirs.status === 'fulfilled') {
    return { ours: ours.value, theirs: theirs.value, release };
  }
  release();
  throw ours.status === 'rejected' ? ours.reason : theirs.status === 'rejected' ? theirs.reason : null;
}

/** Chunks of keys whose values are small enough to be read together; the rest is doubtful. */
function cut(sizes: Answers, all: Uint32Array, { doubtful }: Found): Indexes[] {
  const chunks: number[][] = [];
  let chunk: number[] = [];
  let bytes = 0;
  for (let index = 0; index < all.length; index++) {
    // Refused, too big, or not there.
    const size = sizes.kindOf(index) === MINUS ? -1 : sizes.numberIn(index);
    if (size < 0 || size > SMALL_BYTES) {
      doubtful.push(index);
      continue;
    }
    if (bytes + size > REQUEST_BYTES && chunk.length > 0) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(index);
    bytes += size;
  }
  if (chunk.length === all.length) return [all];
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}

/** Gives those that are no strings. */
function judgeStrings(
  { ours, theirs }: Pick<Both, 'ours' | 'theirs'>,
  indexes: Indexes,
  lasting: Uint8Array | null,
  found: Found,
): number[] {
  const others: number[] = [];
  const same = ours.allAs(theirs);
  let strings = 0;
  for (let place = 0; place < indexes.length; place++) {
    const index = indexes[place] as number;
    if (lasting !== null && lasting[place] === 0) found.doubtful.push(index);
    else if (ours.kindOf(place) !== DOLLAR) found.doubtful.push(index);
    else if (ours.numberIn(place) < 0) others.push(index);
    else if (same || ours.sameAs(theirs, place)) strings += 1;
    else found.doubtful.push(index);
  }
  if (strings > 0) found.equal.set('string', strings);
  return others;
}

async function judgeOthers(
  pair: QuickPair,
  databases: Databases,
  batch: KeyBatch,
  others: readonly number[],
  fieldsExpire: boolean,
  { equal, doubtful }: Found,
): Promise<void> {
  const types = await askAbout(pair.target, databases.target, batch, others, QUESTIONS.type);
  const byType = new Map<string, number[]>();
  for (const [place, index] of others.entries()) {
    const type = types.lineIn(place);
    const reading = type === 'hash' && fieldsExpire ? undefined : BY_TYPE[type];
    const group = byType.get(type);
    if (reading === undefined) doubtful.push(index);
    else if (group === undefined) byType.set(type, [index]);
    else group.push(index);
  }
  types.release();
  for (const [type, indexes] of byType) {
    const reading = BY_TYPE[type];
    if (reading === undefined) continue;
    const { question, unordered } = reading;
    const { ours, theirs, release } = await askBoth(pair, databases, batch, indexes, question);
    let same = 0;
    for (const [place, index] of indexes.entries()) {
      const readable = ours.kindOf(place) !== MINUS;
      const alike = (): boolean => unordered !== null && ours.sameElementsAs(theirs, place, unordered);
      if (readable && (ours.sameAs(theirs, place) || alike())) same += 1;
      else doubtful.push(index);
    }
    release();
    if (same > 0) equal.set(type, same);
  }
}
