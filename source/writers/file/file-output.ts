// An append-only file: filled in memory, written in large pieces while the next one is being filled. It is `<file>.part`
// until `finish` has put it on disk and given it its name, so that nobody takes a half-written file for a whole one.
import { type FileHandle, lstat, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FerryError } from '../../engine/errors.ts';
import { putBytes } from '../../protocol/resp-encode.ts';
import { blocked, unwritable } from './file-errors.ts';

/** One write. Larger ones were no faster on the page cache, and each is memory that waits. */
const BUFFER_BYTES = 1024 * 1024;
const DEFAULT_UNWRITTEN_BYTES = 8 * 1024 * 1024;
/** Buffers kept for the next bytes; a big value in one piece may need more for a moment. */
const MOST_FREE_BUFFERS = 8;
/** The source's data is nobody else's to read. */
const FILE_MODE = 0o600;

export interface FileOutputOptions {
  /** Replaces a file of that name, and a `.part` that an earlier run has left. */
  readonly overwrite?: boolean;
  /** From this many unwritten bytes on the output is saturated. */
  readonly unwrittenBytes?: number;
  /** It was saturated, or not idle, and is no longer. */
  readonly onRelief?: () => void;
  /** Said once: nothing more reaches the file. */
  readonly onError?: (error: FerryError) => void;
}

/** Sees every byte in order, in large ranges, before it is written: for a checksum. */
export type FileObserver = (bytes: Buffer, start: number, end: number) => void;

/** A buffer on its way to the file. */
interface Piece {
  readonly buffer: Buffer;
  readonly length: number;
  /** What `note` said last before it was sealed. */
  readonly noted: number;
}

/** Bytes to be put over zeros that were appended before. */
interface Patch {
  readonly position: number;
  readonly bytes: Buffer;
}

export class FileOutput {
  readonly path: string;
  readonly partPath: string;
  /** The buffer being filled: write at what `reserve` gave, then `commit`. Another one after each `reserve`. */
  out: Buffer;
  readonly #handle: FileHandle;
  readonly #overwrite: boolean;
  readonly #limit: number;
  readonly #onRelief: () => void;
  readonly #onError: (error: FerryError) => void;
  readonly #free: Buffer[] = [];
  #observer: FileObserver | null = null;
  /** Bytes used of `out`, and how many of them the observer has seen. */
  #length = 0;
  #observed = 0;
  /** File position of out[0]. */
  #sealed = 0;
  #written = 0;
  #noted = 0;
  #settled = 0;
  readonly #pieces: Piece[] = [];
  readonly #patches: Patch[] = [];
  #writing: Promise<void> | null = null;
  /** What `out` holds is to be written when the writing comes to it. */
  #flushWanted = false;
  #failure: FerryError | null = null;
  #closed = false;

  /**
   * Begins `path` as `<path>.part`.
   * @throws FerryError `file` when there is such a file already, or when none can be written there.
   */
  static async open(path: string, options: FileOutputOptions = {}): Promise<FileOutput> {
    const overwrite = options.overwrite ?? false;
    await refuseTaken(path, overwrite);
    const part = `${path}.part`;
    try {
      if (overwrite) await unlink(part).catch(() => {});
      // wx: fails when the name exists, also as a symbolic link that somebody else put there.
      return new FileOutput(path, await open(part, 'wx', FILE_MODE), options);
    } catch (error) {
      throw blocked(part, error);
    }
  }

  private constructor(path: string, handle: FileHandle, options: FileOutputOptions) {
    this.path = path;
    this.partPath = `${path}.part`;
    this.out = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.#handle = handle;
    this.#overwrite = options.overwrite ?? false;
    this.#limit = options.unwrittenBytes ?? DEFAULT_UNWRITTEN_BYTES;
    this.#onRelief = options.onRelief ?? (() => {});
    this.#onError = options.onError ?? (() => {});
  }

  /** File position of the next byte. */
  get position(): number {
    return this.#sealed + this.#length;
  }

  /** Everything before this file position was written. On disk it is after `finish` only. */
  get writtenPosition(): number {
    return this.#written;
  }

  /** What `note` was told of the bytes that are written: everything the source gave before that position is in the file. */
  get settledPosition(): number {
    return this.idle ? this.#noted : this.#settled;
  }

  /** No more for now; for good after an error. */
  get saturated(): boolean {
    return this.#sealed - this.#written > this.#limit || this.#failure !== null;
  }

  /** Everything appended was written. */
  get idle(): boolean {
    return this.#written === this.position && this.#patches.length === 0 && this.#failure === null;
  }

  /** All that was appended so far came from before this position of the source. */
  note(sourcePosition: number): void {
    this.#noted = sourcePosition;
  }

  /** Makes room for `bytes` (at most 512 KB) in a row; gives the place in `out`. */
  reserve(bytes: number): number {
    if (this.#length + bytes > BUFFER_BYTES) this.#seal();
    return this.#length;
  }

  /** `out` is filled up to `end`. */
  commit(end: number): void {
    this.#length = end;
  }

  /** Copies a range of any size. */
  append(bytes: Buffer, start: number, end: number): void {
    let from = start;
    while (end - from > BUFFER_BYTES - this.#length) {
      const count = BUFFER_BYTES - this.#length;
      this.#length = putBytes(this.out, this.#length, bytes, from, count);
      from += count;
      this.#seal();
    }
    this.#length = putBytes(this.out, this.#length, bytes, from, end - from);
  }

  /** Shows all bytes from here on to `observer`; null ends that. */
  observe(observer: FileObserver | null): void {
    this.showObserver();
    this.#observed = this.#length;
    this.#observer = observer;
  }

  /** The observer has seen everything appended when this returns. */
  showObserver(): void {
    if (this.#observer !== null && this.#observed < this.#length) {
      this.#observer(this.out, this.#observed, this.#length);
    }
    this.#observed = this.#length;
  }

  /** Puts `bytes` over what was appended at that file position; an observer has seen or will see the former bytes. */
  patch(position: number, bytes: Buffer): void {
    this.showObserver();
    const inBuffer = Math.max(0, this.#sealed - position);
    if (inBuffer < bytes.length) bytes.copy(this.out, position + inBuffer - this.#sealed, inBuffer);
    if (inBuffer === 0) return;
    this.#patches.push({ position, bytes: Buffer.from(bytes.subarray(0, inBuffer)) });
    this.#startWriting();
  }

  /** What was appended is written as soon as that is possible, also when it is little. */
  flush(): void {
    if (this.#length === 0) return;
    // Behind a write that is under way more may gather: else a slow disk would be given a buffer for every few bytes.
    if (this.#writing === null) this.#seal();
    else this.#flushWanted = true;
  }

  /**
   * Writes what is left, puts it on disk and gives the file its name.
   * @param length cuts the file there first.
   * @throws FerryError `file`. The `.part` is still there then; it is whole when only its name was taken meanwhile.
   */
  async finish(length = this.position): Promise<void> {
    this.flush();
    while (this.#writing !== null) await this.#writing;
    if (this.#failure !== null) throw this.#failure;
    try {
      if (length < this.#written) await this.#handle.truncate(length);
      await this.#handle.sync();
      await this.#close();
      await refuseTaken(this.path, this.#overwrite, ` The new one is whole and stands in ${this.partPath}.`);
      await rename(this.partPath, this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw error instanceof FerryError ? error : unwritable(this.partPath, this.#written, error);
    }
  }

  /** Removes what was written. Harmless after `finish` and when repeated. */
  async abandon(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#drop();
    while (this.#writing !== null) await this.#writing;
    await this.#handle.close().catch(() => {});
    await unlink(this.partPath).catch(() => {});
  }

  async #close(): Promise<void> {
    this.#closed = true;
    await this.#handle.close();
  }

  #seal(): void {
    this.showObserver();
    const length = this.#length;
    this.#length = 0;
    this.#flushWanted = false;
    this.#observed = 0;
    this.#sealed += length;
    // After an error the bytes go nowhere, and the same buffer serves for the next.
    if (this.#failure !== null || this.#closed) return;
    this.#pieces.push({ buffer: this.out, length, noted: this.#noted });
    this.out = this.#free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.#startWriting();
  }

  #startWriting(): void {
    if (this.#failure !== null || this.#closed) return;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null;
      // What came between the last look and now.
      if (this.#flushWanted) this.flush();
      if (this.#pieces.length > 0 || this.#patches.length > 0) this.#startWriting();
    });
  }

  async #writeAll(): Promise<void> {
    try {
      await this.#writePatches();
      for (let piece = this.#nextPiece(); piece !== undefined; piece = this.#nextPiece()) {
        await this.#writeAt(piece.buffer, piece.length, this.#written);
        const saturated = this.saturated;
        this.#written += piece.length;
        this.#settled = piece.noted;
        if (this.#free.length < MOST_FREE_BUFFERS) this.#free.push(piece.buffer);
        await this.#writePatches();
        if (saturated && !this.saturated) this.#onRelief();
      }
      if (this.idle) this.#onRelief();
    } catch (error) {
      this.#fail(error);
    }
  }

  #nextPiece(): Piece | undefined {
    if (this.#pieces.length === 0 && this.#flushWanted && this.#length > 0) this.#seal();
    return this.#pieces.shift();
  }

  /** Those that lie in what is written; the others wait for it. */
  async #writePatches(): Promise<void> {
    for (;;) {
      const index = this.#patches.findIndex(({ position, bytes }) => position + bytes.length <= this.#written);
      const [patch] = index < 0 ? [] : this.#patches.splice(index, 1);
      if (patch === undefined) return;
      await this.#writeAt(patch.bytes, patch.bytes.length, patch.position);
    }
  }

  async #writeAt(buffer: Buffer, length: number, position: number): Promise<void> {
    for (let done = 0; done < length; ) {
      const { bytesWritten } = await this.#handle.write(buffer, done, length - done, position + done);
      if (bytesWritten === 0) throw new Error('the disk took no bytes');
      done += bytesWritten;
    }
  }

  #fail(error: unknown): void {
    this.#drop();
    if (this.#closed) return;
    this.#failure = unwritable(this.partPath, this.#written, error);
    this.#onError(this.#failure);
  }

  #drop(): void {
    this.#pieces.length = 0;
    this.#patches.length = 0;
  }
}

/** @throws FerryError `file` when something of that name is there that must not be replaced. */
async function refuseTaken(path: string, overwrite: boolean, more = ''): Promise<void> {
  const there = await lstat(path).catch(() => null);
  if (there === null || (overwrite && !there.isDirectory())) return;
  const message = there.isDirectory()
    ? `${path} is a directory: name a file in it.`
    : `${path} exists already: remove it, name another file, or set target.overwrite.`;
  throw new FerryError(message + more, { code: 'file' });
}

/** A name is on disk when its folder is. Some systems can not do that with a folder, and need not. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => null);
  await folder?.sync().catch(() => {});
  await folder?.close();
}
