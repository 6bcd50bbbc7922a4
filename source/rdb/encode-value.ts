// Encodes a value that comes element by element in the plain encodings of an RDB, which every server since the goal's
// version loads: string 0, list 1, set 2, zset 5 (3 before 4.0), hash 4 or with expiries 24 or 22, stream 15, 19 or 21.
import { FerryError } from '../engine/errors.ts';
import type { EncodingGoal, Loss } from './encode-goal.ts';
import { HashEncoder } from './encode-hash.ts';
import { StreamEncoder } from './encode-stream.ts';
import { type Dialect, TYPE, VALKEY_TYPE } from './format.ts';
import { lowestVersion } from './payload-version.ts';
import { RdbOutput } from './rdb-output.ts';
import type { Slice, StreamFacts, StreamId, ValueKind, ValueSink } from './value-sink.ts';

/** First version that has streams, and first one with scores in binary. */
const STREAM_VERSION = 9;
const BINARY_SCORE_VERSION = 8;

export interface ValueEncoderOptions {
  /** Default: Redis 7.4. */
  readonly goal?: EncodingGoal;
  /** Told of what of a value can not be written, once for each kind of loss and value. */
  readonly onLoss?: (loss: Loss) => void;
  /** The time, for fields whose expiry has passed where none can be written. */
  readonly nowMs?: () => number;
  /** What to write for the expiry of a hash's field; by default what was given. */
  readonly fieldExpiry?: (expiresAtMs: number) => number;
}

/** Takes one value after another; what `type`, `version` and the bytes say of a value holds until the next `begin`. */
export class ValueEncoder implements ValueSink {
  readonly saturated = false;
  readonly #out = new RdbOutput();
  readonly #onLoss: (loss: Loss) => void;
  readonly #losses = new Set<Loss>();
  readonly #goal: EncodingGoal;
  readonly #fieldExpiry: (expiresAtMs: number) => number;
  readonly #hash: HashEncoder;
  readonly #stream: StreamEncoder;
  #kind: ValueKind = 'string';
  #type = 0;
  /** Elements, or the bytes of a string. */
  #count = 0;

  constructor(options: ValueEncoderOptions = {}) {
    this.#goal = options.goal ?? { redis: 12, valkey: 0 };
    this.#onLoss = options.onLoss ?? (() => {});
    this.#fieldExpiry = options.fieldExpiry ?? ((expiresAtMs) => expiresAtMs);
    this.#hash = new HashEncoder(this.#out, this.#goal, options.nowMs ?? Date.now);
    this.#stream = new StreamEncoder(this.#out, this.#goal, (loss) => this.#lost(loss));
  }

  /** The type of the value, once it has ended. */
  get type(): number {
    return this.#type;
  }

  /** The lowest version that defines the type: what a DUMP payload of it is to be stamped with. */
  get version(): number {
    return lowestVersion(this.#type, this.#dialect);
  }

  /** Who else reads the type so. */
  get #dialect(): Dialect {
    return this.#type === VALKEY_TYPE.hash2 ? 'valkey' : 'redis';
  }

  /** Holds the value, without its type, in its first `length` bytes. */
  get bytes(): Buffer {
    return this.#out.bytes;
  }

  get length(): number {
    return this.#out.length;
  }

  /** It is a collection without an element, which no server keeps and RESTORE refuses. */
  get empty(): boolean {
    return this.#count === 0 && this.#kind !== 'string' && this.#kind !== 'stream';
  }

  /** @throws FerryError `encoding` for a stream whose goal has none. */
  begin(kind: ValueKind): void {
    if (kind === 'stream' && this.#goal.redis < STREAM_VERSION) {
      throw new FerryError('Servers before Redis 5.0 have no streams: leave this key out, or take a newer target.', {
        code: 'encoding',
      });
    }
    this.#kind = kind;
    this.#count = 0;
    this.#losses.clear();
    this.#out.reset();
    if (kind === 'hash') this.#hash.begin();
    else if (kind === 'stream') this.#stream.begin();
    else this.#out.reserveLength();
  }

  text(piece: Slice): void {
    this.#count += piece.end - piece.start;
    this.#out.putBytes(piece.bytes, piece.start, piece.end);
  }

  element(element: Slice): void {
    this.#count++;
    this.#out.putString(element.bytes, element.start, element.end);
  }

  scored(member: Slice, score: number): void {
    this.#count++;
    this.#out.putString(member.bytes, member.start, member.end);
    if (this.#goal.redis >= BINARY_SCORE_VERSION) this.#out.putDoubleLE(score);
    else this.#out.putScoreText(score);
  }

  field(field: Slice, value: Slice, expiresAtMs: number): void {
    this.#hash.field(field, value, this.#fieldExpiry(expiresAtMs));
  }

  streamEntry(id: StreamId, fields: readonly Slice[], count: number): void {
    this.#stream.entry(id, fields, count);
  }

  streamFacts(facts: StreamFacts): void {
    this.#stream.facts(facts);
  }

  group(name: Slice, lastId: StreamId, entriesRead: bigint | null): void {
    this.#stream.group(name, lastId, entriesRead);
  }

  consumer(name: Slice, seenMs: number, activeMs: number | null): void {
    this.#stream.consumer(name, seenMs, activeMs);
  }

  pending(id: StreamId, deliveredAtMs: number, deliveries: number): void {
    this.#stream.pending(id, deliveredAtMs, deliveries);
  }

  end(): void {
    this.#type = this.#endOf(this.#kind);
  }

  #endOf(kind: ValueKind): number {
    switch (kind) {
      case 'hash': {
        const type = this.#hash.end();
        this.#count = this.#hash.count;
        if (this.#hash.lostExpiries) this.#lost('field-expiry');
        return type;
      }
      case 'stream':
        return this.#stream.end();
      default:
        this.#out.patchLength(0, this.#count);
        return PLAIN_TYPES[kind](this.#goal);
    }
  }

  #lost(loss: Loss): void {
    if (this.#losses.has(loss)) return;
    this.#losses.add(loss);
    this.#onLoss(loss);
  }
}

const PLAIN_TYPES = {
  string: () => TYPE.string,
  list: () => TYPE.list,
  set: () => TYPE.set,
  zset: ({ redis }: EncodingGoal) => (redis >= BINARY_SCORE_VERSION ? TYPE.zset2 : TYPE.zset),
} as const;
