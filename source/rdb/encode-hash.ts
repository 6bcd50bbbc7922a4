// Encodes a hash whose fields come one by one: plain (type 4), or with expiries as Redis 7.4 (24) or Valkey 9 (22) have
// them. Which of them is known only at the end, and so is the earliest expiry, to which Redis's others are relative:
// while the fields come, each has a slot before it that is wide enough, and the end closes up the bytes in their place.
import type { EncodingGoal } from './encode-goal.ts';
import { TYPE, VALKEY_TYPE } from './format.ts';
import { LengthReader } from './length.ts';
import type { RdbOutput } from './rdb-output.ts';
import type { Slice } from './value-sink.ts';

/** A mark, and the expiry as eight bytes. Nine in all: the longest form of a relative expiry takes its place. */
const SLOT_BYTES = 9;
/** EB_EXPIRE_TIME_MAX of Redis 7.4: 10889 AD. It refuses a value with a later expiry; Valkey 9 does not. */
const HIGHEST_EXPIRY_MS = 2 ** 48 - 1;

/** Room for what stands before the fields: the earliest expiry and the longest count. */
const HEAD_ROOM = Buffer.alloc(17);

type Layout = 'plain' | 'redis' | 'valkey';

export class HashEncoder {
  readonly #out: RdbOutput;
  readonly #length = new LengthReader();
  /** The best layout that the goal takes. */
  readonly #layout: Layout;
  readonly #nowMs: () => number;
  #count = 0;
  #expiring = 0;
  #earliest = Number.POSITIVE_INFINITY;
  /** Expiries could not be written. */
  #lost = false;

  /**
   * @param out what is written begins at its first byte.
   * @param nowMs the time, for fields whose expiry has passed and cannot be written.
   */
  constructor(out: RdbOutput, goal: EncodingGoal, nowMs: () => number) {
    this.#out = out;
    this.#layout = goal.valkey >= 80 ? 'valkey' : goal.redis >= 12 ? 'redis' : 'plain';
    this.#nowMs = nowMs;
  }

  /** Fields that were written. */
  get count(): number {
    return this.#count;
  }

  get lostExpiries(): boolean {
    return this.#lost;
  }

  begin(): void {
    this.#count = 0;
    this.#expiring = 0;
    this.#earliest = Number.POSITIVE_INFINITY;
    this.#lost = false;
    if (this.#layout === 'plain') this.#out.reserveLength();
    else this.#out.putBytes(HEAD_ROOM, 0, HEAD_ROOM.length);
  }

  field(field: Slice, value: Slice, expiresAtMs: number): void {
    const out = this.#out;
    const expires = expiresAtMs >= 0;
    if (this.#layout !== 'plain') {
      const at = this.#layout === 'redis' ? Math.min(expiresAtMs, HIGHEST_EXPIRY_MS) : expiresAtMs;
      out.putByte(expires ? 1 : 0);
      out.putDoubleLE(at);
      if (expires) {
        this.#expiring++;
        if (at < this.#earliest) this.#earliest = at;
      }
    } else if (expires) {
      this.#lost = true;
      // It is gone already, only not yet cleared away: without its expiry it would come back to life.
      if (expiresAtMs <= this.#nowMs()) return;
    }
    this.#count++;
    out.putString(field.bytes, field.start, field.end);
    out.putString(value.bytes, value.start, value.end);
  }

  /** Brings the bytes into their final form; gives the type that they are. */
  end(): number {
    if (this.#layout === 'plain') {
      this.#out.patchLength(0, this.#count);
      return TYPE.hash;
    }
    return this.#closeUp(this.#expiring === 0 ? 'plain' : this.#layout);
  }

  /** Moves each field towards the front, over what its slot does not need. */
  #closeUp(layout: Layout): number {
    const out = this.#out;
    const end = out.length;
    out.length = 0;
    if (layout === 'redis') out.putMs(this.#earliest);
    out.putLength(this.#count);
    for (let at = HEAD_ROOM.length; at < end; ) {
      const { bytes } = out;
      const expires = bytes[at] === 1;
      const expiresAtMs = expires ? bytes.readDoubleLE(at + 1) : -1;
      const body = at + SLOT_BYTES;
      const next = this.#behindString(this.#behindString(body, end), end);
      if (layout === 'redis') out.putLength(expires ? expiresAtMs - this.#earliest + 1 : 0);
      bytes.copyWithin(out.length, body, next);
      out.length += next - body;
      if (layout === 'valkey') out.putMs(expiresAtMs);
      at = next;
    }
    return layout === 'plain' ? TYPE.hash : layout === 'redis' ? TYPE.hashMetadata : VALKEY_TYPE.hash2;
  }

  /** Gives the place behind a string of our own. */
  #behindString(at: number, end: number): number {
    return this.#length.read(this.#out.bytes, at, end) + this.#length.value;
  }
}
