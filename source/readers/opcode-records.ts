// The records of a snapshot that are no key: each is taken off the window whole or not at all, but for bodies of any
// length, whose pattern is given to be passed over. Opcodes: rdbLoadRioWithLoadingCtx, Redis 7 and 8, and Valkey 9.
import { type Dialect, OPCODE } from '../rdb/format.ts';
import type { HashTemplates } from '../rdb/hash-templates.ts';
import { INCOMPLETE } from '../rdb/length.ts';
import { RdbError } from '../rdb/rdb-error.ts';
import {
  FUNCTION_PRE_GA_PATTERN,
  KEY_META_PATTERN,
  MODULE_AUX_PATTERN,
  type Pattern,
  VALKEY_SLOT_IMPORT_PATTERN,
} from '../rdb/value-patterns.ts';
import type { ByteWindow } from './byte-window.ts';
import type { MutableEntry } from './mutable-entry.ts';
import type { RecordStrings } from './record-strings.ts';
import type { SnapshotHeader, SnapshotSink } from './snapshot-sink.ts';

/** taken: off the window; incomplete: needs more bytes; end: the end mark was taken; else a body to pass over. */
export type OpcodeOutcome = 'taken' | 'incomplete' | 'end' | Pattern;

/** A file names each of its templates once; what is above this is no server's. */
const MOST_TEMPLATE_FIELDS = 1 << 20;

export class OpcodeRecords {
  header: SnapshotHeader = { version: 0, dialect: 'redis' };
  readonly #window: ByteWindow;
  readonly #strings: RecordStrings;
  readonly #entry: MutableEntry;
  readonly #templates: HashTemplates;
  readonly #sink: SnapshotSink;

  constructor(
    window: ByteWindow,
    strings: RecordStrings,
    entry: MutableEntry,
    templates: HashTemplates,
    sink: SnapshotSink,
  ) {
    this.#window = window;
    this.#strings = strings;
    this.#entry = entry;
    this.#templates = templates;
    this.#sink = sink;
  }

  /** Takes the record whose opcode stands at the window's start. @throws RdbError for one that is not known. */
  take(code: number): OpcodeOutcome {
    const { bytes, start, end } = this.#window;
    const body = start + 1;
    const entry = this.#entry;
    switch (code) {
      // An expiry of 0 or below is long past and not the absence of one.
      case OPCODE.expireTimeMs:
        if (end < body + 8) return 'incomplete';
        entry.expiresAtMs = Math.max(1, bytes.readUInt32LE(body) + bytes.readInt32LE(body + 4) * 2 ** 32);
        return this.#taken(body + 8);
      case OPCODE.expireTime:
        if (end < body + 4) return 'incomplete';
        entry.expiresAtMs = Math.max(1, bytes.readInt32LE(body) * 1000);
        return this.#taken(body + 4);
      case OPCODE.freq:
        if (end < body + 1) return 'incomplete';
        entry.frequency = bytes[body] as number;
        return this.#taken(body + 1);
      case OPCODE.idle:
        return this.#lengths(1, (idle) => {
          entry.idleSeconds = idle;
        });
      case OPCODE.selectDb:
        return this.#lengths(1, (database) => {
          entry.database = database;
        });
      case OPCODE.resizeDb:
        return this.#lengths(2, (keys) => this.#sink.announcedKeys(keys));
      case OPCODE.slotInfo:
        return this.lengths(3);
      case OPCODE.aux:
        return this.#aux();
      case OPCODE.function2:
        return this.#functionLibrary();
      case OPCODE.moduleAux:
        this.#sink.leftOut('data that a module keeps beside the keys');
        return MODULE_AUX_PATTERN;
      case OPCODE.functionPreGa:
        this.#sink.leftOut('functions of a release candidate of 7.0');
        return FUNCTION_PRE_GA_PATTERN;
      case OPCODE.eof:
        this.#window.start = body;
        return 'end';
      default:
        return this.#ofDialect(code, this.header.dialect);
    }
  }

  /** Passes over `count` lengths. */
  lengths(count: number): 'taken' | 'incomplete' {
    return this.#lengths(count, () => {});
  }

  /** What the two lines of servers have given the same numbers to. */
  #ofDialect(code: number, dialect: Dialect): OpcodeOutcome {
    if (code === OPCODE.keyMetaOrSlotImport && dialect === 'valkey') return VALKEY_SLOT_IMPORT_PATTERN;
    if (code === OPCODE.keyMetaOrSlotImport && dialect === 'redis') {
      this.#sink.leftOut('metadata of keys (Redis 8.6)');
      return KEY_META_PATTERN;
    }
    if (code === OPCODE.hashTemplate && dialect === 'redis') return this.#template();
    throw new RdbError(
      `The unknown opcode ${code} (${dialect} version ${this.header.version}) stands`,
      this.#window.position,
    );
  }

  #taken(to: number): 'taken' {
    this.#window.start = to;
    return 'taken';
  }

  /** Takes `count` lengths behind the opcode and gives the first. */
  #lengths(count: number, give: (first: number) => void): 'taken' | 'incomplete' {
    let at = this.#window.start + 1;
    let first = 0;
    for (let i = 0; i < count; i++) {
      at = this.#strings.plainLength(at);
      if (at === INCOMPLETE) return 'incomplete';
      if (i === 0) first = this.#strings.number;
    }
    give(first);
    return this.#taken(at);
  }

  #aux(): 'taken' | 'incomplete' {
    const afterName = this.#strings.string(this.#window.start + 1);
    if (afterName === INCOMPLETE) return 'incomplete';
    const name = this.#strings.text();
    const afterValue = this.#strings.string(afterName);
    if (afterValue === INCOMPLETE) return 'incomplete';
    this.#sink.aux(name, this.#strings.copy());
    return this.#taken(afterValue);
  }

  #functionLibrary(): 'taken' | 'incomplete' {
    const next = this.#strings.string(this.#window.start + 1);
    if (next === INCOMPLETE) return 'incomplete';
    this.#sink.functionLibrary(this.#strings.copy());
    return this.#taken(next);
  }

  /** Field names that hashes refer to by a number (Redis 8.10). */
  #template(): 'taken' | 'incomplete' {
    let at = this.#strings.plainLength(this.#window.start + 1);
    if (at === INCOMPLETE) return 'incomplete';
    const id = this.#strings.number;
    at = this.#strings.plainLength(at);
    if (at === INCOMPLETE) return 'incomplete';
    const count = this.#strings.number;
    if (count > MOST_TEMPLATE_FIELDS) throw new RdbError(`A hash template of ${count} fields`, this.#window.position);
    const fields: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      at = this.#strings.string(at);
      if (at === INCOMPLETE) return 'incomplete';
      fields.push(this.#strings.copy());
    }
    this.#templates.define(id, fields);
    return this.#taken(at);
  }
}
