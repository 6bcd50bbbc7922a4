// Writes of the snapshot that found their key on the target and wait for their turn: a hundred thousand at once where all keys
// are there already. As bytes, one behind the other: as objects they kept the garbage collector busier than all the rest.
import type { RefusedWrite } from './conflict-entry.ts';

const CHUNK_BYTES = 256 * 1024;
/** The database and the number of arguments; before each argument its length. */
const HEAD_BYTES = 6;
const LENGTH_BYTES = 4;

interface Chunk {
  readonly bytes: Buffer;
  /** Of what was written. */
  end: number;
  /** Of what was taken. */
  at: number;
}

export class PendingWrites {
  readonly #chunks: Chunk[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The bytes are copied. */
  add({ database, args }: RefusedWrite): void {
    const size = args.reduce((sum, arg) => sum + LENGTH_BYTES + arg.length, HEAD_BYTES);
    const chunk = this.#roomFor(size);
    const { bytes } = chunk;
    let at = bytes.writeUInt32LE(database, chunk.end);
    at = bytes.writeUInt16LE(args.length, at);
    for (const arg of args) {
      at = bytes.writeUInt32LE(arg.length, at);
      at += arg.copy(bytes, at);
    }
    chunk.end = at;
    this.#count++;
  }

  /** The oldest, and those behind it up to so many, and up to about so many bytes. */
  take(most: number, mostBytes: number): readonly RefusedWrite[] {
    const writes: RefusedWrite[] = [];
    let bytes = 0;
    while (writes.length < most && bytes <= mostBytes && this.#count > 0) {
      const chunk = this.#chunks[0] as Chunk;
      const from = chunk.at;
      writes.push(read(chunk));
      bytes += chunk.at - from;
      if (chunk.at === chunk.end) this.#chunks.shift();
      this.#count--;
    }
    return writes;
  }

  #roomFor(size: number): Chunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.bytes.length - last.end >= size) return last;
    const chunk: Chunk = { bytes: Buffer.allocUnsafeSlow(Math.max(size, CHUNK_BYTES)), end: 0, at: 0 };
    this.#chunks.push(chunk);
    return chunk;
  }
}

/** The arguments are views: what was taken of a chunk is not written to again. */
function read(chunk: Chunk): RefusedWrite {
  const { bytes } = chunk;
  const database = bytes.readUInt32LE(chunk.at);
  const count = bytes.readUInt16LE(chunk.at + 4);
  chunk.at += HEAD_BYTES;
  const args: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const begin = chunk.at + LENGTH_BYTES;
    chunk.at = begin + bytes.readUInt32LE(chunk.at);
    args.push(bytes.subarray(begin, chunk.at));
  }
  return { database, args };
}
