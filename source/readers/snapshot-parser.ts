// Reads an RDB from a byte window, in any chunking, and hands each key with its undecoded value to a sink. A record is
// taken whole or not at all; only a value may be under way between two calls. Opcodes: rdbLoadRioWithLoadingCtx, Redis 7.
import {
  type Dialect,
  ENTERPRISE_OPCODE,
  FIRST_VERSION_WITH_CRC,
  LOWEST_OPCODE,
  MAGIC_BYTES,
  OPCODE,
  STRING_ENCODING,
} from '../rdb/format.ts';
import { INCOMPLETE, INVALID, LengthReader } from '../rdb/length.ts';
import { lzfDecompress } from '../rdb/lzf.ts';
import { RdbError } from '../rdb/rdb-error.ts';
import {
  FUNCTION_PRE_GA_PATTERN,
  MODULE_AUX_PATTERN,
  type Pattern,
  patternOf,
  VALKEY_SLOT_IMPORT_PATTERN,
} from '../rdb/value-patterns.ts';
import { ValueWalker } from '../rdb/value-walker.ts';
import type { ByteWindow } from './byte-window.ts';

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

export interface SnapshotHeader {
  readonly version: number;
  readonly dialect: Dialect;
}

/** Who takes what the snapshot holds. */
export interface SnapshotSink {
  /** true stops the parser before the next record. */
  readonly saturated: boolean;
  header(header: SnapshotHeader): void;
  /** May detach the window when it keeps the value's bytes. */
  entry(entry: SnapshotEntry): void;
  /** A value above the limit that was passed over: the entry's value range is empty. */
  oversized(entry: SnapshotEntry, valueBytes: number): void;
  announcedKeys(count: number): void;
  aux(name: string, value: string): void;
  functionLibrary(code: Buffer): void;
}

/** hungry: needs more bytes; blocked: the sink is saturated; end: the last byte of the snapshot was taken. */
export type ParseStatus = 'hungry' | 'blocked' | 'end';

const NO_PARTS: readonly Buffer[] = [];
/** What was walked of a value under way leaves the window when it is this long, so that the window need not grow. */
const PART_BYTES = 256 * 1024;

/** The key was an integer or compressed and has a buffer of its own. */
const OUTSIDE_THE_WINDOW = -1;
/** Three bytes of LZF give 264 at the most; a higher claim would only make us allocate. */
const LZF_HIGHEST_RATIO = 264;

class MutableEntry implements SnapshotEntry {
  database = 0;
  keyBytes: Buffer = Buffer.alloc(0);
  keyStart = 0;
  keyLength = 0;
  type = 0;
  parts: readonly Buffer[] = NO_PARTS;
  bytes: Buffer = Buffer.alloc(0);
  valueStart = 0;
  valueEnd = 0;
  expiresAtMs = -1;
  idleSeconds = -1;
  frequency = -1;
}

type Phase = 'header' | 'records' | 'value' | 'passing-value' | 'opcode-body' | 'checksum' | 'end';

export class SnapshotParser {
  readonly #sink: SnapshotSink;
  readonly #window: ByteWindow;
  readonly #valueLimit: number;
  readonly #entry = new MutableEntry();
  readonly #length = new LengthReader();
  readonly #walker = new ValueWalker();
  #phase: Phase = 'header';
  #version = 0;
  #dialect: Dialect = 'redis';
  /** Of the value under way, counted from the window's start: where it begins and how far the walk has come. */
  #valueOffset = 0;
  #walkedOffset = 0;
  /** Bytes of the value under way that left the window, kept in parts or passed over. */
  #passedBytes = 0;
  #parts: Buffer[] = [];
  #keyOffset = OUTSIDE_THE_WINDOW;
  /** The string read last: where it stands. */
  #stringBytes: Buffer = Buffer.alloc(0);
  #stringStart = 0;
  #stringLength = 0;

  constructor(window: ByteWindow, sink: SnapshotSink, limits: { readonly valueBytes: number }) {
    this.#window = window;
    this.#sink = sink;
    this.#valueLimit = limits.valueBytes;
  }

  /**
   * Takes all whole records that stand in the window.
   * @throws RdbError when the bytes are no RDB that can be read further.
   */
  parse(): ParseStatus {
    for (;;) {
      if (this.#phase === 'end') return 'end';
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
      case 'passing-value':
        return this.#passValue();
      case 'opcode-body':
        return this.#passOpcodeBody();
      case 'checksum':
        return this.#checksum();
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
    this.#sink.header({ version: this.#version, dialect: this.#dialect });
    return true;
  }

  #record(): boolean {
    const window = this.#window;
    if (window.length === 0) return false;
    const code = window.bytes[window.start] as number;
    if (code >= LOWEST_OPCODE) return this.#opcode(code);
    if (code === ENTERPRISE_OPCODE.ramLru || code === ENTERPRISE_OPCODE.slotNumber) return this.#lengths(1, () => {});
    return this.#key(code);
  }

  #key(type: number): boolean {
    const window = this.#window;
    const at = this.#string(window.start + 1);
    if (at === INCOMPLETE) return false;
    const pattern = patternOf(type, this.#dialect);
    if (pattern === null) {
      throw new RdbError(
        `A value of type ${type}, which can not be passed over (${this.#dialect} version ${this.#version}), stands`,
        window.position,
      );
    }
    const entry = this.#entry;
    entry.type = type;
    entry.keyBytes = this.#stringBytes;
    entry.keyStart = this.#stringStart;
    entry.keyLength = this.#stringLength;
    this.#keyOffset = this.#stringBytes === window.bytes ? this.#stringStart - window.start : OUTSIDE_THE_WINDOW;
    this.#valueOffset = at - window.start;
    this.#walkedOffset = this.#valueOffset;
    this.#walker.begin(pattern, window.position + this.#valueOffset);
    this.#phase = 'value';
    // Most values stand in the window already: no second look at the phase for them.
    return this.#value();
  }

  #value(): boolean {
    const window = this.#window;
    const walked = this.#walker.advance(window.bytes, window.start + this.#walkedOffset, window.end);
    this.#walkedOffset = walked - window.start;
    if (this.#walker.done) {
      const valueBytes = this.#passedBytes + this.#walkedOffset - this.#valueOffset;
      if (valueBytes <= this.#valueLimit) this.#deliver(walked);
      else this.#leaveOut(walked, valueBytes);
      return true;
    }
    if (this.#walkedOffset - this.#valueOffset >= PART_BYTES) this.#movePart();
    if (this.#passedBytes <= this.#valueLimit) return false;
    this.#parts = [];
    this.#phase = 'passing-value';
    return true;
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
    entry.parts = this.#passedBytes === 0 ? NO_PARTS : this.#parts;
    entry.bytes = window.bytes;
    entry.valueStart = window.start + this.#valueOffset;
    entry.valueEnd = valueEnd;
    window.start = valueEnd;
    this.#phase = 'records';
    this.#sink.entry(entry);
    this.#forgetAttributes();
  }

  /** Copies the key out of the window, whose bytes are about to be passed over. */
  #keepKey(): void {
    const entry = this.#entry;
    const start = this.#keyOffset === OUTSIDE_THE_WINDOW ? entry.keyStart : this.#window.start + this.#keyOffset;
    const from = this.#keyOffset === OUTSIDE_THE_WINDOW ? entry.keyBytes : this.#window.bytes;
    entry.keyBytes = Buffer.from(from.subarray(start, start + entry.keyLength));
    entry.keyStart = 0;
  }

  #passValue(): boolean {
    const window = this.#window;
    const walked = this.#walker.advance(window.bytes, window.start, window.end);
    this.#passedBytes += walked - window.start;
    window.start = walked;
    if (!this.#walker.done) return false;
    this.#leaveOut(walked, this.#passedBytes);
    return true;
  }

  /** The value that ends at `valueEnd` is above the limit: only its key and size are told. */
  #leaveOut(valueEnd: number, valueBytes: number): void {
    if (this.#passedBytes === 0) this.#keepKey();
    this.#window.start = valueEnd;
    this.#entry.parts = NO_PARTS;
    this.#entry.valueStart = 0;
    this.#entry.valueEnd = 0;
    this.#phase = 'records';
    this.#sink.oversized(this.#entry, valueBytes);
    this.#forgetAttributes();
  }

  /** Expiry, idle time, frequency and parts belong to one key only. */
  #forgetAttributes(): void {
    if (this.#passedBytes > 0) {
      this.#passedBytes = 0;
      this.#parts = [];
    }
    this.#entry.expiresAtMs = -1;
    this.#entry.idleSeconds = -1;
    this.#entry.frequency = -1;
  }

  /** Takes a record that is no key; false when it is not whole. */
  #opcode(code: number): boolean {
    const window = this.#window;
    const body = window.start + 1;
    switch (code) {
      case OPCODE.expireTimeMs:
        if (window.end < body + 8) return false;
        this.#entry.expiresAtMs = window.bytes.readUInt32LE(body) + window.bytes.readInt32LE(body + 4) * 2 ** 32;
        window.start = body + 8;
        return true;
      case OPCODE.expireTime:
        if (window.end < body + 4) return false;
        this.#entry.expiresAtMs = window.bytes.readInt32LE(body) * 1000;
        window.start = body + 4;
        return true;
      case OPCODE.freq:
        if (window.end < body + 1) return false;
        this.#entry.frequency = window.bytes[body] as number;
        window.start = body + 1;
        return true;
      case OPCODE.idle:
        return this.#lengths(1, (idle) => {
          this.#entry.idleSeconds = idle;
        });
      case OPCODE.selectDb:
        return this.#lengths(1, (database) => {
          this.#entry.database = database;
        });
      case OPCODE.resizeDb:
        return this.#lengths(2, (keys) => this.#sink.announcedKeys(keys));
      case OPCODE.slotInfo:
        return this.#lengths(3, () => {});
      case OPCODE.aux:
        return this.#aux();
      case OPCODE.function2:
        return this.#functionLibrary();
      case OPCODE.moduleAux:
        return this.#beginOpcodeBody(MODULE_AUX_PATTERN);
      case OPCODE.functionPreGa:
        return this.#beginOpcodeBody(FUNCTION_PRE_GA_PATTERN);
      case OPCODE.eof:
        window.start = body;
        this.#phase = this.#version >= FIRST_VERSION_WITH_CRC ? 'checksum' : 'end';
        return true;
      default:
        if (code === OPCODE.keyMetaOrSlotImport && this.#dialect === 'valkey') {
          return this.#beginOpcodeBody(VALKEY_SLOT_IMPORT_PATTERN);
        }
        throw new RdbError(
          `The unknown opcode ${code} (${this.#dialect} version ${this.#version}) stands`,
          window.position,
        );
    }
  }

  /** Takes `count` lengths behind the opcode and gives the first; false when they are not all there. */
  #lengths(count: number, take: (first: number) => void): boolean {
    const window = this.#window;
    let at = window.start + 1;
    let first = 0;
    for (let i = 0; i < count; i++) {
      at = this.#length.read(window.bytes, at, window.end);
      if (at === INCOMPLETE) return false;
      if (at === INVALID || this.#length.encoding >= 0)
        throw new RdbError('A length that no server writes stands', window.position);
      if (i === 0) first = this.#length.value;
    }
    window.start = at;
    take(first);
    return true;
  }

  #aux(): boolean {
    const afterName = this.#string(this.#window.start + 1);
    if (afterName === INCOMPLETE) return false;
    const name = this.#stringText();
    const afterValue = this.#string(afterName);
    if (afterValue === INCOMPLETE) return false;
    this.#window.start = afterValue;
    this.#sink.aux(name, this.#stringText());
    return true;
  }

  #functionLibrary(): boolean {
    const next = this.#string(this.#window.start + 1);
    if (next === INCOMPLETE) return false;
    const code = Buffer.from(this.#stringBytes.subarray(this.#stringStart, this.#stringStart + this.#stringLength));
    this.#window.start = next;
    this.#sink.functionLibrary(code);
    return true;
  }

  #beginOpcodeBody(pattern: Pattern): boolean {
    this.#window.start++;
    this.#walker.begin(pattern, this.#window.position);
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

  #stringText(): string {
    return Buffer.from(
      this.#stringBytes.buffer,
      this.#stringBytes.byteOffset + this.#stringStart,
      this.#stringLength,
    ).toString();
  }

  /** Reads a string at `at` and notes where it stands; gives the place behind it, or INCOMPLETE. */
  #string(at: number): number {
    const window = this.#window;
    const next = this.#length.read(window.bytes, at, window.end);
    if (next === INCOMPLETE) return INCOMPLETE;
    if (next === INVALID) throw new RdbError('A length that no server writes stands', window.position);
    if (this.#length.encoding < 0) {
      if (next + this.#length.value > window.end) return INCOMPLETE;
      this.#stringBytes = window.bytes;
      this.#stringStart = next;
      this.#stringLength = this.#length.value;
      return next + this.#length.value;
    }
    return this.#encodedString(next, this.#length.encoding);
  }

  /** A string that is written as an integer or compressed; it is unpacked into a buffer of its own. */
  #encodedString(at: number, encoding: number): number {
    const { bytes, end, position } = this.#window;
    const keep = (text: Buffer, next: number): number => {
      this.#stringBytes = text;
      this.#stringStart = 0;
      this.#stringLength = text.length;
      return next;
    };
    if (encoding === STRING_ENCODING.lzf) {
      const afterPacked = this.#length.read(bytes, at, end);
      if (afterPacked < 0) return INCOMPLETE;
      const packed = this.#length.value;
      const afterPlain = this.#length.read(bytes, afterPacked, end);
      if (afterPlain < 0 || afterPlain + packed > end) return INCOMPLETE;
      if (this.#length.value > packed * LZF_HIGHEST_RATIO)
        throw new RdbError('A broken compressed string stands', position);
      const plain = Buffer.allocUnsafe(this.#length.value);
      if (!lzfDecompress(bytes, afterPlain, packed, plain))
        throw new RdbError('A broken compressed string stands', position);
      return keep(plain, afterPlain + packed);
    }
    const width = [1, 2, 4][encoding];
    if (width === undefined) throw new RdbError(`The unknown string encoding ${encoding} stands`, position);
    if (at + width > end) return INCOMPLETE;
    return keep(Buffer.from(String(bytes.readIntLE(at, width))), at + width);
  }
}
