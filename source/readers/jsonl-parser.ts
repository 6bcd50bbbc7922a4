// Reads JSON lines as redferry writes them (docs/jsonl.md) from a byte window, in any chunking, and hands each key to a
// sink as a snapshot's parser would: its value encoded as an RDB's, a value in several lines element by element.
import { FerryError } from '../engine/errors.ts';
import { ValueEncoder } from '../rdb/encode-value.ts';
import { TYPE } from '../rdb/format.ts';
import { HashTemplates } from '../rdb/hash-templates.ts';
import { RdbError } from '../rdb/rdb-error.ts';
import type { ValueKind } from '../rdb/value-sink.ts';
import type { ByteWindow } from './byte-window.ts';
import { DumpReader } from './jsonl-dump.ts';
import { base64, binary, type Members, optionalWhole, parseObject, ShapeError, whole, wrong } from './jsonl-shape.ts';
import { isValueKind, JsonlValues } from './jsonl-values.ts';
import { MutableEntry } from './mutable-entry.ts';
import type { ParseStatus } from './snapshot-parser.ts';
import type { BigValueTaker, SnapshotHeader, SnapshotSink } from './snapshot-sink.ts';

const LF = 10;
const DEFAULT_LINE_BYTES = 64 * 1024 * 1024;
const FORMAT_VERSION = 1;
/** What the values are encoded as: the first version in which fields of a hash expire. */
const HEADER: SnapshotHeader = { version: 12, dialect: 'redis' };
/** From this size on a value is given in a buffer that whoever takes it may keep. */
const OWN_BUFFER_BYTES = 64 * 1024;
const HIGHEST_DATABASE = 2 ** 31 - 1;
const EMPTY = Buffer.alloc(0);

/** The plainest type of each kind, for a value that is not encoded at all. */
const PLAIN_TYPE: Readonly<Record<ValueKind, number>> = {
  string: TYPE.string,
  list: TYPE.list,
  set: TYPE.set,
  zset: TYPE.zset2,
  hash: TYPE.hashMetadata,
  stream: TYPE.streamListpacks3,
};
const OPAQUE_KINDS: ReadonlySet<unknown> = new Set(['module', 'array', 'opaque']);
/** Types from here on are other ones for Valkey. */
const FIRST_TYPE_OF_DIALECT = 22;

/** A value whose next part is awaited. */
interface OpenValue {
  readonly saturated: boolean;
  take(value: unknown): void;
  end(): void;
}

export class JsonlParser {
  readonly #window: ByteWindow;
  readonly #sink: SnapshotSink;
  readonly #lineLimit: number;
  readonly #entry = new MutableEntry();
  readonly #encoder: ValueEncoder;
  readonly #values: JsonlValues;
  #inputEnded = false;
  /** Of the line that comes next: its number from 1, its place in the file, and how much of it was searched for its end. */
  #lineNumber = 1;
  #linePosition = 0;
  #searched = 0;
  /** The first line was read. */
  #begun = false;
  #fromValkey = false;
  #open: OpenValue | null = null;
  /** Of the open value: the part read last. */
  #part = 0;

  /** @param limits longest line; a longer one is an error. */
  constructor(window: ByteWindow, sink: SnapshotSink, limits: { readonly lineBytes?: number } = {}) {
    this.#window = window;
    this.#sink = sink;
    this.#lineLimit = limits.lineBytes ?? DEFAULT_LINE_BYTES;
    // Of what the format holds that is all that a stream as Redis 7.2 has it does not.
    const onLoss = (): void => sink.leftOut('pending entries that no consumer has (Redis 8.8)');
    this.#encoder = new ValueEncoder({ onLoss });
    this.#values = new JsonlValues(this.#encoder);
  }

  /** Nothing comes behind what the window holds now: call `parse` once more. */
  inputEnded(): void {
    this.#inputEnded = true;
  }

  /**
   * Takes all whole lines that stand in the window.
   * @throws FerryError `jsonl` naming the line and its place, when it is none of this format.
   */
  parse(): ParseStatus {
    try {
      for (;;) {
        if (this.#open?.saturated ?? this.#sink.saturated) return 'blocked';
        if (this.#line()) continue;
        if (!this.#inputEnded) return 'hungry';
        this.#checkEnd();
        return 'end';
      }
    } catch (error) {
      if (error instanceof ShapeError || error instanceof RdbError) throw this.#broken(error);
      throw error;
    }
  }

  /** Takes one line; false when none is whole. */
  #line(): boolean {
    const window = this.#window;
    this.#linePosition = window.position;
    const found = window.bytes.subarray(window.start + this.#searched, window.end).indexOf(LF);
    const complete = found >= 0 || (this.#inputEnded && window.length > 0);
    const length = found >= 0 ? this.#searched + found : window.length;
    if (length > this.#lineLimit) throw new ShapeError(`it is longer than ${this.#lineLimit} bytes`);
    if (!complete) {
      this.#searched = length;
      return false;
    }
    const line = window.bytes.subarray(window.start, window.start + length);
    window.start += length + (found >= 0 ? 1 : 0);
    this.#searched = 0;
    if (!isBlank(line)) this.#record(parseObject(line));
    this.#lineNumber++;
    return true;
  }

  #record(line: Members): void {
    if (!this.#begun) this.#head(line);
    else if (this.#open !== null) this.#nextPart(line, this.#open);
    else if (line['function'] !== undefined) this.#sink.functionLibrary(binary(line['function'], '"function"'));
    else if (line['script'] !== undefined) this.#sink.aux('lua', binary(line['script'], '"script"'));
    else this.#key(line);
  }

  #head(line: Members): void {
    if (line['redferry'] !== 'jsonl')
      throw new ShapeError('the first line of redferry\'s format begins {"redferry":"jsonl"');
    const version = whole(line['version'], '"version"', 1);
    if (version > FORMAT_VERSION) {
      throw new ShapeError(`it was written in version ${version} of the format by a newer redferry`);
    }
    this.#begun = true;
    this.#fromValkey = line['dialect'] === 'valkey';
    this.#sink.header(HEADER, new HashTemplates());
  }

  #key(line: Members): void {
    const entry = this.#entry;
    entry.forgetAttributes();
    entry.database = whole(line['db'], '"db"', 0, HIGHEST_DATABASE);
    entry.keyBytes = binary(line['key'], '"key"');
    entry.keyLength = entry.keyBytes.length;
    entry.expiresAtMs = optionalWhole(line['expiresAtMs'], '"expiresAtMs"', Number.MIN_SAFE_INTEGER, -1);
    entry.idleSeconds = optionalWhole(line['idleSeconds'], '"idleSeconds"', 0, -1);
    entry.frequency = optionalWhole(line['frequency'], '"frequency"', 0, -1, 255);
    const { type, value } = line as { type?: unknown; value?: unknown };
    if (!isValueKind(type) && !OPAQUE_KINDS.has(type)) throw wrong(type, '"type"', 'one that redferry writes');
    if (line['part'] !== undefined) this.#firstPart(line);
    else if (isValueKind(type)) this.#value(type, value);
    else this.#dump(new DumpReader(base64(value, '"value"')));
  }

  /** A value in one line. */
  #value(kind: ValueKind, value: unknown): void {
    const encoder = this.#encoder;
    this.#values.begin(kind, encoder, null);
    this.#values.part(value);
    this.#values.end();
    if (encoder.empty) {
      this.#sink.leftOut('collections without elements, which no server keeps');
      return;
    }
    this.#give(encoder.type, encoder.bytes, 0, encoder.length);
  }

  #dump(reader: DumpReader): void {
    const value = reader.take(EMPTY);
    reader.end();
    if (this.#isKnown(reader.type)) this.#give(reader.type, value, 0, value.length);
  }

  /** Hands on the entry with its value, which a large one's taker may keep. */
  #give(type: number, bytes: Buffer, start: number, end: number): void {
    const entry = this.#entry;
    const large = end - start >= OWN_BUFFER_BYTES;
    entry.type = type;
    entry.bytes = large ? EMPTY : bytes;
    entry.valueStart = large ? 0 : start;
    entry.valueEnd = large ? 0 : end;
    if (large) {
      const own = Buffer.allocUnsafeSlow(end - start);
      bytes.copy(own, 0, start, end);
      entry.parts = [own];
    }
    this.#sink.entry(entry);
  }

  #firstPart(line: Members): void {
    const { type, value } = line as { type?: unknown; value?: unknown };
    this.#part = whole(line['part'], '"part"', 1, 1);
    this.#open = isValueKind(type)
      ? this.#openElements(type, optionalWhole(line['bytes'], '"bytes"', 0, null))
      : this.#openDump(base64(value, '"value"'));
    if (isValueKind(type)) this.#open.take(value);
    this.#endValue(line);
  }

  #nextPart(line: Members, open: OpenValue): void {
    const part = whole(line['part'], '"part"', 1);
    if (part !== this.#part + 1) throw new ShapeError(`part ${this.#part + 1} of a value is awaited, not part ${part}`);
    this.#part = part;
    open.take(line['value']);
    this.#endValue(line);
  }

  #endValue(line: Members): void {
    if (line['last'] !== true) return;
    this.#open?.end();
    this.#open = null;
  }

  #begin(type: number): BigValueTaker {
    const entry = this.#entry;
    entry.type = type;
    entry.bytes = EMPTY;
    entry.valueStart = 0;
    entry.valueEnd = 0;
    return this.#sink.beginBig(entry);
  }

  /** @param stringBytes of a string in parts, when its first line tells. */
  #openElements(kind: ValueKind, stringBytes: number | null): OpenValue {
    const taker = this.#begin(PLAIN_TYPE[kind]);
    if (taker.kind === 'skip') return this.#skipped(taker);
    if (taker.kind === 'raw') throw new TypeError('who takes JSON lines must take big values decoded');
    const values = new JsonlValues(taker.sink);
    values.begin(kind, taker.sink, kind === 'string' ? stringBytes : null);
    return {
      get saturated() {
        return taker.sink.saturated;
      },
      take: (value) => values.part(value),
      end: () => values.end(),
    };
  }

  #openDump(first: Buffer): OpenValue {
    const reader = new DumpReader(first);
    const taker: BigValueTaker = this.#isKnown(reader.type)
      ? this.#begin(reader.type)
      : { kind: 'skip', skipped: () => {} };
    if (taker.kind === 'decoded') throw new TypeError(`nobody can decode values of type ${reader.type}`);
    if (taker.kind === 'skip') return this.#skipped(taker);
    const sink = this.#sink;
    taker.part(reader.take(EMPTY));
    return {
      get saturated() {
        return sink.saturated;
      },
      take: (value) => taker.part(reader.take(base64(value, '"value"'))),
      end: () => {
        reader.end();
        taker.end();
      },
    };
  }

  /** Reads the lines of a value that nobody wants. */
  #skipped(taker: Extract<BigValueTaker, { kind: 'skip' }>): OpenValue {
    const sink = this.#sink;
    const start = this.#linePosition;
    return {
      get saturated() {
        return sink.saturated;
      },
      take: () => {},
      end: () => taker.skipped(this.#window.position - start),
    };
  }

  /** Values of a type that means something else for Redis, in whose dialect all is given, are left out. */
  #isKnown(type: number): boolean {
    if (!this.#fromValkey || type < FIRST_TYPE_OF_DIALECT) return true;
    this.#sink.leftOut(`values of type ${type}, which only Valkey has`);
    return false;
  }

  #checkEnd(): void {
    if (!this.#begun) throw new ShapeError('the file is empty');
    if (this.#open !== null) throw new ShapeError(`part ${this.#part + 1} of a value is awaited, and the file ends`);
  }

  #broken(error: Error): FerryError {
    return new FerryError(
      `Line ${this.#lineNumber} of the JSON lines, at byte ${this.#linePosition}: ${error.message}.`,
      {
        code: 'jsonl',
        cause: error,
      },
    );
  }
}

function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte > 32) return false;
  return true;
}
