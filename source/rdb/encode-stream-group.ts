// Encodes a consumer group whose consumers come one by one with what is pending for each. A snapshot has the pending
// entries of the whole group first, in the order of their IDs, so a group is gathered and written at its end.
import { RdbOutput } from './rdb-output.ts';
import type { Slice, StreamId } from './value-sink.ts';

/** Of a gathered pending entry: its ID, the time as a double, and the count as a double. */
const PENDING_BYTES = 32;

/** Whose layout: 1 as Redis 5.0 wrote it, 2 as 7.0, 3 as 7.2. */
export type StreamVersion = 1 | 2 | 3;

export class GroupEncoder {
  readonly #head = new RdbOutput();
  readonly #pending = new RdbOutput();
  /** Consumers as they are written behind the pending entries. */
  readonly #consumers = new RdbOutput();
  #version: StreamVersion = 3;
  #pendingCount = 0;
  #consumerCount = 0;
  /** Of the consumer given last: where its count stands, and the count. */
  #ownAt = 0;
  #ownCount = 0;
  /** The pending entries came in the order of their IDs so far. */
  #sorted = true;
  /** When a consumer was active is known, could not be written, and is not what the target assumes. */
  #lostActivity = false;

  get hasConsumer(): boolean {
    return this.#consumerCount > 0;
  }

  get lostActivity(): boolean {
    return this.#lostActivity;
  }

  begin(version: StreamVersion, name: Slice, lastId: StreamId, entriesRead: bigint | null): void {
    this.#version = version;
    this.#pendingCount = 0;
    this.#consumerCount = 0;
    this.#sorted = true;
    this.#lostActivity = false;
    this.#pending.reset();
    this.#consumers.reset();
    const head = this.#head;
    head.reset();
    head.putString(name.bytes, name.start, name.end);
    head.putLength(lastId.ms);
    head.putLength(lastId.seq);
    if (version >= 2) head.putLength(entriesRead ?? -1n);
  }

  /** @param activeMs null when it is not known: when the consumer was seen then, as servers assume too. */
  consumer(name: Slice, seenMs: number, activeMs: number | null): void {
    this.#endConsumer();
    const out = this.#consumers;
    out.putString(name.bytes, name.start, name.end);
    out.putMs(seenMs);
    if (this.#version >= 3) out.putMs(activeMs ?? seenMs);
    else if (activeMs !== null && activeMs !== seenMs) this.#lostActivity = true;
    this.#ownAt = out.reserveLength();
    this.#ownCount = 0;
    this.#consumerCount++;
  }

  /** An entry that is pending for the consumer given last. */
  pending(id: StreamId, deliveredAtMs: number, deliveries: number): void {
    const out = this.#pending;
    const at = out.length;
    out.putStreamIdRaw(id);
    out.putDoubleLE(deliveredAtMs);
    out.putDoubleLE(deliveries);
    if (at > 0 && comparePending(out.bytes, at - PENDING_BYTES, at) > 0) this.#sorted = false;
    this.#pendingCount++;
    this.#consumers.putBytes(out.bytes, at, at + 16);
    this.#ownCount++;
  }

  /** Writes the group. */
  end(out: RdbOutput): void {
    this.#endConsumer();
    out.putBytes(this.#head.bytes, 0, this.#head.length);
    out.putLength(this.#pendingCount);
    const { bytes } = this.#pending;
    const order = this.#sorted ? null : this.#order();
    for (let i = 0; i < this.#pendingCount; i++) {
      const at = order === null ? i * PENDING_BYTES : (order[i] as number) * PENDING_BYTES;
      out.putBytes(bytes, at, at + 16);
      out.putMs(bytes.readDoubleLE(at + 16));
      out.putLength(bytes.readDoubleLE(at + 24));
    }
    out.putLength(this.#consumerCount);
    out.putBytes(this.#consumers.bytes, 0, this.#consumers.length);
  }

  #endConsumer(): void {
    if (this.#consumerCount > 0) this.#consumers.patchLength(this.#ownAt, this.#ownCount);
  }

  /** Which of the gathered entries comes first, second and so on. */
  #order(): Uint32Array {
    const { bytes } = this.#pending;
    const order = new Uint32Array(this.#pendingCount).map((_, index) => index);
    return order.sort((a, b) => comparePending(bytes, a * PENDING_BYTES, b * PENDING_BYTES));
  }
}

/** Compares two IDs of sixteen bytes without making an object of either. */
function comparePending(bytes: Buffer, a: number, b: number): number {
  for (let word = 0; word < 16; word += 4) {
    const difference = bytes.readUInt32BE(a + word) - bytes.readUInt32BE(b + word);
    if (difference !== 0) return difference;
  }
  return 0;
}
