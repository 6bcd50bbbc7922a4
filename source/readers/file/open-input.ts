// Opens one file, or standard input, for reading from front to end, unpacked when it is gzip (its first bytes decide).
import { createReadStream, fstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';
import { STANDARD_STREAM } from '../../config/address.ts';
import { configError } from '../../config/config-error.ts';
import { FerryError, messageOf } from '../../engine/errors.ts';
import { HEAD_BYTES } from './file-head.ts';
import { GunzipBytes, isGzip } from './gunzip.ts';

/** Bytes in order, pulled. One call at a time. */
export interface RawBytes {
  /** Bytes of the file itself that were read so far: compressed ones of a compressed file. */
  readonly rawBytes: number;
  /** Gives how many bytes came, 0 at the end. @throws FerryError `file`. */
  read(into: Buffer): Promise<number>;
  close(): Promise<void>;
}

const STDIN = 0;
const STDIN_NAME = 'standard input';

/** An open file. */
export class Input implements RawBytes {
  /** The first HEAD_BYTES, or all there are; `read` gives them too. */
  readonly head: Buffer;
  readonly compressed: boolean;
  /** Of the file itself; null when that cannot be known (a pipe). */
  readonly fileBytes: number | null;
  readonly #bytes: RawBytes;
  #headLeft: Buffer;

  constructor(bytes: RawBytes, head: Buffer, compressed: boolean, fileBytes: number | null) {
    this.head = head;
    this.compressed = compressed;
    this.fileBytes = fileBytes;
    this.#bytes = bytes;
    this.#headLeft = head;
  }

  get rawBytes(): number {
    return this.#bytes.rawBytes;
  }

  /** Leaves out the next `count` bytes, which must be within the head. */
  passOver(count: number): void {
    this.#headLeft = this.#headLeft.subarray(count);
  }

  async read(into: Buffer): Promise<number> {
    if (this.#headLeft.length === 0) return this.#bytes.read(into);
    const count = this.#headLeft.copy(into);
    this.#headLeft = this.#headLeft.subarray(count);
    return count;
  }

  close(): Promise<void> {
    return this.#bytes.close();
  }
}

/** A file that is open and not looked at yet. Closing it ends a read that is under way. */
export interface OpenFile {
  readonly raw: RawBytes;
  /** Null when it cannot be known (a pipe). */
  readonly fileBytes: number | null;
}

/**
 * @param path `-` for standard input, which is closed with it.
 * @throws FerryError `config` when there is no such file or it must not be read.
 */
export async function openFile(path: string): Promise<OpenFile> {
  return path === STANDARD_STREAM ? openStandardInput() : openPath(path);
}

/**
 * Reads the head of an open file, and closes it when that fails.
 * @throws FerryError `file`
 */
export async function beginInput({ raw, fileBytes }: OpenFile, path: string): Promise<Input> {
  try {
    const first = await readHeadOf(raw);
    if (!isGzip(first)) return new Input(raw, first, false, fileBytes);
    const unpacked = new GunzipBytes(raw, first, inputName(path));
    return new Input(unpacked, await readHeadOf(unpacked), true, fileBytes);
  } catch (error) {
    await raw.close();
    throw error;
  }
}

async function openPath(path: string): Promise<OpenFile> {
  let handle: FileHandle;
  try {
    handle = await open(path);
  } catch (error) {
    throw openError(path, error);
  }
  const stat = await handle.stat();
  if (stat.isDirectory()) {
    await handle.close();
    throw configError(`${path} is a folder, where a file is needed.`);
  }
  return { raw: new HandleBytes(handle, path), fileBytes: stat.isFile() ? stat.size : null };
}

/** What a path is called in messages. */
export function inputName(path: string): string {
  return path === STANDARD_STREAM ? STDIN_NAME : path;
}

/** Why a path cannot be opened, in one sentence. */
export function openError(path: string, thrown: unknown): FerryError {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : null;
  if (code === 'ENOENT' || code === 'ENOTDIR') return configError(`There is no file ${path}.`);
  if (code === 'EACCES' || code === 'EPERM') return configError(`${path} must not be read by this user.`);
  return configError(`${path} cannot be opened: ${messageOf(thrown)}.`);
}

/** Standard input without process.stdin, which worker threads have not and which the screen may be using. */
function openStandardInput(): OpenFile {
  if (isatty(STDIN)) {
    throw configError('Standard input is a terminal: pipe or redirect a file into redferry, or name the file.');
  }
  const stat = fstatSync(STDIN);
  // Reading a pipe as a file would block a thread of Node's pool, and the end of the process with it.
  const pipe = stat.isFIFO() || stat.isSocket();
  const readable = pipe
    ? new Socket({ fd: STDIN, readable: true, writable: false })
    : createReadStream('', { fd: STDIN, highWaterMark: 1024 * 1024 });
  return { raw: new StreamBytes(readable, STDIN_NAME), fileBytes: null };
}

async function readHeadOf(bytes: RawBytes): Promise<Buffer> {
  const head = Buffer.alloc(HEAD_BYTES);
  let length = 0;
  while (length < HEAD_BYTES) {
    const count = await bytes.read(head.subarray(length));
    if (count === 0) break;
    length += count;
  }
  return head.subarray(0, length);
}

class HandleBytes implements RawBytes {
  rawBytes = 0;
  readonly #handle: FileHandle;
  readonly #path: string;

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  async read(into: Buffer): Promise<number> {
    try {
      const { bytesRead } = await this.#handle.read(into, 0, into.length, null);
      this.rawBytes += bytesRead;
      return bytesRead;
    } catch (error) {
      throw readError(this.#path, this.rawBytes, error);
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

class StreamBytes implements RawBytes {
  rawBytes = 0;
  readonly #readable: Readable;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #name: string;
  #rest: Buffer = Buffer.alloc(0);

  constructor(readable: Readable, name: string) {
    this.#readable = readable;
    this.#chunks = readable[Symbol.asyncIterator]();
    this.#name = name;
  }

  async read(into: Buffer): Promise<number> {
    if (this.#rest.length === 0) this.#rest = await this.#next();
    const count = this.#rest.copy(into);
    this.#rest = this.#rest.subarray(count);
    this.rawBytes += count;
    return count;
  }

  async #next(): Promise<Buffer> {
    try {
      const { done, value } = await this.#chunks.next();
      return done === true ? Buffer.alloc(0) : value;
    } catch (error) {
      throw readError(this.#name, this.rawBytes, error);
    }
  }

  async close(): Promise<void> {
    this.#readable.destroy();
  }
}

function readError(name: string, at: number, cause: unknown): FerryError {
  return new FerryError(`${name} cannot be read on at byte ${at}: ${messageOf(cause)}.`, { code: 'file', cause });
}
