// The bytes of one or several files, one after the other, read ahead in large pieces and handed out synchronously: what
// a shard's pump reads from when its source is no server. It stops at the end of each file until it is told to go on, so
// that nobody takes the end of one file and the beginning of the next for one command. At least 1.5 GB/s from the page
// cache (one thread, the copy into the window included): two copies and nothing for each byte.
import type { FileFormat } from '../../config/address.ts';
import { type FerryError, toFerryError } from '../../engine/errors.ts';
import type { ByteSource } from '../byte-window.ts';
import { headProblem, readHead } from './file-head.ts';
import { beginInput, type Input, inputName, openFile, type RawBytes } from './open-input.ts';

/** Of one read; as large as the turn of a pump, and small enough for the processor's second cache. */
const PIECE_BYTES = 512 * 1024;
/** Read ahead at the most: one is being taken, one is being filled, the others wait. */
const PIECES = 4;

export interface FileFeedOptions {
  /** Read in this order; `-` is standard input. */
  readonly files: readonly string[];
  readonly format: FileFormat;
  /** Sizes of the files together, when they are known; for progress. */
  readonly totalBytes: number | null;
  /** There is more to read, or the present file is done: told when the last `read` gave less than it was asked for. */
  onReadable(): void;
  /** A file cannot be read on. Told once, when everything before was taken. */
  onError(error: FerryError): void;
}

/** A place in one of the files. */
export interface FilePlace {
  readonly file: string;
  /** Bytes from the file's beginning; of what it unpacks to when it is compressed. */
  readonly offset: number;
}

interface Piece {
  readonly bytes: Buffer;
  start: number;
  end: number;
  /** Which file it is of. */
  file: number;
  /** Bytes of all files that were read before it, and with it; as they stand on disk. */
  rawBefore: number;
  rawAfter: number;
}

export class FileFeed implements ByteSource {
  readonly #options: FileFeedOptions;
  readonly #ready: Piece[] = [];
  readonly #free: Piece[] = [];
  #pieces = 0;
  /** The file that is being handed out, and the one that is being read ahead. */
  #file = 0;
  #reading = 0;
  /** Of the files handed out so far: the position at which each begins, and the frame left out before it. */
  readonly #begins: number[] = [0];
  readonly #frameBytes: number[] = [];
  #position = 0;
  #rawTaken = 0;
  #failure: FerryError | null = null;
  #failureTold = false;
  #waiting = true;
  #closed = false;
  #raw: RawBytes | null = null;
  #run: Promise<void> | null = null;
  #roomMade: () => void = () => {};

  constructor(options: FileFeedOptions) {
    this.#options = options;
  }

  /** Begins to read. */
  start(): void {
    this.#run ??= this.#readAll();
  }

  /** Bytes of the present file that are ready to be taken. */
  get size(): number {
    let bytes = 0;
    for (const piece of this.#ready) if (piece.file === this.#file) bytes += piece.end - piece.start;
    return bytes;
  }

  /** Every byte of the present file has been taken. */
  get fileDone(): boolean {
    return this.#reading > this.#file && this.#ready[0]?.file !== this.#file;
  }

  get onLastFile(): boolean {
    return this.#file === this.#options.files.length - 1;
  }

  /** All files are read and everything is taken. */
  get ended(): boolean {
    return this.onLastFile && this.fileDone;
  }

  /** Bytes of all files as they stand on disk; null when unknown. */
  get totalBytes(): number | null {
    return this.#options.totalBytes;
  }

  /** Of them, those that were taken: compressed bytes of a compressed file. */
  get consumedBytes(): number {
    const piece = this.#ready[0];
    if (piece === undefined || piece.start === 0) return this.#rawTaken;
    return piece.rawBefore + Math.floor(((piece.rawAfter - piece.rawBefore) * piece.start) / piece.end);
  }

  /** Copies up to `length` bytes of the present file. Less than asked: onReadable tells of more, or of the file's end. */
  read(into: Uint8Array, offset: number, length: number): number {
    let copied = 0;
    while (copied < length) {
      const piece = this.#ready[0];
      if (piece === undefined || piece.file !== this.#file) break;
      const taken = piece.bytes.copy(
        into,
        offset + copied,
        piece.start,
        Math.min(piece.end, piece.start + length - copied),
      );
      piece.start += taken;
      copied += taken;
      if (piece.start === piece.end) this.#taken(piece);
    }
    this.#position += copied;
    this.#waiting = copied < length;
    if (this.#waiting && this.#failure !== null) setImmediate(() => this.#tellFailure());
    return copied;
  }

  /** Goes on with the next file once the present one is done; false when that was the last. */
  nextFile(): boolean {
    if (!this.fileDone || this.onLastFile) return false;
    this.#file++;
    this.#begins.push(this.#position);
    return true;
  }

  /** Where in which file a position of the stream is (the first byte handed out has position 0). */
  segmentAt(position: number): FilePlace {
    let file = this.#file;
    while (file > 0 && (this.#begins[file] as number) > position) file--;
    return {
      file: inputName(this.#options.files[file] as string),
      offset: position - (this.#begins[file] as number) + (this.#frameBytes[file] ?? 0),
    };
  }

  /** Stops reading. Nothing is handed out or told afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#ready.length = 0;
    this.#roomMade();
    // A read from a pipe may never end by itself.
    await this.#raw?.close();
    await this.#run;
  }

  #taken(piece: Piece): void {
    this.#rawTaken = piece.rawAfter;
    this.#ready.shift();
    this.#free.push(piece);
    this.#roomMade();
  }

  async #readAll(): Promise<void> {
    let rawBefore = 0;
    try {
      for (const path of this.#options.files) {
        const input = await this.#open(path);
        try {
          this.#beginFile(path, input);
          await this.#readFile(input, rawBefore);
        } finally {
          await input.close();
        }
        if (this.#closed) return;
        rawBefore += input.rawBytes;
        this.#reading++;
        this.#tellReadable();
      }
    } catch (error) {
      this.#failure = toFerryError(error);
      this.#tellFailure();
    }
  }

  async #open(path: string): Promise<Input> {
    const file = await openFile(path);
    this.#raw = file.raw;
    // Closed while the file was being opened, when there was nothing to close yet.
    if (this.#closed) await file.raw.close();
    return beginInput(file, path);
  }

  /** Leaves out the frame of a captured snapshot. @throws FerryError when the file is not what it should be. */
  #beginFile(path: string, input: Input): void {
    const { format } = this.#options;
    const head = readHead(input.head);
    const problem = headProblem(head, format, inputName(path));
    if (problem !== null) throw problem;
    const frameBytes = head.kind === 'rdb' && format === 'rdb' ? head.frameBytes : 0;
    input.passOver(frameBytes);
    this.#frameBytes.push(frameBytes);
  }

  async #readFile(input: Input, rawBefore: number): Promise<void> {
    let rawAt = rawBefore;
    while (!this.#closed) {
      const piece = this.#unusedPiece();
      if (piece === null) {
        this.#tellReadable();
        await new Promise<void>((resolve) => {
          this.#roomMade = resolve;
        });
        continue;
      }
      const reading = input.read(piece.bytes);
      // Told while the next read is under way, since whoever is told may be busy for long.
      this.#tellReadable();
      const count = await reading;
      if (this.#closed) return;
      if (count === 0) {
        this.#free.push(piece);
        return;
      }
      piece.file = this.#reading;
      piece.start = 0;
      piece.end = count;
      piece.rawBefore = rawAt;
      piece.rawAfter = rawBefore + input.rawBytes;
      rawAt = piece.rawAfter;
      this.#ready.push(piece);
    }
  }

  /** A piece to be filled; null when all of them wait to be taken. */
  #unusedPiece(): Piece | null {
    const piece = this.#free.pop();
    if (piece !== undefined) return piece;
    if (this.#pieces === PIECES) return null;
    this.#pieces++;
    return { bytes: Buffer.allocUnsafeSlow(PIECE_BYTES), start: 0, end: 0, file: 0, rawBefore: 0, rawAfter: 0 };
  }

  #tellReadable(): void {
    if (!this.#waiting || this.#closed) return;
    if (this.#ready[0]?.file !== this.#file && !this.fileDone) return;
    this.#waiting = false;
    this.#options.onReadable();
  }

  /** Only once everything before the failure was taken. */
  #tellFailure(): void {
    const reached = this.#file === this.#reading && this.#ready.length === 0;
    if (this.#failure === null || this.#failureTold || this.#closed || !reached) return;
    this.#failureTold = true;
    this.#options.onError(this.#failure);
  }
}
