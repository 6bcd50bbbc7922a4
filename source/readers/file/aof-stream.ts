// Reads an AOF off a byte window, in any chunking: commands, annotation lines, an RDB at the head of a file, the borders
// of its files, and how it ends. Rules: loadSingleAppendOnlyFile and loadAppendOnlyFiles in aof.c of Redis 7, which are
// stricter than replication is (no bare newlines), and redis-check-aof.c for the stop time.
import type { FerryError } from '../../engine/errors.ts';
import type { ByteWindow } from '../byte-window.ts';
import { StreamError, StreamParser } from '../stream-parser.ts';
import { type AofEnd, type AofEndKind, aofEnd } from './aof-end.ts';
import type { FilePlace } from './file-feed.ts';

/** What the stream has to know of the files; a FileFeed gives it. */
export interface FileSequence {
  /** Every byte of the present file is in the window or was taken from it. */
  readonly fileDone: boolean;
  readonly onLastFile: boolean;
  /** Goes on with the next file; false when there is none. */
  nextFile(): boolean;
  segmentAt(position: number): FilePlace;
}

/**
 * file: another file begins, with database 0 selected; preamble: an RDB begins in the window, which a snapshot parser is
 * to take off before the next call; hungry: needs more bytes; oversized: a command above the limit was passed over; end:
 * nothing more comes, and `end` says why.
 */
export type AofStatus = 'command' | 'oversized' | 'hungry' | 'file' | 'preamble' | 'end';

const STAR = 42;
const HASH = 35;
const CR = 13;
const LF = 10;
const TIMESTAMP = Buffer.from('#TS:');
/** AOF_ANNOTATION_LINE_MAX_LEN of server.h: what is longer is no annotation to a server either. */
const LONGEST_ANNOTATION = 1024;
const RDB_SIGNATURES = [Buffer.from('REDIS'), Buffer.from('VALKEY')];
const MULTI = Buffer.from('multi');
const EXEC = Buffer.from('exec');
const NO_BLOCK = -1;

export class AofStream {
  /** Holds the command read last. */
  readonly parser: StreamParser;
  /** How it ended; set once `next` gives 'end'. */
  end: AofEnd | null = null;
  /** Unix ms of the last timestamp annotation (aof-timestamp-enabled); null before the first. */
  timestampMs: number | null = null;
  readonly #window: ByteWindow;
  readonly #files: FileSequence;
  readonly #untilMs: number | null;
  #phase: 'file-begins' | 'preamble' | 'commands' = 'file-begins';
  /** Everything before this position stands. */
  #goodUntil = 0;
  /** Position of the MULTI whose EXEC has not come. */
  #blockBegin = NO_BLOCK;

  /**
   * @param limits largest command held, bytes.
   * @param untilMs reading stops at the first timestamp annotation later than this (unix ms); null for no stop.
   */
  constructor(
    window: ByteWindow,
    files: FileSequence,
    limits: { readonly commandBytes: number },
    untilMs: number | null,
  ) {
    this.#window = window;
    this.#files = files;
    this.#untilMs = untilMs;
    this.parser = new StreamParser(window, limits);
  }

  /** The window was set back to where a command of the present file begins. */
  rewind(): void {
    this.end = null;
    this.parser.restart();
    this.#phase = 'commands';
    this.#goodUntil = this.#window.position;
    this.#blockBegin = NO_BLOCK;
  }

  /** Takes the next command off the window, or tells what stands there instead. Throws for nothing that a file holds. */
  next(): AofStatus {
    const window = this.#window;
    for (;;) {
      if (this.end !== null) return 'end';
      if (this.#phase !== 'commands') {
        const begun = this.#beginFile();
        if (begun !== null) return begun;
      }
      if (window.length === 0) return this.#files.fileDone ? this.#fileEnd() : 'hungry';
      if (!this.parser.insideCommand) {
        const first = window.bytes[window.start];
        if (first === HASH) {
          if (!this.#annotation()) return 'hungry';
          continue;
        }
        if (first !== STAR) return this.#broken(window.start);
      }
      const status = this.#command();
      if (status !== 'hungry') return status;
      return this.#files.fileDone ? this.#fileEnd() : 'hungry';
    }
  }

  /**
   * Ends the reading in a preamble.
   * @param cause what the snapshot parser threw; null when it wants more bytes than the file has.
   */
  endInPreamble(cause: FerryError | null): void {
    this.#goodUntil = this.#window.position;
    if (cause === null) this.#finish('truncated', 'in the middle of its RDB');
    else this.#finish('broken', `can not be read: ${cause.message.replace(/\.$/, '')}`);
  }

  #command(): AofStatus {
    const { parser } = this;
    try {
      const status = parser.next();
      if (status === 'hungry') return status;
      if (status === 'command') {
        const wrong = parser.count === 0 ? parser.start : this.#wrongLineEnd();
        if (wrong >= 0) return this.#broken(wrong);
        if (parser.count === 1) this.#noteBlock();
      }
      this.#goodUntil = this.#window.position;
      return status;
    } catch (error) {
      if (error instanceof StreamError)
        return this.#broken(this.#window.start + error.position - this.#window.position);
      throw error;
    }
  }

  /** The parser passes over line ends without a look; in a file, a length that is wrong must not bend a value. */
  #wrongLineEnd(): number {
    const { bytes, offsets, lengths, count, start } = this.parser;
    let at = start;
    while (bytes[at] !== CR) at++;
    if (bytes[at + 1] !== LF) return at + 1;
    for (let i = 0; i < count; i++) {
      const body = offsets[i] as number;
      const end = body + (lengths[i] as number);
      if (bytes[body - 1] !== LF) return body - 1;
      if (bytes[end] !== CR || bytes[end + 1] !== LF) return end;
    }
    return -1;
  }

  /** Called before #goodUntil moves behind the command. */
  #noteBlock(): void {
    if (this.#blockBegin === NO_BLOCK) {
      if (isNamed(this.parser, MULTI)) this.#blockBegin = this.#goodUntil;
    } else if (isNamed(this.parser, EXEC)) {
      this.#blockBegin = NO_BLOCK;
    }
  }

  /** Takes an annotation line off the window; false when it is not whole. */
  #annotation(): boolean {
    const window = this.#window;
    const begin = window.start;
    const limit = Math.min(window.end, begin + LONGEST_ANNOTATION);
    let lineEnd = begin;
    while (lineEnd < limit && window.bytes[lineEnd] !== LF) lineEnd++;
    if (lineEnd === limit) {
      if (limit - begin === LONGEST_ANNOTATION) this.#broken(begin);
      else if (!this.#files.fileDone) return false;
      // A server passes over an annotation that the end of the file cuts.
      else window.start = window.end;
    } else {
      if (startsWith(window.bytes, begin, lineEnd, TIMESTAMP)) {
        this.#timestamp(window.bytes.toString('latin1', begin + TIMESTAMP.length, lineEnd));
      }
      if (this.end === null) window.start = lineEnd + 1;
    }
    this.#goodUntil = window.position;
    return true;
  }

  #timestamp(text: string): void {
    const seconds = /^(\d{1,12})\r$/.exec(text)?.[1];
    if (seconds !== undefined) this.timestampMs = Number(seconds) * 1000;
    if (this.#untilMs === null) return;
    if (seconds === undefined)
      this.#finish('broken', 'holds a timestamp that is none, so the stop time can not be kept');
    else if (Number(seconds) * 1000 > this.#untilMs) this.#finish('stopped', '');
  }

  /** What stands at the beginning of a file when it is no command; null when a command or nothing does. */
  #beginFile(): AofStatus | null {
    const window = this.#window;
    if (this.#phase === 'file-begins') {
      for (const signature of RDB_SIGNATURES) {
        const length = Math.min(signature.length, window.length);
        if (!startsWith(window.bytes, window.start, window.end, signature.subarray(0, length))) continue;
        if (length === signature.length) {
          this.#phase = 'preamble';
          return 'preamble';
        }
        if (!this.#files.fileDone) return 'hungry';
      }
    }
    this.#phase = 'commands';
    this.#goodUntil = window.position;
    return null;
  }

  /** The present file holds nothing more. */
  #fileEnd(): AofStatus {
    if (this.#window.length > 0 || this.parser.insideCommand) {
      return this.#finish('truncated', 'in the middle of a command');
    }
    if (this.#blockBegin !== NO_BLOCK) return this.#finish('truncated', '');
    if (!this.#files.nextFile()) return this.#finish('clean', '');
    this.#phase = 'file-begins';
    return 'file';
  }

  /** @param at the place in the window of the byte that is wrong. */
  #broken(at: number): 'end' {
    const { bytes, start, end, position } = this.#window;
    const found = bytes.toString('latin1', at, Math.min(at + 20, end)).replace(/[^\x20-\x7e]/g, '?');
    // A file that went through a conversion of text shows it at its first count.
    const converted = bytes[at] === LF && at > start && isDigit(bytes[at - 1]);
    const what = converted ? 'a line end without a carriage return' : `"${found}"`;
    const advice = converted ? 'it may have been converted as a text' : 'which no server writes there';
    const { offset } = this.#files.segmentAt(position + at - start);
    return this.#finish('broken', `holds ${what} at byte ${offset}, ${advice}`);
  }

  #finish(kind: AofEndKind, what: string): 'end' {
    const insideBlock = this.#blockBegin !== NO_BLOCK;
    const filesFollow = !this.#files.onLastFile;
    const fatalCut = kind === 'truncated' && (filesFollow || this.#phase === 'preamble');
    this.end = aofEnd({
      kind: kind === 'truncated' && insideBlock ? 'unfinished-transaction' : kind,
      ...this.#files.segmentAt(insideBlock ? this.#blockBegin : this.#goodUntil),
      what,
      fatal: kind === 'broken' || fatalCut,
      timestampMs: this.timestampMs,
      filesFollow,
    });
    return 'end';
  }
}

function startsWith(bytes: Buffer, start: number, end: number, beginning: Buffer): boolean {
  if (end - start < beginning.length) return false;
  for (let i = 0; i < beginning.length; i++) if (bytes[start + i] !== beginning[i]) return false;
  return true;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}

/** Whether the command is that word of lower-case letters, in whatever case. */
function isNamed({ bytes, offsets, lengths }: StreamParser, word: Buffer): boolean {
  if (lengths[0] !== word.length) return false;
  const start = offsets[0] as number;
  for (let i = 0; i < word.length; i++) if (((bytes[start + i] as number) | 0x20) !== word[i]) return false;
  return true;
}
