// What a snapshot holds, key by key, and who takes it.
import type { Dialect } from '../rdb/format.ts';
import type { HashTemplates } from '../rdb/hash-templates.ts';
import type { ValueSink } from '../rdb/value-sink.ts';

/** One key of the snapshot; a view that holds until the sink returns. */
export interface SnapshotEntry {
  readonly database: number;
  readonly keyBytes: Buffer;
  readonly keyStart: number;
  readonly keyLength: number;
  readonly type: number;
  /** The beginning of a big value, in buffers of its own that whoever takes the entry may keep; else empty. */
  readonly parts: readonly Buffer[];
  /** The window's buffer; the value, or its last part, stands in it from valueStart to valueEnd. */
  readonly bytes: Buffer;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** Unix ms, or -1. */
  readonly expiresAtMs: number;
  /** Seconds since the last access, or -1 (opcode 248). */
  readonly idleSeconds: number;
  /** LFU counter, or -1 (opcode 249). */
  readonly frequency: number;
}

/** How the keys that come next are written. */
export interface WriteManner {
  /** Over what the target has, which is this run's own. Otherwise a key that is there is a conflict. */
  readonly replaces: boolean;
  /** They count as changes of the stream and not as keys of the snapshot. */
  readonly isChange: boolean;
}

export interface SnapshotHeader {
  readonly version: number;
  readonly dialect: Dialect;
}

/** How a value above the memory limit is wanted. */
export type BigValueTaker =
  | { readonly kind: 'decoded'; readonly sink: ValueSink }
  /** Undecoded and in order; each part is the taker's to keep. */
  | { readonly kind: 'raw'; part(bytes: Buffer): void; end(): void }
  /** Not at all: it is passed over, and its size told. */
  | { readonly kind: 'skip'; skipped(valueBytes: number): void };

export interface SnapshotSink {
  /** true stops the parser before the next record. */
  readonly saturated: boolean;
  /** @param templates what the snapshot's references to hash templates stand for (Redis 8.10). */
  header(header: SnapshotHeader, templates: HashTemplates): void;
  /** May detach the window when it keeps the value's bytes. */
  entry(entry: SnapshotEntry): void;
  /** A value above the limit begins; the entry's value range is empty, and holds only until this returns. */
  beginBig(entry: SnapshotEntry): BigValueTaker;
  announcedKeys(count: number): void;
  aux(name: string, value: Buffer): void;
  functionLibrary(code: Buffer): void;
  /** What the snapshot says about keys and no value carries (key metadata of Redis 8.6): said once for each kind. */
  leftOut(what: string): void;
}
