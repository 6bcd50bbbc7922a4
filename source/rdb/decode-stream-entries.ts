// The entries of a stream's node: a listpack whose first entries are the master (counts and field names), from whose ID
// each entry's differs by two deltas (t_stream.c). An entry that has the master's fields only holds its values.
import type { ContainerCursor } from './decode-cursor.ts';
import { DIGITS_BYTES, MutableSlice } from './decode-slice.ts';
import { RdbError } from './rdb-error.ts';
import type { ValueReader } from './value-reader.ts';
import type { Slice, ValueSink } from './value-sink.ts';

const FLAG = { deleted: 1, sameFields: 2 } as const;
const ID_BYTES = 16;
/** Slices are kept for the next entry up to this many. */
const KEPT_SLICES = 4096;
/**
 * The most fields and values of an entry: what a command could hold before 7.0 (networking.c). A compressed node may
 * claim thousands of times its own size.
 */
const MOST_SLICES = 1024 * 1024;
/** Slices write their integers into one buffer for this many. */
const SLICES_PER_BUFFER = 256;

/** Gives a stream's entries, node after node. */
export class StreamEntries {
  readonly #id = { ms: 0n, seq: 0n };
  /** Field names of the node's master entry. */
  readonly #names = new SlicePool();
  /** What an entry has of its own. */
  readonly #own = new SlicePool();
  #fields: Slice[] = [];

  /** @param reader has the master's ID and the node read as a pair. @throws RdbError */
  give(reader: ValueReader, sink: ValueSink): void {
    const { first: master, second: node, listpack: cursor } = reader;
    const offset = reader.stringPosition;
    if (master.end - master.start !== ID_BYTES) {
      throw new RdbError(`A stream node whose ID has ${master.end - master.start} bytes`, offset);
    }
    const masterMs = master.bytes.readBigUInt64BE(master.start);
    const masterSeq = master.bytes.readBigUInt64BE(master.start + 8);
    cursor.open(node, offset);
    const entries = number(cursor, 'its counts') + number(cursor, 'its counts');
    const names = this.#readNames(cursor);
    for (let i = 0; i < entries; i++) {
      const flags = number(cursor, `entry ${i + 1} of ${entries}`);
      this.#id.ms = BigInt.asUintN(64, masterMs + delta(cursor));
      this.#id.seq = BigInt.asUintN(64, masterSeq + delta(cursor));
      const count =
        (flags & FLAG.sameFields) !== 0 ? this.#valuesOf(names, cursor) : this.#ownFields(fieldCount(cursor), cursor);
      number(cursor, 'the length of an entry');
      if ((flags & FLAG.deleted) === 0) sink.streamEntry(this.#id, this.#fields, count);
    }
    if (cursor.next()) throw cursor.error('with more entries than it counts');
    this.#forgetMany();
  }

  /** The master entry's names, and the 0 behind it; gives how many. */
  #readNames(cursor: ContainerCursor): number {
    const count = fieldCount(cursor);
    for (let i = 0; i < count; i++) {
      cursor.expect('the names of its fields');
      cursor.text(this.#names.at(i));
    }
    number(cursor, 'the end of its names');
    return count;
  }

  #valuesOf(names: number, cursor: ContainerCursor): number {
    const fields = this.#fields;
    for (let i = 0; i < names; i++) {
      cursor.expect('the values of an entry');
      const value = this.#own.at(i);
      cursor.text(value);
      fields[2 * i] = this.#names.at(i);
      fields[2 * i + 1] = value;
    }
    return 2 * names;
  }

  #ownFields(count: number, cursor: ContainerCursor): number {
    const slices = 2 * count;
    const fields = this.#fields;
    for (let i = 0; i < slices; i++) {
      cursor.expect('the fields of an entry');
      const slice = this.#own.at(i);
      cursor.text(slice);
      fields[i] = slice;
    }
    return slices;
  }

  /** An entry of very many fields does not keep memory for as long as the stream goes on. */
  #forgetMany(): void {
    this.#names.forgetMany();
    this.#own.forgetMany();
    if (this.#fields.length > KEPT_SLICES) this.#fields = [];
  }
}

/** Slices that are used again, as many as were ever needed at once. */
class SlicePool {
  #slices: MutableSlice[] = [];
  #digits = Buffer.alloc(0);

  at(index: number): MutableSlice {
    const slice = this.#slices[index];
    if (slice !== undefined) return slice;
    const place = index % SLICES_PER_BUFFER;
    if (place === 0) this.#digits = Buffer.allocUnsafeSlow(SLICES_PER_BUFFER * DIGITS_BYTES);
    const added = new MutableSlice(this.#digits, (place + 1) * DIGITS_BYTES);
    this.#slices.push(added);
    return added;
  }

  forgetMany(): void {
    if (this.#slices.length > KEPT_SLICES) this.#slices = [];
  }
}

/** The next entry of the listpack as a number that counts something. */
function number(cursor: ContainerCursor, what: string): number {
  cursor.expect(what);
  const value = cursor.number();
  if (value < 0) throw cursor.error(`with ${value} where it counts`);
  return value;
}

function fieldCount(cursor: ContainerCursor): number {
  const count = number(cursor, 'a count of fields');
  if (2 * count > MOST_SLICES) throw cursor.error(`with an entry of ${count} fields`);
  return count;
}

function delta(cursor: ContainerCursor): bigint {
  cursor.expect('the ID of an entry');
  return cursor.integer();
}
