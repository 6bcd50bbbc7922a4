// The disk as the elastic queue sees it: files that are written and read in large pieces and leave nothing behind.
// An interface, because a full or broken disk has to be tried out in tests.

import { randomBytes } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** One open file. Offsets and lengths are bytes; a call that fails may have done part of its work. */
export interface SpoolFile {
  /** Writes all of the pieces, one behind the other, from `position` on. */
  write(pieces: readonly Uint8Array[], position: number): Promise<void>;
  /** Fills all of the pieces from `position` on; an end of file before that is an error. */
  read(pieces: readonly Uint8Array[], position: number): Promise<void>;
  /** Closes and removes the file. */
  remove(): Promise<void>;
}

export interface SpoolDisk {
  /** A new, empty file. */
  create(): Promise<SpoolFile>;
}

/**
 * Files of a directory, readable for nobody else. Each is unlinked as soon as it is open, so that even a kill -9 leaves
 * none of the source's data lying about; its space comes back when it is closed.
 */
export function directoryDisk(directory: string, name: string): SpoolDisk {
  return {
    async create() {
      const path = join(directory, `${name}-${process.pid}-${randomBytes(6).toString('hex')}.spool`);
      // wx: fails when the name exists, also as a symbolic link that somebody else put there.
      const handle = await open(path, 'wx+', 0o600);
      const unlinked = await unlink(path).then(
        () => true,
        () => false,
      );
      return new DirectoryFile(handle, unlinked ? null : path);
    },
  };
}

class DirectoryFile implements SpoolFile {
  readonly #handle: FileHandle;
  /** Set where the system does not unlink an open file. */
  readonly #path: string | null;

  constructor(handle: FileHandle, path: string | null) {
    this.#handle = handle;
    this.#path = path;
  }

  async write(pieces: readonly Uint8Array[], position: number): Promise<void> {
    let rest = pieces;
    let at = position;
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest, at);
      if (bytesWritten === 0) throw new Error('the disk took no bytes');
      at += bytesWritten;
      rest = behind(rest, bytesWritten);
    }
  }

  async read(pieces: readonly Uint8Array[], position: number): Promise<void> {
    let rest = pieces;
    let at = position;
    while (rest.length > 0) {
      const { bytesRead } = await this.#handle.readv(rest, at);
      if (bytesRead === 0) throw new Error(`the file ends at byte ${at}`);
      at += bytesRead;
      rest = behind(rest, bytesRead);
    }
  }

  async remove(): Promise<void> {
    await this.#handle.close();
    if (this.#path !== null) await unlink(this.#path);
  }
}

/** What is left of the pieces behind their first `count` bytes. */
function behind(pieces: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let first = 0;
  let skip = count;
  let piece = pieces[first];
  while (piece !== undefined && skip >= piece.length) {
    skip -= piece.length;
    piece = pieces[++first];
  }
  const rest = pieces.slice(first);
  if (piece !== undefined && skip > 0) rest[0] = piece.subarray(skip);
  return rest;
}
