// Rewrites a stream in an older layout without decoding its entries: the nodes are the same since 5.0 and are copied, and
// of what stands behind them is left out what the older layout has no place for. Layouts: rdbLoadObject of Redis 5.0 to
// 8.6 and the format reference, section 6.
import type { ByteView } from './byte-view.ts';
import type { Loss } from './encode-goal.ts';
import { type Dialect, TYPE } from './format.ts';
import { INCOMPLETE, INVALID, LengthReader } from './length.ts';
import { RdbError } from './rdb-error.ts';
import type { RdbOutput } from './rdb-output.ts';
import { type Pattern, patternOf, type Step } from './value-patterns.ts';
import { ValueWalker } from './value-walker.ts';

/** Its place in the list is the version: what each has beside the one before stands in the format reference. */
const VERSIONS: readonly number[] = [
  0,
  TYPE.streamListpacks,
  TYPE.streamListpacks2,
  TYPE.streamListpacks3,
  TYPE.streamListpacks4,
  TYPE.streamListpacks5,
];
const WITH_COUNTERS = 2;
const WITH_ACTIVE_TIME = 3;
const WITH_IDEMPOTENCY = 4;
const WITH_RELEASED = 5;

const ID_BYTES = 16;
const TIME_BYTES = 8;

const STRING: Step = { kind: 'string' };
const LENGTH: Step = { kind: 'length' };
const RAW_ID: Step = { kind: 'raw', bytes: ID_BYTES };
const TIME: Step = { kind: 'raw', bytes: TIME_BYTES };
const repeat = (...pattern: Step[]): Step => ({ kind: 'repeat', pattern });

/** Nodes, length, last ID. */
const HEAD: Pattern = [repeat(STRING, STRING), LENGTH, LENGTH, LENGTH];
/** First ID, highest deleted ID, entries added. */
const COUNTERS: Pattern = [LENGTH, LENGTH, LENGTH, LENGTH, LENGTH];
/** Name, last ID. */
const GROUP_HEAD: Pattern = [STRING, LENGTH, LENGTH];
const COUNT: Pattern = [LENGTH];
const PENDING_ENTRY: Pattern = [RAW_ID, TIME, LENGTH];
const PENDING: Pattern = [repeat(...PENDING_ENTRY)];
const ONE_ID: Pattern = [RAW_ID];
const IDS: Pattern = [repeat(RAW_ID)];
const NAME_AND_TIME: Pattern = [STRING, TIME];
const ONE_TIME: Pattern = [TIME];
const CONSUMERS_2: Pattern = [repeat(STRING, TIME, ...IDS)];
const CONSUMERS: Pattern = [repeat(STRING, TIME, TIME, ...IDS)];
/** How long, and how many: what stands before the producers. */
const ID_LIMITS: Pattern = [LENGTH, LENGTH];
/** And the two counters behind them. */
const PRODUCERS: Pattern = [repeat(STRING, repeat(STRING, LENGTH, LENGTH)), LENGTH, LENGTH];
const EMPTY = Buffer.alloc(0);

/** The newest type of streams that a version has; 0 for none. */
export function newestStreamType(version: number): number {
  if (version >= 14) return TYPE.streamListpacks5;
  if (version >= 13) return TYPE.streamListpacks4;
  if (version >= 11) return TYPE.streamListpacks3;
  if (version >= 10) return TYPE.streamListpacks2;
  return version >= 9 ? TYPE.streamListpacks : 0;
}

/** Valkey writes Redis's streams up to those of 7.2. */
export function isStreamType(type: number, dialect: Dialect): boolean {
  return VERSIONS.indexOf(type) > 0 && (dialect === 'redis' || type <= TYPE.streamListpacks3);
}

export class StreamRewriter {
  readonly #out: RdbOutput;
  readonly #onLoss: (loss: Loss) => void;
  readonly #losses = new Set<Loss>();
  readonly #walker = new ValueWalker();
  readonly #length = new LengthReader();
  #bytes: Buffer = EMPTY;
  #at = 0;
  #end = 0;
  /** Place in the snapshot of the buffer's first byte, for error messages. */
  #origin = 0;
  #from = 0;
  #to = 0;

  /** @param onLoss told once for each kind of loss and value. */
  constructor(out: RdbOutput, onLoss: (loss: Loss) => void) {
    this.#out = out;
    this.#onLoss = onLoss;
  }

  /**
   * Appends the stream that begins at the view's start to the output and takes it off the view.
   * @param from the type it has.
   * @param to the type it is to have, the same or an older one.
   * @throws RdbError when the bytes are no whole stream of that type.
   */
  rewrite(from: number, to: number, view: ByteView): void {
    this.#from = VERSIONS.indexOf(from);
    this.#to = VERSIONS.indexOf(to);
    this.#bytes = view.bytes;
    this.#at = view.start;
    this.#end = view.end;
    this.#origin = view.position - view.start;
    this.#losses.clear();
    if (to === from) this.#copy(patternOf(from, 'redis') ?? HEAD);
    else this.#stream();
    view.start = this.#at;
    this.#bytes = EMPTY;
  }

  #stream(): void {
    this.#copy(HEAD);
    if (this.#from >= WITH_COUNTERS) {
      this.#copyFor(WITH_COUNTERS, COUNTERS);
      if (this.#to < WITH_COUNTERS) this.#lost('entries-read');
    }
    const groups = this.#count();
    this.#out.putLength(groups);
    for (let i = 0; i < groups; i++) this.#group();
    if (this.#from >= WITH_IDEMPOTENCY) this.#idempotency();
  }

  #group(): void {
    this.#copy(GROUP_HEAD);
    if (this.#from >= WITH_COUNTERS) this.#copyFor(WITH_COUNTERS, COUNT);
    const pendingAt = this.#at;
    this.#pass(PENDING);
    const consumersAt = this.#at;
    if (this.#from < WITH_RELEASED) {
      this.#out.putBytes(this.#bytes, pendingAt, consumersAt);
      this.#consumers();
      return;
    }
    // Which of the pending entries are nobody's is told behind the consumers.
    this.#pass(CONSUMERS);
    const released = this.#ids();
    const behind = this.#at;
    this.#at = pendingAt;
    this.#pendingWithout(released);
    this.#consumers();
    this.#at = behind;
  }

  #consumers(): void {
    if (this.#from < WITH_ACTIVE_TIME) this.#copy(CONSUMERS_2);
    else if (this.#to >= WITH_ACTIVE_TIME) this.#copy(CONSUMERS);
    else {
      const consumers = this.#count();
      this.#out.putLength(consumers);
      for (let i = 0; i < consumers; i++) {
        this.#copy(NAME_AND_TIME);
        const activeAt = this.#at;
        this.#pass(ONE_TIME);
        const same = this.#bytes.compare(this.#bytes, activeAt, this.#at, activeAt - TIME_BYTES, activeAt) === 0;
        // Servers take the time seen for the time active where the layout has only the one.
        if (!same) this.#lost('consumer-activity');
        this.#copy(IDS);
      }
    }
  }

  /** The IDs of a list, as text to look them up by. */
  #ids(): ReadonlySet<string> {
    const ids = new Set<string>();
    const count = this.#count();
    for (let i = 0; i < count; i++) {
      const at = this.#at;
      this.#pass(ONE_ID);
      ids.add(this.#bytes.toString('latin1', at, this.#at));
    }
    return ids;
  }

  /** Copies the pending entries but for those: in the older layouts each has an owner. */
  #pendingWithout(released: ReadonlySet<string>): void {
    if (released.size === 0) {
      this.#copy(PENDING);
      return;
    }
    this.#lost('released-entries');
    const countAt = this.#out.reserveLength();
    const count = this.#count();
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const at = this.#at;
      this.#pass(PENDING_ENTRY);
      if (released.has(this.#bytes.toString('latin1', at, at + ID_BYTES))) continue;
      this.#out.putBytes(this.#bytes, at, this.#at);
      kept++;
    }
    this.#out.patchLength(countAt, kept);
  }

  #idempotency(): void {
    const begin = this.#at;
    this.#pass(ID_LIMITS);
    const producersAt = this.#at;
    const producers = this.#count();
    this.#at = producersAt;
    this.#pass(PRODUCERS);
    if (this.#to >= WITH_IDEMPOTENCY) this.#out.putBytes(this.#bytes, begin, this.#at);
    else if (producers > 0) this.#lost('idempotency');
  }

  /** Passes over what the layouts since that version have, and copies it for those. */
  #copyFor(version: number, pattern: Pattern): void {
    if (this.#to >= version) this.#copy(pattern);
    else this.#pass(pattern);
  }

  #copy(pattern: Pattern): void {
    const begin = this.#at;
    this.#pass(pattern);
    this.#out.putBytes(this.#bytes, begin, this.#at);
  }

  #pass(pattern: Pattern): void {
    this.#walker.begin(pattern, this.#origin + this.#at);
    this.#at = this.#walker.advance(this.#bytes, this.#at, this.#end);
    if (!this.#walker.done) throw this.#cut();
  }

  #count(): number {
    const next = this.#length.read(this.#bytes, this.#at, this.#end);
    if (next === INCOMPLETE) throw this.#cut();
    if (next === INVALID || this.#length.encoding >= 0) {
      throw new RdbError('A length that no server writes', this.#origin + this.#at);
    }
    this.#at = next;
    return this.#length.value;
  }

  #cut(): RdbError {
    return new RdbError('A stream ends in the middle', this.#origin + this.#end);
  }

  #lost(loss: Loss): void {
    if (this.#losses.has(loss)) return;
    this.#losses.add(loss);
    this.#onLoss(loss);
  }
}
