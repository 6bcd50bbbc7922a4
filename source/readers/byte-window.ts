// The stretch of a byte stream that a parser looks at: contiguous, filled from the queue, moved and grown as needed.
// A parser works on [start, end) and moves `start` over what it has taken.

/** Where the window gets its bytes. */
export interface ByteSource {
  /** Copies up to `length` bytes to `into` at `offset`; gives how many. */
  read(into: Uint8Array, offset: number, length: number): number;
}

const INITIAL_BYTES = 512 * 1024;
/** Below this much room at its end the window moves its rest to the front before it is filled. */
const LEAST_ROOM_BYTES = 128 * 1024;

export class ByteWindow {
  bytes: Buffer;
  start = 0;
  end = 0;
  /** Most bytes that one filling takes in: little while the shard is held to a rate. */
  mostPerFill = Number.POSITIVE_INFINITY;
  /** Position in the whole stream of bytes[0]. */
  #origin = 0;

  /** @param bytes what to look at first; by default an empty buffer to be filled. */
  constructor(bytes?: Buffer) {
    this.bytes = bytes ?? Buffer.allocUnsafeSlow(INITIAL_BYTES);
    this.end = bytes?.length ?? 0;
  }

  /** Position in the whole stream of the byte at `start`: how many bytes were taken. */
  get position(): number {
    return this.#origin + this.start;
  }

  get length(): number {
    return this.end - this.start;
  }

  /** Takes in what the source has, as far as there is room; gives how many bytes came. */
  fill(source: ByteSource): number {
    if (this.bytes.length - this.end < LEAST_ROOM_BYTES) this.#makeRoom();
    const count = source.read(this.bytes, this.end, Math.min(this.mostPerFill, this.bytes.length - this.end));
    this.end += count;
    return count;
  }

  /**
   * Gives the bytes up to `to` away for good, with the buffer they stand in, and goes on in a new one: how a big value
   * is kept and sent without being copied. What stands behind `to` is copied over.
   */
  detach(to: number): void {
    const rest = this.bytes.subarray(to, this.end);
    const next = Buffer.allocUnsafeSlow(Math.max(INITIAL_BYTES, rest.length + LEAST_ROOM_BYTES));
    next.set(rest);
    this.#origin += to;
    this.bytes = next;
    this.start = 0;
    this.end = rest.length;
  }

  /** Puts bytes back in front: they come next. */
  unread(bytes: Uint8Array): void {
    const count = bytes.length;
    if (count > this.start) {
      const rest = this.bytes.subarray(this.start, this.end);
      const next = Buffer.allocUnsafeSlow(Math.max(INITIAL_BYTES, count + rest.length + LEAST_ROOM_BYTES));
      next.set(rest, count);
      this.#origin += this.start - count;
      this.bytes = next;
      this.start = count;
      this.end = count + rest.length;
    }
    this.start -= count;
    this.bytes.set(bytes, this.start);
  }

  /** Forgets what it holds; the byte that comes next is the one at this position. */
  reset(position: number): void {
    this.start = 0;
    this.end = 0;
    this.#origin = position;
  }

  #makeRoom(): void {
    const length = this.end - this.start;
    // Growing by doubling keeps the copies of a value that arrives in pieces below twice its size.
    const roomNeeded = length + LEAST_ROOM_BYTES;
    const shrink = this.bytes.length > INITIAL_BYTES && roomNeeded < INITIAL_BYTES;
    const target =
      roomNeeded > this.bytes.length
        ? Buffer.allocUnsafeSlow(this.bytes.length * 2)
        : shrink
          ? Buffer.allocUnsafeSlow(INITIAL_BYTES)
          : this.bytes;
    this.bytes.copy(target, 0, this.start, this.end);
    this.#origin += this.start;
    this.bytes = target;
    this.start = 0;
    this.end = length;
  }
}
