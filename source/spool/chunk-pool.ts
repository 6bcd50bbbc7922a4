// Fixed-size pieces of memory for the elastic queue, reused so that a gigabyte a second does not mean four thousand
// allocations a second. The pool is bounded, gives up what was idle for a while, and frees at once instead of waiting
// for the garbage collector: after a burst the process must really get smaller.

/** One piece of the queue: bytes[start, end) are queued, the consumer moves `start`, the producer `end`. */
export interface Chunk {
  readonly bytes: Buffer;
  start: number;
  end: number;
  /** false while its bytes are on their way from disk. */
  ready: boolean;
  /** true while a write to disk reads from it: it must not be reused. */
  pinned: boolean;
  /** Consumed while it was pinned; goes back to the pool when the write ends. */
  spent: boolean;
}

/** How long an unused chunk may stay in the pool. */
const IDLE_MS = 3_000;

export class ChunkPool {
  readonly #chunkBytes: number;
  readonly #mostSpare: number;
  readonly #spare: Chunk[] = [];
  /** The fewest spare chunks seen since the last sweep: that many were of no use to anybody. */
  #leastSpare = 0;
  #sweeper: NodeJS.Timeout | null = null;

  constructor(chunkBytes: number, mostSpare: number) {
    this.#chunkBytes = chunkBytes;
    this.#mostSpare = mostSpare;
  }

  /** How many chunks wait for reuse. */
  get spare(): number {
    return this.#spare.length;
  }

  /** An empty chunk, ready to be filled. */
  take(): Chunk {
    const chunk = this.#spare.pop();
    if (chunk !== undefined) {
      this.#leastSpare = Math.min(this.#leastSpare, this.#spare.length);
      return chunk;
    }
    return { bytes: allocate(this.#chunkBytes), start: 0, end: 0, ready: true, pinned: false, spent: false };
  }

  /** Gives a chunk back. Nobody may look at its bytes afterwards. */
  give(chunk: Chunk): void {
    if (this.#spare.length >= this.#mostSpare) {
      free(chunk);
      return;
    }
    chunk.start = 0;
    chunk.end = 0;
    chunk.ready = true;
    chunk.pinned = false;
    chunk.spent = false;
    this.#spare.push(chunk);
    if (this.#sweeper === null) {
      this.#leastSpare = 0;
      this.#sweeper = setInterval(() => this.#sweep(), IDLE_MS);
      this.#sweeper.unref();
    }
  }

  /** Frees everything that waits for reuse. */
  clear(): void {
    for (const chunk of this.#spare.splice(0)) free(chunk);
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    this.#sweeper = null;
  }

  #sweep(): void {
    for (const chunk of this.#spare.splice(0, this.#leastSpare)) free(chunk);
    this.#leastSpare = this.#spare.length;
    if (this.#spare.length === 0) this.clear();
  }
}

/**
 * A resizable buffer has pages of its own, which go back to the system alone. A plain one comes from malloc's heap, where
 * a single chunk in use on top keeps the whole burst below it: of 256 MiB freed but for the last chunk, 6 MiB stayed
 * resident with resizable buffers and all of it with plain ones (Node 24, glibc).
 */
function allocate(bytes: number): Buffer {
  return Buffer.from(new ArrayBuffer(bytes, { maxByteLength: bytes }), 0, bytes);
}

/** Detaching gives the memory back now; a chunk that is only dropped stays until the next full garbage collection. */
function free(chunk: Chunk): void {
  const { buffer } = chunk.bytes;
  if (buffer instanceof ArrayBuffer) buffer.transferToFixedLength(0);
}
