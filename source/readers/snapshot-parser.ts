// Reads an RDB from a byte window, in any chunking, and hands each key with its undecoded value to a sink. A record is
// taken whole or not at all; only a value may be under way between two calls.
import { ValueReader } from '../rdb/decode.ts';
import {
  type Dialect,
  ENTERPRISE_OPCODE,
  FIRST_VERSION_WITH_CRC,
  LOWEST_OPCODE,
  MAGIC_BYTES,
  TYPE,
} from '../rdb/format.ts';
import { HashTemplates } from '../rdb/hash-templates.ts';
import { INCOMPLETE } from '../rdb/length.ts';
import { RdbError } from '../rdb/rdb-error.ts';
import { type Pattern, patternOf, templateHashPattern } from '../rdb/value-patterns.ts';
import { ValueWalker } from '../rdb/value-walker.ts';
import { type BigValue, type BigValueProgress, takeBigValue } from './big-value.ts';
import type { ByteWindow } from './byte-window.ts';
import { MutableEntry } from './mutable-entry.ts';
import { OpcodeRecords } from './opcode-records.ts';
import { RecordStrings } from './record-strings.ts';
import type { SnapshotSink } from './snapshot-sink.ts';

/** hungry: needs more bytes; blocked: the sink is saturated; end: the last byte of the snapshot was taken. */
export type ParseStatus = 'hungry' | 'blocked' | 'end';

/**
 * What was walked of a value under way leaves the window, with the window's buffer, when it is this long: so much that
 * little of the buffer is wasted, and so little that the window need not grow.
 */
const PART_BYTES = 384 * 1024;
/** The key was an integer or compressed and has a buffer of its own. */
const OUTSIDE_THE_WINDOW = -1;

type Phase = 'header' | 'records' | 'value' | 'big-value' | 'opcode-body' | 'checksum' | 'end';

export class SnapshotParser {
  readonly #sink: SnapshotSink;
  readonly #window: ByteWindow;
  readonly #valueLimit: number;
  readonly #entry = new MutableEntry();
  readonly #strings: RecordStrings;
  readonly #templates = new HashTemplates();
  readonly #opcodes: OpcodeRecords;
  readonly #walker = new ValueWalker();
  readonly #reader: ValueReader;
  #phase: Phase = 'header';
  #version = 0;
  #dialect: Dialect = 'redis';
  /** Of the value under way, counted from the window's start: where it begins and how far the walk has come. */
  #valueOffset = 0;
  #walkedOffset = 0;
  /** Bytes of the value under way that left the window. */
  #passedBytes = 0;
  #parts: Buffer[] = [];
  #keyOffset = OUTSIDE_THE_WINDOW;
  #big: BigValue | null = null;

  constructor(window: ByteWindow, sink: SnapshotSink, limits: { readonly valueBytes: number }) {
    this.#window = window;
    this.#sink = sink;
    this.#valueLimit = limits.valueBytes;
    this.#strings = new RecordStrings(window);
    this.#opcodes = new OpcodeRecords(window, this.#strings, this.#entry, this.#templates, sink);
    this.#reader = new ValueReader(window);
  }

  /**
   * Takes all whole records that stand in the window.
   * @throws RdbError when the bytes are no RDB that can be read further.
   */
  parse(): ParseStatus {
    for (;;) {
      if (this.#phase === 'end') return 'end';
      if (this.#phase === 'big-value') {
        const progress = this.#bigValue();
        if (progress !== 'done') return progress;
        continue;
      }
      if (this.#sink.saturated) return 'blocked';
      if (!this.#advance()) return 'hungry';
    }
  }

  /** Takes one record or part of a value; false when the window holds too little. */
  #advance(): boolean {
    switch (this.#phase) {
      case 'header':
        return this.#header();
      case 'records':
        return this.#record();
      case 'value':
        return this.#value();
      case 'opcode-body':
        return this.#passOpcodeBody();
      case 'checksum':
        return this.#checksum();
      case 'big-value':
      case 'end':
        return true;
    }
  }

  #header(): boolean {
    const window = this.#window;
    if (window.length < MAGIC_BYTES) return false;
    const magic = window.bytes.toString('latin1', window.start, window.start + MAGIC_BYTES);
    const match = /^(REDIS)(\d{4})$|^(VALKEY)(\d{3})$/.exec(magic);
    if (match === null)
      throw new RdbError(`No RDB begins with "${magic.replace(/[^\x20-\x7e]/g, '?')}"`, window.position);
    this.#dialect = match[1] === undefined ? 'valkey' : 'redis';
    this.#version = Number(match[2] ?? match[4]);
    window.start += MAGIC_BYTES;
    this.#phase = 'records';
    this.#opcodes.header = { version: this.#version, dialect: this.#dialect };
    this.#sink.header(this.#opcodes.header, this.#templates);
    return true;
  }

  #record(): boolean {
    const window = this.#window;
    if (window.length === 0) return false;
    const code = window.bytes[window.start] as number;
    if (code >= LOWEST_OPCODE) return this.#opcode(code);
    if (code === ENTERPRISE_OPCODE.ramLru || code === ENTERPRISE_OPCODE.slotNumber)
      return this.#opcodes.lengths(1) === 'taken';
    return this.#key(code);
  }

  #opcode(code: number): boolean {
    const outcome = this.#opcodes.take(code);
    if (outcome === 'incomplete') return false;
    if (outcome === 'taken') return true;
    if (outcome === 'end') {
      this.#phase = this.#version >= FIRST_VERSION_WITH_CRC ? 'checksum' : 'end';
      return true;
    }
    this.#window.start++;
    this.#walker.begin(outcome, this.#window.position);
    this.#phase = 'opcode-body';
    return true;
  }

  #passOpcodeBody(): boolean {
    const window = this.#window;
    window.start = this.#walker.advance(window.bytes, window.start, window.end);
    if (!this.#walker.done) return false;
    this.#phase = 'records';
    return true;
  }

  #checksum(): boolean {
    if (this.#window.length < 8) return false;
    this.#window.start += 8;
    this.#phase = 'end';
    return true;
  }

  #key(type: number): boolean {
    const window = this.#window;
    const strings = this.#strings;
    const at = strings.string(window.start + 1);
    if (at === INCOMPLETE) return false;
    const entry = this.#entry;
    entry.type = type;
    entry.keyBytes = strings.bytes;
    entry.keyStart = strings.start;
    entry.keyLength = strings.size;
    this.#keyOffset = strings.inWindow ? strings.start - window.start : OUTSIDE_THE_WINDOW;
    const pattern =
      type === TYPE.hashTemplateArrayRef && this.#dialect === 'redis'
        ? this.#templatePattern(at)
        : patternOf(type, this.#dialect);
    if (pattern === INCOMPLETE) return false;
    if (pattern === null) {
      throw new RdbError(
        `A value of type ${type}, which can not be passed over (${this.#dialect} version ${this.#version}), stands`,
        window.position,
      );
    }
    this.#valueOffset = at - window.start;
    this.#walkedOffset = this.#valueOffset;
    this.#walker.begin(pattern, window.position + this.#valueOffset);
    this.#phase = 'value';
    // Most values stand in the window already: no second look at the phase for them.
    return this.#value();
  }

  /** How many values a hash has whose template is named by the number at `at`; the template was defined before. */
  #templatePattern(at: number): Pattern | typeof INCOMPLETE {
    if (this.#strings.plainLength(at) === INCOMPLETE) return INCOMPLETE;
    const fields = this.#templates.fields(this.#strings.number);
    if (fields !== null) return templateHashPattern(fields.length);
    throw new RdbError(`A hash of the undefined template ${this.#strings.number}`, this.#window.position);
  }

  #value(): boolean {
    const window = this.#window;
    const walked = this.#walker.advance(window.bytes, window.start + this.#walkedOffset, window.end);
    this.#walkedOffset = walked - window.start;
    const valueBytes = this.#passedBytes + this.#walkedOffset - this.#valueOffset;
    if (valueBytes > this.#valueLimit) {
      this.#beginBig();
      return true;
    }
    if (this.#walker.done) {
      this.#deliver(walked);
      return true;
    }
    if (this.#walkedOffset - this.#valueOffset >= PART_BYTES) this.#movePart();
    return false;
  }

  /** Takes the walked part of a big value out of the window, with the buffer it stands in. */
  #movePart(): void {
    const window = this.#window;
    if (this.#passedBytes === 0) this.#keepKey();
    const walked = window.start + this.#walkedOffset;
    this.#parts.push(window.bytes.subarray(window.start + this.#valueOffset, walked));
    this.#passedBytes += this.#walkedOffset - this.#valueOffset;
    window.detach(walked);
    this.#keyOffset = OUTSIDE_THE_WINDOW;
    this.#valueOffset = 0;
    this.#walkedOffset = 0;
  }

  #deliver(valueEnd: number): void {
    const window = this.#window;
    const entry = this.#entry;
    if (this.#keyOffset !== OUTSIDE_THE_WINDOW) {
      // The window may have moved its bytes since the key was read.
      entry.keyBytes = window.bytes;
      entry.keyStart = window.start + this.#keyOffset;
    }
    if (this.#passedBytes > 0) entry.parts = this.#parts;
    entry.bytes = window.bytes;
    entry.valueStart = window.start + this.#valueOffset;
    entry.valueEnd = valueEnd;
    window.start = valueEnd;
    this.#phase = 'records';
    this.#sink.entry(entry);
    this.#valueDone();
  }

  /** Copies the key out of the window, whose bytes are about to be passed over. */
  #keepKey(): void {
    const entry = this.#entry;
    const start = this.#keyOffset === OUTSIDE_THE_WINDOW ? entry.keyStart : this.#window.start + this.#keyOffset;
    const from = this.#keyOffset === OUTSIDE_THE_WINDOW ? entry.keyBytes : this.#window.bytes;
    entry.keyBytes = Buffer.from(from.subarray(start, start + entry.keyLength));
    entry.keyStart = 0;
  }

  /** The value under way is above the limit: what was walked of it, and the rest, go the way that the sink wants. */
  #beginBig(): void {
    this.#movePart();
    const entry = this.#entry;
    entry.valueStart = 0;
    entry.valueEnd = 0;
    const { type } = entry;
    this.#big = takeBigValue(
      this.#sink.beginBig(entry),
      this.#parts,
      this.#window,
      this.#walker,
      { type, dialect: this.#dialect, templates: this.#templates, reader: this.#reader },
      () => this.#sink.saturated,
    );
    this.#phase = 'big-value';
  }

  #bigValue(): BigValueProgress {
    const progress = this.#big?.advance() ?? 'done';
    if (progress !== 'done') return progress;
    this.#big = null;
    this.#phase = 'records';
    this.#valueDone();
    return 'done';
  }

  #valueDone(): void {
    if (this.#passedBytes > 0) {
      this.#passedBytes = 0;
      this.#parts = [];
    }
    this.#entry.forgetAttributes();
  }
}
