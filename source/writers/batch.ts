// Commands on their way to one target node: a buffer that is written at once and kept until every reply is in, so that
// a refused command can be found again by its number. The buffers of the common size are used again.
import { freePart } from '../rdb/free-part.ts';
import { LINE, LineRecord } from './line-record.ts';

/** What the replies of a batch mean: a null to SET NX is a conflict in the snapshot and nothing in the stream. */
export type BatchKind = 'snapshot' | 'stream';

export class Batch {
  readonly buffer: Buffer;
  readonly kind: BatchKind;
  /** Bytes used of `buffer`, and how many of them at its beginning are not sent. */
  length = 0;
  start = 0;
  /** What is sent behind `buffer`: a big payload in the buffer it arrived in, and its footer. */
  tail: readonly Buffer[] = [];
  /** Parts of the tail that the socket still reads from. */
  unwritten = 0;
  /** Replies expected, SELECT included. */
  commands = 0;
  answered = 0;
  /** Snapshot keys and stream commands among them, for the counters. */
  keys = 0;
  streamCommands = 0;
  /** Everything before this position of the source is in earlier batches. */
  readonly position: number;
  /** Database selected on the connection before the first command. */
  readonly database: number;
  /** The command that was looked up last: where it stands, and the database in force there. */
  #place: { index: number; at: number; database: number };
  /** Of the stream: what the commands are, from the first that is sent. */
  readonly lines: LineRecord | null;
  firstLine = 0;
  /** Numbers of the commands (of the stream: lines) to send again, and of those refused for good. */
  again: number[] = [];
  refused: number[] = [];

  constructor(buffer: Buffer, kind: BatchKind, position: number, database: number) {
    this.buffer = buffer;
    this.kind = kind;
    this.position = position;
    this.database = database;
    this.lines = kind === 'stream' ? new LineRecord() : null;
    this.#place = { index: 0, at: 0, database };
  }

  get bytes(): number {
    return this.tail.reduce((sum, part) => sum + part.length, this.length - this.start);
  }

  /** What is sent of `buffer`. */
  get head(): Buffer {
    return this.buffer.subarray(this.start, this.length);
  }

  /** Of the stream: the offset at which the last command ended; null when there is none. */
  get lastOffset(): number | null {
    const { lines } = this;
    for (let line = (lines?.count ?? 0) - 1; lines !== null && line >= 0; line--) {
      if ((lines.slots[line] as number) < LINE.exec) return lines.offsets[line] as number;
    }
    return null;
  }

  /** The commands one by one, as views of their arguments. Slow: only for what went wrong. */
  *arguments(): Generator<readonly Buffer[]> {
    const whole = this.#whole();
    for (let at = 0; at < whole.length; ) {
      const args: Buffer[] = [];
      at = readCommand(whole, at, args);
      yield args;
    }
  }

  /**
   * Gives back what stands behind `buffer` at once: the garbage collector would not notice for long how much it is. What
   * the socket has not finished writing is left to the collector: a target may refuse a command before it has read it all.
   */
  freeTail(): void {
    for (const part of this.unwritten === 0 ? this.tail : []) freePart(part);
    this.tail = [];
  }

  /** The command with this number; cheap when the numbers asked for grow. */
  commandAt(index: number): readonly Buffer[] {
    this.#goTo(index);
    const args: Buffer[] = [];
    readCommand(this.#whole(), this.#place.at, args);
    return args;
  }

  /** The database in which the command with this number is executed. */
  databaseAt(index: number): number {
    this.#goTo(index);
    return this.#place.database;
  }

  /** Every command of a batch may be a conflict: walking from its first each time took 3 s for a batch of 128 KB. */
  #goTo(index: number): void {
    if (index < this.#place.index) this.#place = { index: 0, at: 0, database: this.database };
    const place = this.#place;
    const whole = this.#whole();
    for (; place.index < index && place.at < whole.length; place.index++) {
      if (SELECT.compare(whole, place.at, place.at + SELECT.length) === 0) {
        place.database = numberAt(whole, nextLine(whole, place.at + SELECT.length));
      }
      place.at = readCommand(whole, place.at, null);
    }
    if (place.at >= whole.length) throw new RangeError(`the batch has no command ${index}`);
  }

  #whole(): Buffer {
    return this.tail.length === 0 ? this.head : Buffer.concat([this.head, ...this.tail]);
  }
}

/** As NodeWriter.select encodes it, up to the head of the number. */
const SELECT = Buffer.from('*2\r\n$6\r\nSELECT\r\n');
const LF = 0x0a;
const ZERO = 0x30;
const NINE = 0x39;

/** Puts the arguments of the command at `from` into `args`, as views; gives the place behind it. */
function readCommand(bytes: Buffer, from: number, args: Buffer[] | null): number {
  let left = numberAt(bytes, from + 1);
  let at = nextLine(bytes, from);
  for (; left > 0; left--) {
    const begin = nextLine(bytes, at);
    const end = begin + numberAt(bytes, at + 1);
    args?.push(bytes.subarray(begin, end));
    at = end + 2;
  }
  return at;
}

function numberAt(bytes: Buffer, from: number): number {
  let value = 0;
  for (let at = from; ; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < ZERO || byte > NINE) return value;
    value = value * 10 + byte - ZERO;
  }
}

/** Where the line behind that at `from` begins. */
function nextLine(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== LF) at++;
  return at + 1;
}

/** Buffers of one size, used again; what is not used for long is left to the garbage collector by `trim`. */
export class BufferPool {
  readonly bufferBytes: number;
  readonly #free: Buffer[] = [];

  constructor(bufferBytes: number) {
    this.bufferBytes = bufferBytes;
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.bufferBytes);
  }

  give(buffer: Buffer): void {
    if (buffer.length === this.bufferBytes && this.#free.length < MOST_FREE_BUFFERS) this.#free.push(buffer);
  }
}

const MOST_FREE_BUFFERS = 64;
