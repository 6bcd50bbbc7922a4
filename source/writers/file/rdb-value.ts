// Writes a decoded value of any size straight into an RDB file, in the plainest encoding of its kind. Counts that only
// the end tells are zeros at first, and written over when they are known.
import type { Loss } from '../../rdb/encode-goal.ts';
import type { Slice, StreamFacts, StreamId, ValueKind, ValueSink } from '../../rdb/value-sink.ts';
import type { FileOutput } from './file-output.ts';
import type { RdbChecksum } from './rdb-checksum.ts';
import type { PlainLayout } from './rdb-layout.ts';
import { LENGTH_BYTES, putInt64, putLength, putLongLength } from './rdb-record.ts';
import { RdbStreamWriter } from './rdb-stream.ts';

/** What the expiries of type 24 are relative to: with 1 each of them is the time itself (rdbLoadObject of Redis 7.4). */
const EXPIRY_BASE_MS = 1;
/** EB_EXPIRE_TIME_MAX of Redis 7.4, which refuses a value with a later expiry. */
const HIGHEST_EXPIRY_MS = 2 ** 48 - 1;

export class RdbValueWriter implements ValueSink {
  readonly #output: FileOutput;
  readonly #checksum: RdbChecksum;
  readonly #lost: (loss: Loss) => void;
  readonly #stream: RdbStreamWriter;
  #layout: PlainLayout = { type: 0, fieldExpiries: 'none', streamVersion: 1 };
  /** Elements, or bytes of a string, so far; and where in the file the count stands. */
  #count = 0;
  #countPosition = 0;
  #isStream = false;

  /** @param checksum of the file, which has to follow what is written over. */
  constructor(output: FileOutput, checksum: RdbChecksum, lost: (loss: Loss) => void) {
    this.#output = output;
    this.#checksum = checksum;
    this.#lost = lost;
    this.#stream = new RdbStreamWriter(this, lost);
  }

  get saturated(): boolean {
    return this.#output.saturated;
  }

  /** The next value is to have this layout; its type and key are written. */
  expect(layout: PlainLayout): void {
    this.#layout = layout;
  }

  begin(kind: ValueKind): void {
    this.#count = 0;
    this.#isStream = kind === 'stream';
    if (this.#isStream) {
      this.#stream.begin(this.#layout.streamVersion);
      return;
    }
    if (kind === 'hash' && this.#layout.fieldExpiries === 'redis') this.#ms(EXPIRY_BASE_MS);
    this.#countPosition = this.reserveCount();
  }

  text(piece: Slice): void {
    this.#count += piece.end - piece.start;
    this.#output.append(piece.bytes, piece.start, piece.end);
  }

  element(element: Slice): void {
    this.#count++;
    this.#string(element);
  }

  scored(member: Slice, score: number): void {
    this.#count++;
    this.#string(member);
    const at = this.#output.reserve(8);
    this.#output.commit(this.#output.out.writeDoubleLE(score, at));
  }

  field(field: Slice, value: Slice, expiresAtMs: number): void {
    const expires = expiresAtMs >= 0;
    const { fieldExpiries } = this.#layout;
    if (expires && fieldExpiries === 'none') {
      this.#lost('field-expiry');
      // It is gone already, only not yet cleared away: without its expiry it would come back to life.
      if (expiresAtMs <= Date.now()) return;
    }
    this.#count++;
    if (fieldExpiries === 'redis')
      this.#length(expires ? Math.min(Math.max(expiresAtMs, EXPIRY_BASE_MS), HIGHEST_EXPIRY_MS) : 0);
    this.#string(field);
    this.#string(value);
    if (fieldExpiries === 'valkey') this.#ms(expires ? expiresAtMs : -1);
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
    if (this.#isStream) this.#stream.end();
    else this.setCount(this.#countPosition, this.#count);
  }

  /** Leaves room for a count; gives its place in the file. */
  reserveCount(): number {
    const output = this.#output;
    const position = output.position;
    const at = output.reserve(LENGTH_BYTES);
    output.out.fill(0, at, at + LENGTH_BYTES);
    output.commit(at + LENGTH_BYTES);
    return position;
  }

  /** Writes a count into the room left for it. */
  setCount(position: number, count: number): void {
    const bytes = Buffer.alloc(LENGTH_BYTES);
    putLongLength(bytes, 0, count);
    this.#output.patch(position, bytes);
    const { position: now } = this.#output;
    this.#checksum.patched(bytes, now - position - LENGTH_BYTES, now);
  }

  /** Bytes that are encoded already. */
  append(bytes: Buffer, start: number, end: number): void {
    this.#output.append(bytes, start, end);
  }

  #string({ bytes, start, end }: Slice): void {
    this.#length(end - start);
    this.#output.append(bytes, start, end);
  }

  #length(length: number): void {
    const at = this.#output.reserve(LENGTH_BYTES);
    this.#output.commit(putLength(this.#output.out, at, length));
  }

  #ms(value: number): void {
    const at = this.#output.reserve(8);
    this.#output.commit(putInt64(this.#output.out, at, value));
  }
}
