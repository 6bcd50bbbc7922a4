// The conflicts that were put aside until the snapshot is through, on disk: as many as there are, in constant memory. Each
// is the command that was refused, as it went to the target, behind its database, length and what differs.
import { encodeCommand } from '../../protocol/resp-encode.ts';
import { directoryDisk, type SpoolFile } from '../../spool/spool-disk.ts';
import { Batch } from '../../writers/batch.ts';
import { CONFLICT_DIFFERENCES, type ConflictDifference } from '../contract/conflict.ts';

export interface PutAside {
  readonly database: number;
  readonly args: readonly Buffer[];
  readonly difference: ConflictDifference;
}

const HEAD_BYTES = 9;

export class ConflictFile {
  /** Not read back yet. */
  count = 0;
  readonly #differences: Record<ConflictDifference, number> = { type: 0, value: 0, expiry: 0, 'not-compared': 0 };
  readonly #directory: string;
  readonly #name: string;
  #file: SpoolFile | null = null;
  #written = 0;
  #read = 0;

  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#name = name;
  }

  /** What differs in those that were not read back yet. */
  get differences(): Readonly<Record<ConflictDifference, number>> {
    return this.#differences;
  }

  /** @throws Error of the disk. */
  async add(items: readonly PutAside[]): Promise<void> {
    if (items.length === 0) return;
    this.#file ??= await directoryDisk(this.#directory, this.#name).create();
    const pieces = items.flatMap(({ database, args, difference }) => {
      const command = encodeCommand(args);
      const head = Buffer.allocUnsafe(HEAD_BYTES);
      head.writeUInt32LE(database, 0);
      head.writeUInt32LE(command.length, 4);
      head.writeUInt8(CONFLICT_DIFFERENCES.indexOf(difference), 8);
      return [head, command];
    });
    await this.#file.write(pieces, this.#written);
    this.#written += pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.count += items.length;
    for (const { difference } of items) this.#differences[difference]++;
  }

  /** The oldest, and those behind it up to about so many bytes and so many. @throws Error of the disk. */
  async take(bytes: number, most: number): Promise<readonly PutAside[]> {
    const items: PutAside[] = [];
    let block = await this.#block(bytes);
    if (block.length >= HEAD_BYTES && sizeAt(block, 0) > block.length) block = await this.#block(sizeAt(block, 0));
    let at = 0;
    while (items.length < most && at + HEAD_BYTES <= block.length && at + sizeAt(block, at) <= block.length) {
      const end = at + sizeAt(block, at);
      const difference = CONFLICT_DIFFERENCES[block.readUInt8(at + 8)] ?? 'not-compared';
      const args = argumentsOf(block.subarray(at + HEAD_BYTES, end));
      items.push({ database: block.readUInt32LE(at), args, difference });
      this.#differences[difference]--;
      at = end;
    }
    this.#read += at;
    this.count -= items.length;
    if (this.count === 0) {
      this.#read = 0;
      this.#written = 0;
    }
    return items;
  }

  /** What comes next in the file, up to so many bytes. */
  async #block(bytes: number): Promise<Buffer> {
    const block = Buffer.allocUnsafe(this.#file === null ? 0 : Math.min(bytes, this.#written - this.#read));
    if (block.length > 0) await this.#file?.read([block], this.#read);
    return block;
  }

  async remove(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.remove();
  }
}

/** Of one item with its head. */
function sizeAt(block: Buffer, at: number): number {
  return HEAD_BYTES + block.readUInt32LE(at + 4);
}

/** A batch of one command reads it apart. */
function argumentsOf(command: Buffer): readonly Buffer[] {
  const batch = new Batch(command, 'snapshot', 0, 0);
  batch.length = command.length;
  return batch.commandAt(0);
}
