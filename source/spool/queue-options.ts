// What an elastic queue is told when it is made: its two limits, where its files go, and whom it calls.

import type { SpoolDisk } from './spool-disk.ts';

export interface ElasticQueueOptions {
  /** Most bytes in memory, those on their way to and from disk included. */
  readonly memoryBytes: number;
  /** Most bytes of files; 0 means no disk. */
  readonly diskBytes: number;
  /** An existing directory for the files. */
  readonly directory: string;
  /** Begins the files' names. */
  readonly name: string;
  readonly chunkBytes?: number;
  /** There is something to read, after a read that gave less than it was asked for. */
  readonly onReadable: () => void;
  /** The queue was full and has room again. */
  readonly onRelief: () => void;
  /** The disk fails; told once for each outage. The queue goes on in memory, no byte is lost. */
  readonly onError: (error: Error) => void;
  /** Instead of `directory`: for tests. */
  readonly disk?: SpoolDisk;
  /** How long a disk that failed is left alone. */
  readonly retryMs?: number;
}

/** Large enough that counting by the chunk costs nothing, small enough that an idle shard holds little. */
export const CHUNK_BYTES = 256 * 1024;
/** Long enough not to burn time on a full disk, short enough to use it soon after somebody made room. */
export const RETRY_MS = 1_000;
