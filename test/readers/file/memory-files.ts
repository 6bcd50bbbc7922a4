// Files in memory, handed out in pieces of any size as a FileFeed does it: stops at the end of each, and knows that a
// file is done only when its last byte was taken and one more look found nothing.
import type { ByteSource } from '../../../source/readers/byte-window.ts';
import type { FileSequence } from '../../../source/readers/file/aof-stream.ts';
import type { FilePlace } from '../../../source/readers/file/file-feed.ts';

export class MemoryFiles implements ByteSource, FileSequence {
  fileDone = false;
  readonly #files: readonly Buffer[];
  readonly #pieceBytes: number;
  readonly #begins = [0];
  #file = 0;
  #given = 0;

  constructor(files: readonly Buffer[], pieceBytes: number) {
    this.#files = files;
    this.#pieceBytes = pieceBytes;
  }

  get onLastFile(): boolean {
    return this.#file === this.#files.length - 1;
  }

  read(into: Uint8Array, offset: number, length: number): number {
    const file = this.#files[this.#file] ?? Buffer.alloc(0);
    const count = Math.min(this.#pieceBytes, length, file.length - this.#given);
    into.set(file.subarray(this.#given, this.#given + count), offset);
    this.#given += count;
    this.fileDone = count === 0;
    return count;
  }

  nextFile(): boolean {
    if (this.onLastFile) return false;
    this.#begins.push((this.#begins[this.#file] ?? 0) + this.#given);
    this.#file++;
    this.#given = 0;
    this.fileDone = false;
    return true;
  }

  segmentAt(position: number): FilePlace {
    let file = this.#file;
    while (file > 0 && (this.#begins[file] ?? 0) > position) file--;
    return { file: `file${file}`, offset: position - (this.#begins[file] ?? 0) };
  }
}
