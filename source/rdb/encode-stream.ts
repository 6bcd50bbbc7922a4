// Encodes a stream whose entries, facts and groups come one by one, as Redis 7.2 (type 21), 7.0 (19) or 5.0 (15) have it.
// Source: rdbSaveObject and rdbLoadObject of those; a stream without the counters of 7.0 is left to the target to count.
import type { EncodingGoal, Loss } from './encode-goal.ts';
import { GroupEncoder, type StreamVersion } from './encode-stream-group.ts';
import { StreamPack } from './encode-stream-pack.ts';
import { TYPE } from './format.ts';
import type { RdbOutput } from './rdb-output.ts';
import type { Slice, StreamFacts, StreamId } from './value-sink.ts';

const ZERO_ID: StreamId = { ms: 0n, seq: 0n };

const TYPES: Readonly<Record<StreamVersion, number>> = {
  1: TYPE.streamListpacks,
  2: TYPE.streamListpacks2,
  3: TYPE.streamListpacks3,
};

export class StreamEncoder {
  readonly #out: RdbOutput;
  readonly #lost: (loss: Loss) => void;
  /** The newest layout that the goal takes. */
  readonly #newest: StreamVersion;
  readonly #pack: StreamPack;
  readonly #group = new GroupEncoder();
  #version: StreamVersion = 3;
  #nodes = 0;
  #entries = 0;
  #firstMs = 0n;
  #firstSeq = 0n;
  #groupsAt = 0;
  #groups = 0;

  /**
   * @param out what is written begins at its first byte.
   * @param lost told of each loss, more than once for the same value maybe.
   */
  constructor(out: RdbOutput, goal: EncodingGoal, lost: (loss: Loss) => void) {
    this.#out = out;
    this.#lost = lost;
    this.#pack = new StreamPack(goal.valkey > 0 ? 'narrow' : 'wide');
    this.#newest = goal.redis >= 11 ? 3 : goal.redis >= 10 ? 2 : 1;
  }

  begin(): void {
    this.#nodes = 0;
    this.#entries = 0;
    this.#firstMs = 0n;
    this.#firstSeq = 0n;
    this.#groups = 0;
    this.#pack.reset();
    this.#out.reserveLength();
  }

  entry(id: StreamId, fields: readonly Slice[], count: number): void {
    if (this.#pack.full) this.#endNode();
    if (this.#entries === 0) {
      this.#firstMs = id.ms;
      this.#firstSeq = id.seq;
    }
    this.#pack.add(id, fields, count);
    this.#entries++;
  }

  facts(facts: StreamFacts): void {
    const out = this.#out;
    if (!this.#pack.empty) this.#endNode();
    out.patchLength(0, this.#nodes);
    const counted = facts.entriesAdded !== null;
    this.#version = counted ? this.#newest : 1;
    if (counted && this.#version === 1) this.#lost('entries-read');
    // Not what the stream says: a release candidate of 5.0 counted deleted entries, and servers believe it.
    out.putLength(this.#entries);
    putId(out, facts.lastId);
    if (this.#version >= 2) {
      putId(out, facts.firstId ?? { ms: this.#firstMs, seq: this.#firstSeq });
      putId(out, facts.maxDeletedId ?? ZERO_ID);
      out.putLength(facts.entriesAdded ?? 0n);
    }
    this.#groupsAt = out.reserveLength();
  }

  group(name: Slice, lastId: StreamId, entriesRead: bigint | null): void {
    this.#endGroup();
    this.#groups++;
    this.#group.begin(this.#version, name, lastId, entriesRead);
  }

  consumer(name: Slice, seenMs: number, activeMs: number | null): void {
    this.#group.consumer(name, seenMs, activeMs);
  }

  pending(id: StreamId, deliveredAtMs: number, deliveries: number): void {
    if (this.#group.hasConsumer) this.#group.pending(id, deliveredAtMs, deliveries);
    else this.#lost('released-entries');
  }

  /** Gives the type that the bytes are. */
  end(): number {
    this.#endGroup();
    this.#out.patchLength(this.#groupsAt, this.#groups);
    return TYPES[this.#version];
  }

  #endNode(): void {
    this.#pack.flush(this.#out);
    this.#nodes++;
  }

  #endGroup(): void {
    if (this.#groups === 0) return;
    this.#group.end(this.#out);
    if (this.#group.lostActivity) this.#lost('consumer-activity');
  }
}

function putId(out: RdbOutput, id: StreamId): void {
  out.putLength(id.ms);
  out.putLength(id.seq);
}
