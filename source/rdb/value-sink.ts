// What a decoded value is made of, and who takes it: the same few calls whatever the encoding was, in the order in which
// the snapshot holds them. No object per element: the slices are used again and hold until the call returns.

/** What clients call the type of a key. Modules and arrays have no elements that every server knows. */
export type ValueKind = 'string' | 'list' | 'set' | 'zset' | 'hash' | 'stream';

/** A binary-safe string that stands in a buffer; a view that holds until the call it was given to returns. */
export interface Slice {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Both halves are unsigned numbers of 64 bits. */
export interface StreamId {
  readonly ms: bigint;
  readonly seq: bigint;
}

/** What a stream remembers beside its entries; null where the source's version does not keep it (before 7.0). */
export interface StreamFacts {
  /** Entries by the stream's own count. */
  readonly length: number;
  readonly lastId: StreamId;
  readonly firstId: StreamId | null;
  readonly maxDeletedId: StreamId | null;
  readonly entriesAdded: bigint | null;
}

/** Takes one value. After `begin` come the calls of its kind, then `end`. */
export interface ValueSink {
  /** No more for now: the decoder stops behind the element or block it gave last. */
  readonly saturated: boolean;
  /** @param count elements, fields, members or entries as announced; null when only the end tells. For a string its bytes. */
  begin(kind: ValueKind, count: number | null): void;
  /** A string's bytes, in order, in pieces. */
  text(piece: Slice): void;
  /** The next element of a list, or a member of a set. */
  element(element: Slice): void;
  scored(member: Slice, score: number): void;
  /** @param expiresAtMs unix ms, or -1 for none. */
  field(field: Slice, value: Slice, expiresAtMs: number): void;
  /** @param fields field and value in turn; only the first `count` belong to this entry, the array is used again. */
  streamEntry(id: StreamId, fields: readonly Slice[], count: number): void;
  /** Behind all entries of a stream. */
  streamFacts(facts: StreamFacts): void;
  /** @param entriesRead null before 7.0, -1n when the source does not know. */
  group(name: Slice, lastId: StreamId, entriesRead: bigint | null): void;
  /** A consumer of the group given last. @param activeMs null before 7.2. */
  consumer(name: Slice, seenMs: number, activeMs: number | null): void;
  /** A pending entry of the consumer given last; of none when none came since the group (8.8's released entries come first). */
  pending(id: StreamId, deliveredAtMs: number, deliveries: number): void;
  end(): void;
}
