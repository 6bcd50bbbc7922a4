// The middle part of an elastic queue: what stands on disk, in order, in files that disappear as soon as they are
// consumed. It knows whole chunks only. One write and one read may be under way at a time; the queue sees to that.

import type { Chunk } from './chunk-pool.ts';
import type { SpoolDisk, SpoolFile } from './spool-disk.ts';

interface Segment {
  readonly file: SpoolFile;
  /** Where the next write goes. */
  end: number;
  /** Bytes in it that are still wanted. */
  live: number;
}

/** A stretch of one file, all of it still to be read. */
interface Extent {
  readonly segment: Segment;
  position: number;
  bytes: number;
}

export class DiskRegion {
  readonly #disk: SpoolDisk;
  readonly #chunkBytes: number;
  readonly #limitBytes: number;
  readonly #segmentBytes: number;
  readonly #extents: Extent[] = [];
  readonly #segments = new Set<Segment>();
  /** The file that is being appended to. */
  #current: Segment | null = null;
  #writing = false;
  #bytes = 0;

  constructor(disk: SpoolDisk, chunkBytes: number, limitBytes: number, segmentBytes: number) {
    this.#disk = disk;
    this.#chunkBytes = chunkBytes;
    this.#limitBytes = limitBytes;
    this.#segmentBytes = segmentBytes;
  }

  /** Bytes that stand on disk and were not asked back yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many more chunks one write may carry; 0 when the limit is reached. */
  get room(): number {
    let used = 0;
    for (const segment of this.#segments) used += segment.end;
    const inFile = this.#segmentBytes - (this.#current?.end ?? 0);
    return Math.floor(Math.min(this.#limitBytes - used, inFile) / this.#chunkBytes);
  }

  /**
   * Writes full chunks behind what is there. `keep` is asked when they are on disk: false means nobody wants them any
   * more, and the place is used again. When it throws, nothing was added.
   */
  async write(chunks: readonly Chunk[], keep: () => boolean): Promise<void> {
    this.#writing = true;
    let segment: Segment | null = null;
    try {
      segment = this.#current ?? (await this.#begin());
      await segment.file.write(
        chunks.map((chunk) => chunk.bytes),
        segment.end,
      );
      if (keep()) this.#add(segment, chunks.length * this.#chunkBytes);
    } finally {
      this.#writing = false;
      if (segment !== null) await this.#finish(segment);
    }
  }

  /**
   * Takes the next stretch out of the region, as many as `most` chunks; gives how many chunks it is and the act that
   * fills them, which may be repeated when it fails.
   */
  take(most: number): { readonly count: number; readonly load: (chunks: readonly Chunk[]) => Promise<void> } {
    const extent = this.#extents[0];
    if (extent === undefined) return { count: 0, load: async () => {} };
    const { segment, position } = extent;
    const bytes = Math.min(most * this.#chunkBytes, extent.bytes);
    extent.position += bytes;
    extent.bytes -= bytes;
    if (extent.bytes === 0) this.#extents.shift();
    this.#bytes -= bytes;
    const load = async (chunks: readonly Chunk[]): Promise<void> => {
      await segment.file.read(
        chunks.map((chunk) => chunk.bytes),
        position,
      );
      segment.live -= bytes;
      await this.#finish(segment);
    };
    return { count: bytes / this.#chunkBytes, load };
  }

  /** Removes all files. No write or read may be under way. */
  async close(): Promise<void> {
    const segments = [...this.#segments];
    this.#segments.clear();
    this.#extents.length = 0;
    this.#current = null;
    this.#bytes = 0;
    await Promise.allSettled(segments.map((segment) => segment.file.remove()));
  }

  #add(segment: Segment, bytes: number): void {
    const last = this.#extents.at(-1);
    if (last?.segment === segment && last.position + last.bytes === segment.end) last.bytes += bytes;
    else this.#extents.push({ segment, position: segment.end, bytes });
    segment.end += bytes;
    segment.live += bytes;
    this.#bytes += bytes;
    if (segment.end >= this.#segmentBytes) this.#current = null;
  }

  async #begin(): Promise<Segment> {
    const segment = { file: await this.#disk.create(), end: 0, live: 0 };
    this.#segments.add(segment);
    this.#current = segment;
    return segment;
  }

  /** Removes a file in which nothing is wanted any more, unless it is being written to. */
  async #finish(segment: Segment): Promise<void> {
    if (segment.live > 0 || (segment === this.#current && this.#writing)) return;
    if (!this.#segments.delete(segment)) return;
    if (segment === this.#current) this.#current = null;
    // A failing removal must not stop the data; the space of an unlinked file is the system's to give back.
    await segment.file.remove().catch(() => {});
  }
}
