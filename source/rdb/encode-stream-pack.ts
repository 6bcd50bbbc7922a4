// Gathers entries of a stream into one of its nodes: a listpack that begins with a master entry, whose field names the
// entries with the same ones do not repeat. Source: streamAppendItem in t_stream.c of Redis 7.0.
import {
  type BorderForm,
  LISTPACK_END,
  LISTPACK_HEAD_BYTES,
  LISTPACK_UNCOUNTED,
  putPackedBigInteger,
  putPackedInteger,
  putPackedString,
} from './encode-listpack.ts';
import { RdbOutput } from './rdb-output.ts';
import type { Slice, StreamId } from './value-sink.ts';

/** stream-node-max-entries and stream-node-max-bytes as servers have them by default. */
const MOST_ENTRIES = 100;
const MOST_BYTES = 4096;

const SAME_FIELDS = 2;
const OWN_FIELDS = 0;
/** Elements of the master entry beside the names: live entries, deleted ones, how many names, the closing zero. */
const MASTER_ELEMENTS = 4;
/** Flags, milliseconds and sequence since the master's ID. */
const ENTRY_HEAD_ELEMENTS = 3;

export class StreamPack {
  readonly #form: BorderForm;
  /** The ID of the first entry, which names the node. */
  #masterMs = 0n;
  #masterSeq = 0n;
  #entries = 0;
  /** Elements of the listpack so far. */
  #elements = 0;
  /** The master entry behind its two counts, and the entries, as they stand in the listpack. */
  readonly #master = new RdbOutput();
  readonly #body = new RdbOutput();
  readonly #counts = new RdbOutput();
  /** The master's names one behind another, and where each ends. */
  readonly #names = new RdbOutput();
  readonly #nameEnds: number[] = [];

  /** @param form what the servers that are to read it take. */
  constructor(form: BorderForm = 'wide') {
    this.#form = form;
  }

  get empty(): boolean {
    return this.#entries === 0;
  }

  get full(): boolean {
    return this.#entries >= MOST_ENTRIES || this.#master.length + this.#body.length >= MOST_BYTES;
  }

  /** Forgets what was gathered. */
  reset(): void {
    this.#entries = 0;
    this.#elements = 0;
    this.#body.reset();
  }

  add(id: StreamId, fields: readonly Slice[], count: number): void {
    const pairs = count >> 1;
    if (this.empty) this.#begin(id, fields, pairs);
    const body = this.#body;
    const same = this.#hasMasterFields(fields, pairs);
    putPackedInteger(body, same ? SAME_FIELDS : OWN_FIELDS);
    putPackedBigInteger(body, id.ms - this.#masterMs);
    putPackedBigInteger(body, id.seq - this.#masterSeq);
    if (!same) putPackedInteger(body, pairs);
    for (let i = 0; i < 2 * pairs; i++) {
      if (same && i % 2 === 0) continue;
      const slice = fields[i] as Slice;
      putPackedString(body, slice.bytes, slice.start, slice.end, this.#form);
    }
    // The last element tells how many stand before it, for who reads backwards.
    const elements = ENTRY_HEAD_ELEMENTS + (same ? pairs : 2 * pairs + 1);
    putPackedInteger(body, elements);
    this.#elements += elements + 1;
    this.#entries++;
  }

  /** Writes the node, its ID and its listpack, and begins an empty one. */
  flush(out: RdbOutput): void {
    const counts = this.#counts;
    counts.reset();
    putPackedInteger(counts, this.#entries);
    putPackedInteger(counts, 0);
    const bytes = LISTPACK_HEAD_BYTES + counts.length + this.#master.length + this.#body.length + 1;
    out.putLength(16);
    out.putStreamIdRaw({ ms: this.#masterMs, seq: this.#masterSeq });
    out.putLength(bytes);
    out.putUint32LE(bytes);
    out.putUint16LE(Math.min(this.#elements, LISTPACK_UNCOUNTED));
    out.putBytes(counts.bytes, 0, counts.length);
    out.putBytes(this.#master.bytes, 0, this.#master.length);
    out.putBytes(this.#body.bytes, 0, this.#body.length);
    out.putByte(LISTPACK_END);
    this.reset();
  }

  #begin(id: StreamId, fields: readonly Slice[], pairs: number): void {
    this.#masterMs = id.ms;
    this.#masterSeq = id.seq;
    this.#master.reset();
    this.#names.reset();
    this.#nameEnds.length = 0;
    putPackedInteger(this.#master, pairs);
    for (let i = 0; i < pairs; i++) {
      const { bytes, start, end } = fields[2 * i] as Slice;
      putPackedString(this.#master, bytes, start, end, this.#form);
      this.#names.putBytes(bytes, start, end);
      this.#nameEnds.push(this.#names.length);
    }
    putPackedInteger(this.#master, 0);
    this.#elements = MASTER_ELEMENTS + pairs;
  }

  #hasMasterFields(fields: readonly Slice[], pairs: number): boolean {
    if (pairs !== this.#nameEnds.length) return false;
    let from = 0;
    for (let i = 0; i < pairs; i++) {
      const { bytes, start, end } = fields[2 * i] as Slice;
      const to = this.#nameEnds[i] as number;
      if (to - from !== end - start || this.#names.bytes.compare(bytes, start, end, from, to) !== 0) return false;
      from = to;
    }
    return true;
  }
}
