// Hashes whose field names stand in a template (Redis 8.10, types 29 to 32): in the value itself where it travels alone
// (29, 31), defined earlier in the file where it does not (30, 32). Layouts: librdb's parser, and the server's own tests
// (hash-templates.tcl).
import { openContainer } from './decode-containers.ts';
import type { ContainerCursor } from './decode-cursor.ts';
import type { DecodeTask, Decoding } from './decode-task.ts';
import type { HashTemplates } from './hash-templates.ts';
import { RdbError } from './rdb-error.ts';
import type { ValueReader } from './value-reader.ts';

/** How the names are written in front of a value that travels alone. */
const NAMES = { listpack: 0, strings: 1 } as const;
/** The most fields of a template: compressed names may claim thousands of times their own size. */
const MOST_NAMES = 1024 * 1024;

/** Type 29: the names, then a listpack of a number without meaning here and the values. */
export function* decodeTemplateListpack(task: DecodeTask): Decoding {
  const names: Buffer[] = [];
  yield* readNames(task.reader, names);
  while (!task.reader.string()) yield 'hungry';
  const cursor = openContainer(task.reader, 'listpack');
  templateNumber(cursor);
  givePackedValues(cursor, names, task);
}

/** Type 30: a listpack of the template's number and the values. */
export function* decodeTemplateListpackRef(task: DecodeTask): Decoding {
  const { reader } = task;
  while (!reader.string()) yield 'hungry';
  const cursor = openContainer(reader, 'listpack');
  const id = templateNumber(cursor);
  givePackedValues(cursor, namesOf(id, task.templates, reader.stringPosition), task);
}

/** Type 31: the names, then as many strings. */
export function* decodeTemplateArray(task: DecodeTask): Decoding {
  const names: Buffer[] = [];
  yield* readNames(task.reader, names);
  yield* giveValues(names, task);
}

/** Type 32: the template's number, then as many strings as it has names. */
export function* decodeTemplateArrayRef(task: DecodeTask): Decoding {
  const { reader } = task;
  const offset = reader.position;
  while (!reader.unsigned()) yield 'hungry';
  yield* giveValues(namesOf(reader.big, task.templates, offset), task);
}

function* readNames(reader: ValueReader, names: Buffer[]): Decoding {
  while (!reader.count()) yield 'hungry';
  const layout = reader.value;
  if (layout === NAMES.listpack) {
    while (!reader.string()) yield 'hungry';
    const cursor = openContainer(reader, 'listpack');
    while (cursor.next()) {
      cursor.text(reader.first);
      addName(reader, names);
    }
  } else if (layout === NAMES.strings) {
    while (!reader.count()) yield 'hungry';
    const count = reader.value;
    for (let i = 0; i < count; i++) {
      while (!reader.string()) yield 'hungry';
      addName(reader, names);
    }
  } else {
    throw new RdbError(`A hash template of the unknown layout ${layout}`, reader.position);
  }
}

/** Names outlive the bytes they came in: the values are yet to come. */
function addName(reader: ValueReader, names: Buffer[]): void {
  const { bytes, start, end } = reader.first;
  if (names.length === MOST_NAMES)
    throw new RdbError(`A hash template of more than ${MOST_NAMES} fields`, reader.position);
  names.push(Buffer.from(bytes.subarray(start, end)));
}

function templateNumber(cursor: ContainerCursor): bigint {
  cursor.expect('the number of its template');
  return cursor.integer();
}

function namesOf(id: bigint, templates: HashTemplates | undefined, offset: number): readonly Buffer[] {
  const names = templates?.fields(id) ?? null;
  if (names === null) throw new RdbError(`A hash of the template ${id}, which was not defined before,`, offset);
  return names;
}

function givePackedValues(cursor: ContainerCursor, names: readonly Buffer[], { reader, sink }: DecodeTask): void {
  const { first: value, second: field } = reader;
  sink.begin('hash', names.length);
  for (const name of names) {
    cursor.expect('the values of all fields');
    cursor.text(value);
    field.set(name, 0, name.length);
    sink.field(field, value, -1);
  }
  if (cursor.next()) throw cursor.error('with more values than its template has fields');
  sink.end();
}

function* giveValues(names: readonly Buffer[], { reader, sink, pace }: DecodeTask): Decoding {
  const { first: value, second: field } = reader;
  sink.begin('hash', names.length);
  for (const name of names) {
    while (!reader.string()) yield 'hungry';
    field.set(name, 0, name.length);
    sink.field(field, value, -1);
    while (pace.saturated) yield 'blocked';
  }
  sink.end();
}
