// Writes a decoded stream into an RDB file node by node. Only the pending entries of one group are gathered, since an RDB
// has them twice: once for the group, in the order of their IDs, and once for each consumer.
import type { Loss } from '../../rdb/encode-goal.ts';
import { GroupEncoder, type StreamVersion } from '../../rdb/encode-stream-group.ts';
import { StreamPack } from '../../rdb/encode-stream-pack.ts';
import { RdbOutput } from '../../rdb/rdb-output.ts';
import type { Slice, StreamFacts, StreamId } from '../../rdb/value-sink.ts';

const ZERO_ID: StreamId = { ms: 0n, seq: 0n };

/** Where the bytes go. */
export interface StreamOutput {
  append(bytes: Buffer, start: number, end: number): void;
  /** Leaves room for a count; gives its place. */
  reserveCount(): number;
  setCount(position: number, count: number): void;
}

export class RdbStreamWriter {
  readonly #output: StreamOutput;
  readonly #lost: (loss: Loss) => void;
  readonly #scratch = new RdbOutput();
  readonly #pack = new StreamPack();
  readonly #group = new GroupEncoder();
  #version: StreamVersion = 3;
  #nodes = 0;
  #nodesPosition = 0;
  #entries = 0;
  #firstId = ZERO_ID;
  #groups = 0;
  #groupsPosition = 0;

  constructor(output: StreamOutput, lost: (loss: Loss) => void) {
    this.#output = output;
    this.#lost = lost;
  }

  begin(version: StreamVersion): void {
    this.#version = version;
    this.#nodes = 0;
    this.#entries = 0;
    this.#firstId = ZERO_ID;
    this.#groups = 0;
    this.#pack.reset();
    this.#nodesPosition = this.#output.reserveCount();
  }

  entry(id: StreamId, fields: readonly Slice[], count: number): void {
    if (this.#pack.full) this.#endNode();
    if (this.#entries === 0) this.#firstId = { ms: id.ms, seq: id.seq };
    this.#pack.add(id, fields, count);
    this.#entries++;
  }

  facts({ lastId, firstId, maxDeletedId, entriesAdded }: StreamFacts): void {
    if (!this.#pack.empty) this.#endNode();
    this.#output.setCount(this.#nodesPosition, this.#nodes);
    const scratch = this.#scratch;
    // Not what the stream says: a release candidate of 5.0 counted deleted entries, and servers believe it.
    scratch.putLength(this.#entries);
    this.#id(lastId);
    if (this.#version >= 2) {
      this.#id(firstId ?? this.#firstId);
      this.#id(maxDeletedId ?? ZERO_ID);
      // What a server of 7.0 assumes for a stream of an older one.
      scratch.putLength(entriesAdded ?? this.#entries);
    } else if (entriesAdded !== null) {
      this.#lost('entries-read');
    }
    this.#flush();
    this.#groupsPosition = this.#output.reserveCount();
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

  end(): void {
    this.#endGroup();
    this.#output.setCount(this.#groupsPosition, this.#groups);
  }

  #endNode(): void {
    this.#pack.flush(this.#scratch);
    this.#nodes++;
    this.#flush();
  }

  #endGroup(): void {
    if (this.#groups === 0) return;
    this.#group.end(this.#scratch);
    if (this.#group.lostActivity) this.#lost('consumer-activity');
    this.#flush();
  }

  #id(id: StreamId): void {
    this.#scratch.putLength(id.ms);
    this.#scratch.putLength(id.seq);
  }

  #flush(): void {
    this.#output.append(this.#scratch.bytes, 0, this.#scratch.length);
    this.#scratch.reset();
  }
}
