// Values that are one string with everything in it, or a list of such strings: ziplists, listpacks, intsets, zipmaps
// (types 9 to 14, 16 to 18, 20). A container is decoded in one go, so the sink is asked between two of them.
import type { ContainerCursor } from './decode-cursor.ts';
import type { DecodeTask, Decoding } from './decode-task.ts';
import { decodeIntset } from './intset.ts';
import { RdbError } from './rdb-error.ts';
import type { ValueReader } from './value-reader.ts';
import type { ValueSink } from './value-sink.ts';
import { decodeZipmap } from './zipmap.ts';

/** Which of the two kinds of container a type is made of. */
export type Packing = 'ziplist' | 'listpack';

/** Nodes of a quicklist of 7.0 on: one element as it is, or a listpack. */
const NODE = { plain: 1, packed: 2 } as const;

/** Opens the container that was read last. */
export function openContainer(reader: ValueReader, packing: Packing): ContainerCursor {
  const cursor = packing === 'ziplist' ? reader.ziplist : reader.listpack;
  cursor.open(reader.first, reader.stringPosition);
  return cursor;
}

/** Types 10 and 20: one container of elements. */
export function* decodePackedElements(kind: 'list' | 'set', packing: Packing, { reader, sink }: DecodeTask): Decoding {
  while (!reader.string()) yield 'hungry';
  const cursor = openContainer(reader, packing);
  sink.begin(kind, cursor.count);
  giveElements(cursor, reader, sink);
  sink.end();
}

/** Types 13 and 16: field and value in turn. */
export function* decodePackedFields(packing: Packing, { reader, sink }: DecodeTask): Decoding {
  while (!reader.string()) yield 'hungry';
  const cursor = openContainer(reader, packing);
  sink.begin('hash', cursor.count === null ? null : cursor.count >>> 1);
  const { first, second } = reader;
  while (cursor.next()) {
    cursor.text(first);
    cursor.expect('the value of a field');
    cursor.text(second);
    sink.field(first, second, -1);
  }
  sink.end();
}

/** Types 12 and 17: member and score in turn. */
export function* decodePackedScored(packing: Packing, { reader, sink }: DecodeTask): Decoding {
  while (!reader.string()) yield 'hungry';
  const cursor = openContainer(reader, packing);
  sink.begin('zset', cursor.count === null ? null : cursor.count >>> 1);
  while (cursor.next()) {
    cursor.text(reader.first);
    cursor.expect('the score of a member');
    sink.scored(reader.first, cursor.score());
  }
  sink.end();
}

/** Type 14: a count and that many ziplists. */
export function* decodeQuicklist({ reader, sink, pace }: DecodeTask): Decoding {
  while (!reader.count()) yield 'hungry';
  const nodes = reader.value;
  sink.begin('list', null);
  for (let i = 0; i < nodes; i++) {
    while (!reader.string()) yield 'hungry';
    giveElements(openContainer(reader, 'ziplist'), reader, sink);
    while (pace.saturated) yield 'blocked';
  }
  sink.end();
}

/** Type 18: a count and that many nodes, each with its kind. */
export function* decodeQuicklist2({ reader, sink, pace }: DecodeTask): Decoding {
  while (!reader.count()) yield 'hungry';
  const nodes = reader.value;
  sink.begin('list', null);
  for (let i = 0; i < nodes; i++) {
    while (!reader.lengthAndString()) yield 'hungry';
    if (reader.value === NODE.packed) giveElements(openContainer(reader, 'listpack'), reader, sink);
    else if (reader.value === NODE.plain) sink.element(reader.first);
    else throw new RdbError(`A list node of the unknown kind ${reader.value}`, reader.stringPosition);
    while (pace.saturated) yield 'blocked';
  }
  sink.end();
}

/** Type 11. */
export function* decodeIntegers({ reader, sink }: DecodeTask): Decoding {
  while (!reader.string()) yield 'hungry';
  decodeIntset(reader.first, reader.stringPosition, reader.second, sink);
  sink.end();
}

/** Type 9. */
export function* decodeOldFields({ reader, sink }: DecodeTask): Decoding {
  while (!reader.string()) yield 'hungry';
  // Field and value get slices of their own: the reader's first one is the zipmap.
  const { bytes, start, end } = reader.first;
  decodeZipmap({ bytes, start, end }, reader.stringPosition, reader.first, reader.second, sink);
  sink.end();
}

function giveElements(cursor: ContainerCursor, { first }: ValueReader, sink: ValueSink): void {
  while (cursor.next()) {
    cursor.text(first);
    sink.element(first);
  }
}
