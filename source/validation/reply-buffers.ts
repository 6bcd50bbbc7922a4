// Buffers for replies, shared by all links of a comparison and used again and again: a fresh one for each reply of half a
// megabyte means a new mapping, its page faults, and so much memory outside of V8's heap that V8 collects all the time
// (half of the comparison's processor time; bench/validate.ts).

const SMALLEST_BYTES = 64 * 1024;
/** From one size to the next: what is still growing is copied few times. */
const STEP = 4;
/** Larger ones are rare, and not kept. */
const LARGEST_KEPT_BYTES = 4 * 1024 * 1024;
const MOST_KEPT_BYTES = 48 * 1024 * 1024;

export class ReplyBuffers {
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #closed = false;

  /** One of at least so many bytes; what is in it is of no meaning. */
  take(bytes: number): Buffer {
    // The last of those that will do: its pages are the likeliest to be in the cache.
    for (let i = this.#kept.length - 1; i >= 0; i--) {
      const buffer = this.#kept[i] as Buffer;
      if (buffer.length < bytes || buffer.length > sizeFor(bytes)) continue;
      this.#kept.splice(i, 1);
      this.#keptBytes -= buffer.length;
      return buffer;
    }
    return Buffer.allocUnsafeSlow(sizeFor(bytes));
  }

  /** Takes one back that nobody looks at any more. */
  give(buffer: Buffer): void {
    if (this.#closed || buffer.length > LARGEST_KEPT_BYTES || this.#keptBytes + buffer.length > MOST_KEPT_BYTES) return;
    this.#kept.push(buffer);
    this.#keptBytes += buffer.length;
  }

  /** Who keeps the outcome of a comparison keeps its links, and need not keep megabytes with them: what is given later goes too. */
  close(): void {
    this.#closed = true;
    this.#kept.length = 0;
    this.#keptBytes = 0;
  }
}

function sizeFor(bytes: number): number {
  let size = SMALLEST_BYTES;
  while (size < bytes && size < LARGEST_KEPT_BYTES) size *= STEP;
  return Math.max(size, bytes);
}
