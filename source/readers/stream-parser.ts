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

/** command: one was read; hungry: needs more bytes; oversized: one above the limit was passed over. */
export type StreamStatus = 'command' | 'hungry' | 'oversized';

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

  /**
   * Takes the next command off the window.
   * @throws FerryError `stream` for bytes that are no command; nothing behind them can be trusted.
   */
  next(): StreamStatus {
    if (this.#argumentsToPass > 0 || this.#bytesToPass > 0) return this.#pass();
    const window = this.#window;
    const bytes = window.bytes;
    while (window.start < window.end && bytes[window.start] === LF) window.start++;
    const begin = window.start;
    const end = window.end;
    if (begin >= end) return 'hungry';
    if (bytes[begin] !== STAR) throw this.#broken(begin);
    let at = this.#integer(bytes, begin + 1, end);
    if (at === INCOMPLETE) return 'hungry';
    const count = this.#number;
    if (count > this.offsets.length) this.#growTo(count);
    const offsets = this.offsets;
    const lengths = this.lengths;
    for (let i = 0; i < count; i++) {
      if (at >= end) return this.#incomplete(i, count, at);
      if (bytes[at] !== DOLLAR) throw this.#broken(at);
      const body = this.#integer(bytes, at + 1, end);
      if (body === INCOMPLETE) return this.#incomplete(i, count, at);
      const length = this.#number;
      offsets[i] = body;
      lengths[i] = length;
      at = body + length + 2;
      if (at > end) return this.#incomplete(i + 1, count, at);
    }
    this.count = count;
    this.start = begin;
    this.end = at;
    window.start = at;
    return 'command';
  }

  /** A command is not whole: wait for the rest, or begin to pass it over when it can not be held. */
  #incomplete(argumentsSeen: number, count: number, needed: number): StreamStatus {
    const window = this.#window;
    if (Math.max(needed, window.end) - window.start <= this.#limit) return 'hungry';
    this.oversizedName = this.#firstArguments(argumentsSeen, needed);
    this.#argumentsToPass = count - argumentsSeen;
    this.#bytesToPass = needed - window.start;
    return this.#pass();
  }

  #firstArguments(seen: number, needed: number): Buffer[] {
    const names: Buffer[] = [];
    for (let i = 0; i < Math.min(seen, NAMING_ARGUMENTS); i++) {
      const start = this.offsets[i] as number;
      const end = start + (this.lengths[i] as number);
      if (end > this.#window.end || end > needed) break;
      names.push(Buffer.from(this.#window.bytes.subarray(start, end)));
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
      if (this.#argumentsToPass === 0) return 'oversized';
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
      if (at >= end) return INCOMPLETE;
      const byte = bytes[at] as number;
      if (byte === CR) break;
      if (byte < ZERO || byte > ZERO + 9) throw this.#broken(at);
      value = value * 10 + (byte - ZERO);
      at++;
    }
    if (at + 1 >= end) return INCOMPLETE;
    this.#number = value;
    return at + 2;
  }

  #growTo(count: number): void {
    const size = Math.max(count, this.offsets.length * 2);
    this.offsets = new Int32Array(size);
    this.lengths = new Int32Array(size);
  }

  #broken(at: number): FerryError {
    const window = this.#window;
    const text = window.bytes.toString('latin1', at, Math.min(at + 20, window.end)).replace(/[^\x20-\x7e]/g, '?');
    return new FerryError(
      `The replication stream holds "${text}" where a command should begin, ${window.position} bytes into it: what follows can not be trusted.`,
      { code: 'stream' },
    );
  }
}

/** Name, subcommand or key, and key: enough to say which command was passed over. */
const NAMING_ARGUMENTS = 3;
