// Writes an append-only file: the snapshot as an RDB preamble, behind it the stream's commands as they came. Servers since
// 4.0 load it as a single file, 7.0 and newer also as the base of a manifest. A transaction that the source has not ended is
// never in it, since servers refuse or cut such an end. Source: loadSingleAppendOnlyFile in aof.c of Redis 7.0.
import { encodeCommand } from '../../protocol/resp-encode.ts';
import type { FileOutput } from './file-output.ts';
import type { RdbFile } from './rdb-file.ts';

const DEFAULT_BLOCK_BYTES = 16 * 1024 * 1024;
const LEAST_BLOCK_BYTES = 4096;
/** What is kept of the memory of a larger transaction. */
const KEPT_BLOCK_BYTES = 64 * 1024;
/** The two commands as servers write them, in upper case; clients' lower case reaches a stream as well. */
const MULTI = Buffer.from('*1\r\n$5\r\nMULTI\r\n');
const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n');
/** The bit that makes an ASCII letter a small one. */
const SMALL = 0x20;

export interface AofFileOptions {
  /** A transaction of up to this size is held until its EXEC; of a larger one the file is cut when EXEC never comes. */
  readonly blockBytes?: number;
}

export class AofFile {
  /** Takes the snapshot, if there is one. */
  readonly snapshot: RdbFile;
  readonly #output: FileOutput;
  readonly #blockLimit: number;
  #snapshotEnded = false;
  /** The database that the file's commands are in; no command has selected one at the beginning. */
  #database = 0;
  #insideBlock = false;
  /** Of the transaction under way: what is held, or where it began in the file. */
  #block: Buffer = Buffer.alloc(0);
  #blockLength = 0;
  #blockPosition: number | null = null;

  /** @param snapshot a preamble that writes to the same output. */
  constructor(output: FileOutput, snapshot: RdbFile, options: AofFileOptions = {}) {
    this.#output = output;
    this.snapshot = snapshot;
    this.#blockLimit = options.blockBytes ?? DEFAULT_BLOCK_BYTES;
  }

  /** Between MULTI and EXEC. */
  get insideBlock(): boolean {
    return this.#insideBlock;
  }

  /**
   * Appends a command as it came, behind the snapshot, which has ended. PING, REPLCONF and SELECT are not for it.
   * @param database in which the command is to run.
   */
  command(bytes: Buffer, start: number, end: number, database: number): void {
    this.#endSnapshot();
    if (!this.#insideBlock && isSame(bytes, start, end, MULTI)) this.#beginBlock();
    if (database !== this.#database) {
      const select = encodeCommand(['SELECT', String(database)]);
      this.#database = database;
      // Servers write it before MULTI when they can; inside of it counts as much.
      this.#put(select, 0, select.length);
    }
    this.#put(bytes, start, end);
    if (this.#insideBlock && isSame(bytes, start, end, EXEC)) this.#endBlock();
  }

  /**
   * Ends the file in front of a transaction that is under way.
   * @returns bytes of that transaction, which are not in the file.
   * @throws FerryError `file`
   */
  async finish(): Promise<number> {
    this.#endSnapshot();
    const begun = this.#blockPosition ?? this.#output.position;
    const left = this.#output.position - begun + this.#blockLength;
    await this.#output.finish(begun);
    return left;
  }

  #endSnapshot(): void {
    if (this.#snapshotEnded) return;
    this.#snapshotEnded = true;
    this.snapshot.end();
  }

  #beginBlock(): void {
    this.#insideBlock = true;
    this.#blockLength = 0;
    this.#blockPosition = null;
  }

  #endBlock(): void {
    this.#output.append(this.#block, 0, this.#blockLength);
    this.#insideBlock = false;
    this.#blockLength = 0;
    this.#blockPosition = null;
    if (this.#block.length > KEPT_BLOCK_BYTES) this.#block = Buffer.alloc(0);
  }

  #put(bytes: Buffer, start: number, end: number): void {
    if (!this.#insideBlock || this.#blockPosition !== null) {
      this.#output.append(bytes, start, end);
      return;
    }
    const length = this.#blockLength + end - start;
    if (length > this.#blockLimit) {
      this.#blockPosition = this.#output.position;
      this.#output.append(this.#block, 0, this.#blockLength);
      this.#blockLength = 0;
      this.#block = Buffer.alloc(0);
      this.#output.append(bytes, start, end);
      return;
    }
    if (length > this.#block.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#blockLimit, Math.max(LEAST_BLOCK_BYTES, length * 2)));
      this.#block.copy(larger, 0, 0, this.#blockLength);
      this.#block = larger;
    }
    bytes.copy(this.#block, this.#blockLength, start, end);
    this.#blockLength = length;
  }
}

/** Whether a command is the one given, in letters of either size. */
function isSame(bytes: Buffer, start: number, end: number, command: Buffer): boolean {
  if (end - start !== command.length) return false;
  for (let i = 0; i < command.length; i++) {
    const byte = bytes[start + i] as number;
    const wanted = command[i] as number;
    if (byte !== wanted && (byte !== (wanted | SMALL) || wanted < 65)) return false;
  }
  return true;
}
