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
    const begin = this.#read;
    while (this.#file !== null && this.count > 0 && items.length < most && this.#read - begin < bytes) {
      const head = Buffer.allocUnsafe(HEAD_BYTES);
      await this.#file.read([head], this.#read);
      const command = Buffer.allocUnsafe(head.readUInt32LE(4));
      await this.#file.read([command], this.#read + HEAD_BYTES);
      this.#read += HEAD_BYTES + command.length;
      const difference = CONFLICT_DIFFERENCES[head.readUInt8(8)] ?? 'not-compared';
      items.push({ database: head.readUInt32LE(0), args: argumentsOf(command), difference });
      this.count--;
      this.#differences[difference]--;
    }
    if (this.count === 0) {
      this.#read = 0;
      this.#written = 0;
    }
    return items;
  }

  async remove(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.remove();
  }
}

/** A batch of one command reads it apart. */
function argumentsOf(command: Buffer): readonly Buffer[] {
  const batch = new Batch(command, 'snapshot', 0, 0);
  batch.length = command.length;
  return batch.commandAt(0);
}
