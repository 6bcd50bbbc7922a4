// The numbers an elastic queue lives by, derived from its two limits in one place.

export interface SpoolMarks {
  /** At this many bytes in memory the queue is full. */
  readonly full: number;
  /** Down here it is no longer full: far enough below that a socket is not stopped and started all the time. */
  readonly relief: number;
  /** Above this the tail goes to disk: below `full`, so that a disk that keeps up never stops the socket. */
  readonly spill: number;
  /** How many chunks the consumer's side holds ready while bytes stand on disk. */
  readonly headChunks: number;
  /** How many chunks one read or write of the disk carries. */
  readonly batchChunks: number;
}

/** Larger reads and writes gain nothing more. */
const MOST_BATCH_BYTES = 4 * 1024 * 1024;

export function marksFor(memoryBytes: number, chunkBytes: number): SpoolMarks {
  return {
    full: memoryBytes,
    relief: Math.floor(memoryBytes * 0.9),
    spill: Math.floor(memoryBytes * 0.75),
    headChunks: Math.max(1, Math.floor(memoryBytes / 4 / chunkBytes)),
    batchChunks: Math.max(1, Math.floor(Math.min(MOST_BATCH_BYTES, memoryBytes / 8) / chunkBytes)),
  };
}

const USUAL_SEGMENT_BYTES = 64 * 1024 * 1024;

/**
 * The size of one file. A file's space comes back only when all of it was read, so a small spool has eight of them at
 * least; and each is an open file, so a huge one has about 64 at most.
 */
export function segmentBytesFor(diskBytes: number, chunkBytes: number): number {
  const wanted = diskBytes / 8 < USUAL_SEGMENT_BYTES ? diskBytes / 8 : Math.max(USUAL_SEGMENT_BYTES, diskBytes / 64);
  return Math.max(1, Math.floor(wanted / chunkBytes)) * chunkBytes;
}
