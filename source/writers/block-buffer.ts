// A source's MULTI block on its way to a cluster, kept until EXEC shows whether all its keys share a slot.
import { ByteWindow } from '../readers/byte-window.ts';
import { StreamParser } from '../readers/stream-parser.ts';
import type { CommandBlock } from './stream-wrap.ts';

/** Largest SELECT. */
const SELECT_BYTES = 64;

export interface BlockCommand {
  readonly command: StreamParser;
  readonly database: number;
  /** At which it ended in the source's stream. */
  readonly offset: number;
}

export class BlockBuffer implements CommandBlock {
  count = 0;
  /** How often the database changes. */
  #switches = 0;
  #ends: number[] = [];
  #offsets: number[] = [];
  readonly #limit: number;
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;
  #databases: number[] = [];
  /** undefined before the first command, null when there is not one slot. */
  #slot: number | null | undefined;

  /** @param limit most bytes of a block. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  clear(): void {
    this.count = 0;
    this.#switches = 0;
    this.#ends = [];
    this.#offsets = [];
    this.#length = 0;
    this.#databases = [];
    this.#slot = undefined;
  }

  /** The slot that all commands share, or null. */
  get slot(): number | null {
    return this.#slot ?? null;
  }

  get roomBytes(): number {
    return this.#length + this.#switches * SELECT_BYTES;
  }

  get firstDatabase(): number {
    return this.#databases[0] ?? 0;
  }

  *commands(): Generator<{
    readonly bytes: Buffer;
    readonly start: number;
    readonly end: number;
    readonly database: number;
  }> {
    let start = 0;
    for (const [i, end] of this.#ends.entries()) {
      yield { bytes: this.#buffer, start, end, database: this.#databases[i] as number };
      start = end;
    }
  }

  /**
   * Copies one command into the block.
   * @param offset at which it ended in the source's stream.
   * @param slot the slot of its keys, null when they have none in common.
   * @returns false when the block would outgrow the limit; the command is not in it then.
   */
  add(from: Buffer, start: number, end: number, database: number, offset: number, slot: number | null): boolean {
    const length = end - start;
    if (this.#length + length > this.#limit) return false;
    if (this.#length + length > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#limit, Math.max(4096, (this.#length + length) * 2)));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    from.copy(this.#buffer, this.#length, start, end);
    this.#length += length;
    if (database !== this.#databases[this.count - 1]) this.#switches++;
    this.#databases.push(database);
    this.#ends.push(this.#length);
    this.#offsets.push(offset);
    this.#slot = this.#slot === undefined || this.#slot === slot ? slot : null;
    this.count++;
    return true;
  }

  /** The commands again, one by one; the block must not change meanwhile. */
  *replay(): Generator<BlockCommand> {
    const bytes = this.#buffer.subarray(0, this.#length);
    const command = new StreamParser(new ByteWindow(bytes), { commandBytes: this.#limit });
    for (const [i, database] of this.#databases.entries()) {
      command.next();
      yield { command, database, offset: this.#offsets[i] as number };
    }
  }
}
