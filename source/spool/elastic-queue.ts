// The byte queue between a socket and a reader: memory first, then disk, then back-pressure (the caller stops its socket
// while `full`). Strictly first in, first out. Its order is always head (memory) -> disk -> write under way -> tail
// (memory). Bytes are copied once in and once out; everything else is counted by the chunk, never by the byte.

import { FerryError, messageOf } from '../engine/errors.ts';
import { type Chunk, ChunkPool } from './chunk-pool.ts';
import { DiskRegion } from './disk-region.ts';
import { marksFor, type SpoolMarks, segmentBytesFor } from './limits.ts';
import { CHUNK_BYTES, type ElasticQueueOptions, RETRY_MS } from './queue-options.ts';
import { directoryDisk } from './spool-disk.ts';

/** A write to disk. `reclaimed`: the consumer was faster, its chunks are read from memory. */
interface Batch {
  readonly chunks: readonly Chunk[];
  reclaimed: boolean;
}

/** Failures that follow each other faster than this are one outage, told once. */
const QUIET_MS = 60_000;

export class ElasticQueue {
  readonly #options: ElasticQueueOptions;
  readonly #chunkBytes: number;
  readonly #retryMs: number;
  readonly #pool: ChunkPool;
  readonly #region: DiskRegion;
  #marks: SpoolMarks;
  readonly #head: Chunk[] = [];
  readonly #tail: Chunk[] = [];
  /** The chunk that is being filled: the last of all, in the tail or, when the tail is empty, at the end of the head. */
  #filling: Chunk | null = null;
  #batch: Batch | null = null;
  #writing: Promise<void> = Promise.resolve();
  #loading: Promise<void> | null = null;
  #memory = 0;
  #full = false;
  /** The consumer found nothing (more) to read and waits for onReadable. */
  #waiting = true;
  #closed = false;
  /** The disk has failed: nothing is written before this is over. */
  #writeRetry: NodeJS.Timeout | null = null;
  /** When reading and writing last failed. */
  readonly #failedAt = { read: Number.NEGATIVE_INFINITY, write: Number.NEGATIVE_INFINITY };
  #readRetry: NodeJS.Timeout | null = null;

  constructor(options: ElasticQueueOptions) {
    this.#options = options;
    this.#chunkBytes = options.chunkBytes ?? CHUNK_BYTES;
    this.#retryMs = options.retryMs ?? RETRY_MS;
    this.#marks = marksFor(options.memoryBytes, this.#chunkBytes);
    this.#pool = new ChunkPool(this.#chunkBytes, Math.max(2, this.#marks.headChunks));
    const disk = options.disk ?? directoryDisk(options.directory, options.name);
    const segmentBytes = segmentBytesFor(options.diskBytes, this.#chunkBytes);
    this.#region = new DiskRegion(disk, this.#chunkBytes, options.diskBytes, segmentBytes);
  }

  /** All bytes that were pushed and not yet read. */
  get size(): number {
    return this.#memory + this.diskBytes;
  }

  /** Those of them in memory, the ones on their way to or from disk included. */
  get memoryBytes(): number {
    return this.#memory;
  }

  /** Those of them on disk. */
  get diskBytes(): number {
    return this.#closed ? 0 : this.#region.bytes;
  }

  /**
   * Memory is used up, because the disk is full, slower than the socket, failing or not wanted. True until a tenth of
   * the memory is free again.
   */
  get full(): boolean {
    return this.#full;
  }

  /** Takes a copy of the bytes, always: whoever pushes stops at `full`. */
  push(bytes: Buffer): void {
    if (this.#closed) return;
    const chunkBytes = this.#chunkBytes;
    let from = 0;
    while (from < bytes.length) {
      let chunk = this.#filling;
      if (chunk === null || chunk.end === chunkBytes) {
        chunk = this.#pool.take();
        this.#tail.push(chunk);
        this.#filling = chunk;
      }
      const taken = bytes.copy(chunk.bytes, chunk.end, from);
      chunk.end += taken;
      from += taken;
    }
    this.#memory += from;
    if (this.#pressure > this.#marks.spill) this.#balance();
    if (this.#waiting) this.#tellReadable();
  }

  /** Copies up to `length` bytes to `into` at `offset`; gives how many. Less than asked: onReadable tells of more. */
  read(into: Uint8Array, offset: number, length: number): number {
    if (this.#closed) return 0;
    let copied = 0;
    while (copied < length) {
      const chunk = this.#head[0];
      if (chunk === undefined) {
        if (this.#advance()) continue;
        break;
      }
      if (!chunk.ready || chunk.start === chunk.end) break;
      const taken = chunk.bytes.copy(
        into,
        offset + copied,
        chunk.start,
        Math.min(chunk.end, chunk.start + length - copied),
      );
      chunk.start += taken;
      copied += taken;
      if (chunk.start === chunk.end) this.#consumed(chunk);
    }
    this.#waiting = copied < length;
    this.#memory -= copied;
    if (this.#full || this.#region.bytes > 0) this.#balance();
    return copied;
  }

  /** Changes the limit of memory; what is above it goes to disk. */
  setMemoryLimit(bytes: number): void {
    this.#marks = marksFor(bytes, this.#chunkBytes);
    // With nothing on disk or on its way there, the border between head and tail may be drawn anew.
    const movable = this.diskBytes === 0 && this.#batch === null && this.#loading === null;
    if (movable) this.#tail.unshift(...this.#head.splice(this.#marks.headChunks));
    this.#balance();
  }

  /** Forgets everything and removes the files. Afterwards nothing is taken, given or told. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#memory = 0;
    this.#full = false;
    if (this.#readRetry !== null) clearTimeout(this.#readRetry);
    if (this.#writeRetry !== null) clearTimeout(this.#writeRetry);
    await Promise.all([this.#writing, this.#loading]);
    this.#filling = null;
    for (const chunk of [...this.#head.splice(0), ...this.#tail.splice(0)]) this.#pool.give(chunk);
    this.#pool.clear();
    await this.#region.close();
  }

  /** Bytes in memory, with the room the consumer's side is still going to need for what comes back from disk. */
  get #pressure(): number {
    if (this.#region.bytes === 0) return this.#memory;
    return this.#memory + Math.max(0, this.#marks.headChunks - this.#head.length) * this.#chunkBytes;
  }

  /** Brings what comes next to the empty head, as far as it is in memory; false when there is nothing. */
  #advance(): boolean {
    if (this.#region.bytes > 0) return false;
    if (this.#batch !== null && !this.#batch.reclaimed) {
      // Faster than the disk: what is being written is read from memory, and the write was for nothing.
      this.#batch.reclaimed = true;
      this.#head.push(...this.#batch.chunks);
      return true;
    }
    const next = this.#tail.shift();
    if (next === undefined) return false;
    this.#head.push(next);
    return true;
  }

  #consumed(chunk: Chunk): void {
    if (chunk === this.#filling) {
      // The last chunk of all: it stays where it is and is filled again from its beginning.
      chunk.start = 0;
      chunk.end = 0;
      return;
    }
    this.#head.shift();
    if (chunk.pinned) chunk.spent = true;
    else this.#pool.give(chunk);
  }

  /** Starts what the disk has to do now, and notices when the queue gets full or is so no longer. */
  #balance(): void {
    if (this.#closed) return;
    if (this.#region.bytes > 0 && this.#loading === null) this.#load();
    if (this.#batch === null && this.#pressure > this.#marks.spill) this.#spill();
    const pressure = this.#pressure;
    if (!this.#full) {
      this.#full = pressure >= this.#marks.full;
    } else if (pressure <= this.#marks.relief) {
      this.#full = false;
      this.#options.onRelief();
    }
  }

  /** Reads ahead, in large pieces, before the head runs dry. */
  #load(): void {
    const { headChunks, batchChunks } = this.#marks;
    const missing = headChunks - this.#head.length;
    if (missing < batchChunks && this.#head.length > 0) return;
    const { count, load } = this.#region.take(Math.max(1, Math.min(missing, batchChunks)));
    const chunks: Chunk[] = [];
    for (let i = 0; i < count; i++) {
      const chunk = this.#pool.take();
      chunk.ready = false;
      chunks.push(chunk);
    }
    this.#head.push(...chunks);
    this.#memory += count * this.#chunkBytes;
    this.#loading = this.#fill(chunks, load);
  }

  async #fill(chunks: readonly Chunk[], load: (chunks: readonly Chunk[]) => Promise<void>): Promise<void> {
    try {
      await load(chunks);
    } catch (error) {
      if (this.#closed) return;
      this.#tellFailure(
        'read',
        `cannot read back what it put aside (${messageOf(error)}): the shard waits for it`,
        error,
      );
      this.#readRetry = setTimeout(() => {
        this.#loading = this.#fill(chunks, load);
      }, this.#retryMs);
      return;
    }
    this.#loading = null;
    for (const chunk of chunks) {
      chunk.end = this.#chunkBytes;
      chunk.ready = true;
    }
    if (this.#closed) return;
    this.#balance();
    if (this.#waiting) this.#tellReadable();
  }

  /** Sends the oldest chunks of the tail to disk. */
  #spill(): void {
    if (this.#writeRetry !== null) return;
    if (this.#region.bytes === 0) {
      // Nothing on disk yet: what the consumer needs next stays here.
      const wanted = this.#marks.headChunks - this.#head.length;
      if (wanted > 0 && this.#tail.length > 1)
        this.#head.push(...this.#tail.splice(0, Math.min(wanted, this.#tail.length - 1)));
    }
    const count = Math.min(this.#marks.batchChunks, this.#tail.length - 1, this.#region.room);
    if (count <= 0) return;
    const batch = { chunks: this.#tail.splice(0, count), reclaimed: false };
    for (const chunk of batch.chunks) chunk.pinned = true;
    this.#batch = batch;
    this.#writing = this.#write(batch);
  }

  async #write(batch: Batch): Promise<void> {
    try {
      await this.#region.write(batch.chunks, () => {
        if (batch.reclaimed || this.#closed) return false;
        // From here on the bytes are the disk's.
        batch.reclaimed = true;
        this.#memory -= batch.chunks.length * this.#chunkBytes;
        for (const chunk of batch.chunks) chunk.spent = true;
        return true;
      });
    } catch (error) {
      if (!batch.reclaimed) this.#tail.unshift(...batch.chunks);
      this.#retryWriting();
      const what = `cannot write (${messageOf(error)}): it goes on in memory and slows the source down when that is full`;
      this.#tellFailure('write', what, error);
    }
    this.#batch = null;
    for (const chunk of batch.chunks) {
      chunk.pinned = false;
      if (chunk.spent) this.#pool.give(chunk);
    }
    this.#balance();
    if (this.#waiting) this.#tellReadable();
  }

  /** By itself: a queue that is full is not pushed to, and one whose shard is paused not read from. */
  #retryWriting(): void {
    if (this.#closed) return;
    this.#writeRetry = setTimeout(() => {
      this.#writeRetry = null;
      this.#balance();
    }, this.#retryMs).unref();
  }

  #tellReadable(): void {
    if (this.#closed) return;
    const first = this.#head[0];
    const readable = first === undefined ? this.#advance() : first.ready && first.start < first.end;
    if (!readable) return;
    this.#waiting = false;
    this.#options.onReadable();
  }

  #tellFailure(kind: 'read' | 'write', what: string, cause: unknown): void {
    const now = performance.now();
    const known = now - this.#failedAt[kind] < QUIET_MS;
    this.#failedAt[kind] = now;
    if (known || this.#closed) return;
    const message = `The spool in ${this.#options.directory} ${what}. Make room there or name another directory.`;
    this.#options.onError(new FerryError(message, { code: 'spool', retriable: true, cause }));
  }
}
