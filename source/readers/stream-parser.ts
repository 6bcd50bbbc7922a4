// Reads the replication stream command by command as byte ranges: no string, no copy. Sources send RESP arrays of bulk
// strings; a bare newline between two is a heartbeat (replicationFeedReplicas and replicationCron of Redis 7).
import { FerryError } from '../engine/errors.ts';
import type { ByteWindow } from './byte-window.ts';

const STAR = 42;
const DOLLAR = 36;
const LF = 10;
const CR = 13;
const ZERO = 48;
const INITIAL_ARGUMENTS = 1024;
const INCOMPLETE = -1;
/** Counts and lengths have no more digits, or are none; what holds them never waits for a line end that may not come. */
const MOST_DIGITS = 19;
/** `$0\r\n\r\n`: bytes that are there hold no more arguments than this allows, whatever the count says. */
const LEAST_ARGUMENT_BYTES = 6;
/** Name, subcommand or key, and key: enough to say which command was passed over. */
const NAMING_ARGUMENTS = 3;

/** command: one was read; hungry: needs more bytes; oversized: one above the limit was passed over. */
export type StreamStatus = 'command' | 'hungry' | 'oversized';

/** Bytes that are no command. */
export class StreamError extends FerryError {
  /** Where they stand in the whole stream. */
  readonly position: number;
  /** The first of them, printable. */
  readonly found: string;

  constructor(found: string, position: number) {
    super(
      `The replication stream holds "${found}" where a command should begin, ${position} bytes into it: what follows can not be trusted.`,
      { code: 'stream' },
    );
    this.found = found;
    this.position = position;
  }
}

export class StreamParser {
  /** The command read last: its arguments in the window's buffer. Hold until the next call. */
  offsets = new Int32Array(INITIAL_ARGUMENTS);
  lengths = new Int32Array(INITIAL_ARGUMENTS);
  count = 0;
  start = 0;
  end = 0;
  /** Of an oversized command: its first arguments, enough to name it. */
  oversizedName: readonly Buffer[] = [];
  readonly #window: ByteWindow;
  readonly #limit: number;
  #number = 0;
  /** The last call left a command that was not whole: the next goes on behind what was seen of it. */
  #underWay: 'no' | 'reading' | 'passing' = 'no';
  /** Of a command that is being read: its arguments, those seen, the bytes seen, and where it began at the first look. */
  #announced = 0;
  #seen = 0;
  #seenBytes = 0;
  #seenFrom = 0;
  /** Of an oversized command: arguments and bytes still to pass over. */
  #argumentsToPass = 0;
  #bytesToPass = 0;

  constructor(window: ByteWindow, limits: { readonly commandBytes: number }) {
    this.#window = window;
    this.#limit = limits.commandBytes;
  }

  /** Bytes of the command read last. */
  get bytes(): Buffer {
    return this.#window.bytes;
  }

  /** The next byte of the window belongs to a command that the last call has seen the beginning of. */
  get insideCommand(): boolean {
    return this.#underWay !== 'no';
  }

  /** Of the command read last: a view that holds until the next call. */
  argument(index: number): Buffer {
    const start = this.offsets[index] as number;
    return this.bytes.subarray(start, start + (this.lengths[index] as number));
  }

  /** An argument as text, byte by byte; empty where there is none. */
  text(index: number): string {
    return index < this.count ? this.argument(index).toString('latin1') : '';
  }

  /** All arguments, to keep. */
  copyArguments(): Buffer[] {
    return Array.from({ length: this.count }, (_, index) => Buffer.from(this.argument(index)));
  }

  /** The window was set to another place, where a command begins. */
  restart(): void {
    this.#underWay = 'no';
  }

  /**
   * Takes the next command off the window.
   * @throws StreamError for bytes that are no command; nothing behind them can be trusted.
   */
  next(): StreamStatus {
    if (this.#underWay !== 'no') return this.#underWay === 'passing' ? this.#pass() : this.#resume();
    const window = this.#window;
    const bytes = window.bytes;
    while (window.start < window.end && bytes[window.start] === LF) window.start++;
    const begin = window.start;
    const end = window.end;
    if (begin >= end) return 'hungry';
    if (bytes[begin] !== STAR) throw this.#broken(begin);
    const at = this.#integer(bytes, begin + 1, end);
    if (at === INCOMPLETE) return 'hungry';
    return this.#arguments(this.#number, 0, at, 0);
  }

  /** Looks at a command again that was not whole: not from its beginning, since it may be very long. */
  #resume(): StreamStatus {
    this.#underWay = 'no';
    const { start } = this.#window;
    return this.#arguments(this.#announced, this.#seen, start + this.#seenBytes, start - this.#seenFrom);
  }

  /**
   * Reads the arguments from the `seen`th on, which stands at `from`.
   * @param moved how far the window's bytes have moved since the first argument was read.
   */
  #arguments(count: number, seen: number, from: number, moved: number): StreamStatus {
    const window = this.#window;
    const bytes = window.bytes;
    const end = window.end;
    let at = from;
    if (count > this.offsets.length) this.#growFor(count, seen + Math.max(0, end - at) / LEAST_ARGUMENT_BYTES + 1);
    const offsets = this.offsets;
    const lengths = this.lengths;
    for (let i = seen; i < count; i++) {
      if (at >= end) return this.#incomplete(i, count, at, moved);
      if (bytes[at] !== DOLLAR) throw this.#broken(at);
      const body = this.#integer(bytes, at + 1, end);
      if (body === INCOMPLETE) return this.#incomplete(i, count, at, moved);
      const length = this.#number;
      offsets[i] = body - moved;
      lengths[i] = length;
      at = body + length + 2;
    }
    if (at > end) return this.#incomplete(count, count, at, moved);
    if (moved !== 0) for (let i = 0; i < count; i++) offsets[i] = (offsets[i] as number) + moved;
    this.count = count;
    this.start = window.start;
    this.end = at;
    window.start = at;
    return 'command';
  }

  /** A command is not whole: wait for the rest, or begin to pass it over when it can not be held. */
  #incomplete(seen: number, count: number, needed: number, moved: number): StreamStatus {
    const window = this.#window;
    if (Math.max(needed, window.end) - window.start <= this.#limit) {
      this.#underWay = 'reading';
      this.#announced = count;
      this.#seen = seen;
      this.#seenBytes = needed - window.start;
      this.#seenFrom = window.start - moved;
      return 'hungry';
    }
    // The argument seen last may be cut; those before it are not.
    this.oversizedName = this.#firstArguments(needed > window.end ? seen - 1 : seen, moved);
    this.#underWay = 'passing';
    this.#argumentsToPass = count - seen;
    this.#bytesToPass = needed - window.start;
    return this.#pass();
  }

  #firstArguments(seen: number, moved: number): Buffer[] {
    const names: Buffer[] = [];
    for (let i = 0; i < Math.min(seen, NAMING_ARGUMENTS); i++) {
      const start = (this.offsets[i] as number) + moved;
      names.push(Buffer.from(this.#window.bytes.subarray(start, start + (this.lengths[i] as number))));
    }
    return names;
  }

  #pass(): StreamStatus {
    const window = this.#window;
    for (;;) {
      const taken = Math.min(this.#bytesToPass, window.length);
      window.start += taken;
      this.#bytesToPass -= taken;
      if (this.#bytesToPass > 0) return 'hungry';
      if (this.#argumentsToPass === 0) {
        this.#underWay = 'no';
        return 'oversized';
      }
      if (window.length === 0) return 'hungry';
      if (window.bytes[window.start] !== DOLLAR) throw this.#broken(window.start);
      const body = this.#integer(window.bytes, window.start + 1, window.end);
      if (body === INCOMPLETE) return 'hungry';
      this.#bytesToPass = body - window.start + this.#number + 2;
      this.#argumentsToPass--;
    }
  }

  /** Reads digits up to the line end into `#number`; gives the place behind it. */
  #integer(bytes: Uint8Array, from: number, end: number): number {
    let value = 0;
    let at = from;
    for (;;) {
      if (at >= end) {
        if (at - from > MOST_DIGITS) throw this.#broken(from);
        return INCOMPLETE;
      }
      const byte = bytes[at] as number;
      if (byte === CR) break;
      if (byte < ZERO || byte > ZERO + 9) throw this.#broken(at);
      value = value * 10 + (byte - ZERO);
      at++;
    }
    if (at === from || at - from > MOST_DIGITS) throw this.#broken(from);
    if (at + 1 >= end) return INCOMPLETE;
    this.#number = value;
    return at + 2;
  }

  /** Makes room for `count` arguments, or for as many as can be there. */
  #growFor(count: number, mostThere: number): void {
    const needed = Math.min(count, Math.ceil(mostThere));
    if (needed <= this.offsets.length) return;
    const size = Math.max(needed, this.offsets.length * 2);
    const { offsets, lengths } = this;
    this.offsets = new Int32Array(size);
    this.lengths = new Int32Array(size);
    this.offsets.set(offsets);
    this.lengths.set(lengths);
  }

  #broken(at: number): StreamError {
    const window = this.#window;
    const text = window.bytes.toString('latin1', at, Math.min(at + 20, window.end)).replace(/[^\x20-\x7e]/g, '?');
    return new StreamError(text, window.position + at - window.start);
  }
}
