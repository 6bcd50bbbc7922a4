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
    const whole = this.tail.length === 0 ? this.head : Buffer.concat([this.head, ...this.tail]);
    let at = 0;
    const number = (): number => {
      const lineEnd = whole.indexOf(10, at);
      const value = Number(whole.toString('latin1', at + 1, lineEnd - 1));
      at = lineEnd + 1;
      return value;
    };
    while (at < whole.length) {
      const args: Buffer[] = [];
      for (let left = number(); left > 0; left--) {
        const length = number();
        args.push(whole.subarray(at, at + length));
        at += length + 2;
      }
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

  /** The command with this number. */
  commandAt(index: number): readonly Buffer[] {
    let i = 0;
    for (const args of this.arguments()) if (i++ === index) return args;
    throw new RangeError(`the batch has no command ${index}`);
  }
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
