// The stream's last bytes, kept so that it can be played again from a place that was passed: what the target has not
// answered for, and behind that as much as the limit allows, for a node that comes back with older data.
import type { ByteSource } from './byte-window.ts';

const CHUNK_BYTES = 256 * 1024;

export interface HistoryOptions {
  /** Bytes kept behind what is needed; what is needed is kept whatever it is. */
  readonly bytes: number;
  /** Nothing before this position is needed any more. */
  readonly needed: () => number;
}

export class StreamHistory implements ByteSource {
  readonly #source: ByteSource & { readonly size: number };
  readonly #options: HistoryOptions;
  /** Full but for the last; together they hold the bytes from #start to #end. */
  readonly #chunks: Buffer[] = [];
  /** One that is free to be used again. */
  #spare: Buffer | null = null;
  #start = 0;
  #end = 0;
  /** What is given next: below #end while it is played again. */
  #next = 0;
  #recording = false;

  constructor(source: ByteSource & { readonly size: number }, options: HistoryOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** Bytes that can be read. */
  get size(): number {
    return this.#source.size + this.#end - this.#next;
  }

  /** The earliest position that can be gone back to. */
  get start(): number {
    return this.#start;
  }

  /** Bytes are being played again. */
  get replaying(): boolean {
    return this.#next < this.#end;
  }

  /** Keeps what is read from here on. @param ahead bytes that were read already and lie behind `position`. */
  begin(position: number, ahead: Buffer): void {
    this.#chunks.length = 0;
    this.#start = position;
    this.#end = position;
    this.#recording = true;
    this.#record(ahead, 0, ahead.length);
    this.#next = this.#end;
  }

  read(into: Uint8Array, offset: number, length: number): number {
    if (this.#next < this.#end) return this.#again(into, offset, length);
    const count = this.#source.read(into, offset, length);
    if (this.#recording && count > 0) {
      this.#record(into, offset, count);
      this.#next = this.#end;
    }
    return count;
  }

  /** The next byte read is the one at this position. @throws RangeError for one that is not kept. */
  rewind(position: number): void {
    if (position < this.#start || position > this.#end) {
      throw new RangeError(`The history goes from ${this.#start} to ${this.#end}, ${position} is not in it`);
    }
    this.#next = position;
  }

  #again(into: Uint8Array, offset: number, length: number): number {
    let copied = 0;
    while (copied < length && this.#next < this.#end) {
      const from = this.#next - this.#start;
      const chunk = this.#chunks[Math.floor(from / CHUNK_BYTES)] as Buffer;
      const at = from % CHUNK_BYTES;
      const count = Math.min(CHUNK_BYTES - at, this.#end - this.#next, length - copied);
      into.set(chunk.subarray(at, at + count), offset + copied);
      this.#next += count;
      copied += count;
    }
    return copied;
  }

  #record(bytes: Uint8Array, from: number, count: number): void {
    let taken = 0;
    while (taken < count) {
      const at = (this.#end - this.#start) % CHUNK_BYTES;
      if (at === 0) {
        this.#forget();
        this.#chunks.push(this.#spare ?? Buffer.allocUnsafeSlow(CHUNK_BYTES));
        this.#spare = null;
      }
      const chunk = this.#chunks[this.#chunks.length - 1] as Buffer;
      const part = Math.min(CHUNK_BYTES - at, count - taken);
      chunk.set(bytes.subarray(from + taken, from + taken + part), at);
      this.#end += part;
      taken += part;
    }
  }

  /** Lets go of the oldest chunks that nobody needs and that the limit does not allow. */
  #forget(): void {
    const needed = Math.min(this.#options.needed(), this.#next);
    while (this.#end - this.#start - CHUNK_BYTES >= this.#options.bytes && this.#start + CHUNK_BYTES <= needed) {
      this.#spare = this.#chunks.shift() ?? null;
      this.#start += CHUNK_BYTES;
    }
  }
}
