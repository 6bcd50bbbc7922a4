// A source's MULTI block on its way to a cluster, kept until EXEC shows whether all its keys share a slot.
import { ByteWindow } from '../readers/byte-window.ts';
import { StreamParser } from '../readers/stream-parser.ts';

export interface BlockCommand {
  readonly command: StreamParser;
  readonly database: number;
}

export class BlockBuffer {
  commands = 0;
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
    this.commands = 0;
    this.#length = 0;
    this.#databases = [];
    this.#slot = undefined;
  }

  /** The slot that all commands share, or null. */
  get slot(): number | null {
    return this.#slot ?? null;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /**
   * Copies one command into the block.
   * @param slot the slot of its keys, null when they have none in common.
   * @returns false when the block would outgrow the limit; the command is not in it then.
   */
  add(from: Buffer, start: number, end: number, database: number, slot: number | null): boolean {
    const length = end - start;
    if (this.#length + length > this.#limit) return false;
    if (this.#length + length > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#limit, Math.max(4096, (this.#length + length) * 2)));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    from.copy(this.#buffer, this.#length, start, end);
    this.#length += length;
    this.#databases.push(database);
    this.#slot = this.#slot === undefined || this.#slot === slot ? slot : null;
    this.commands++;
    return true;
  }

  /** The commands again, one by one; the block must not change meanwhile. */
  *replay(): Generator<BlockCommand> {
    const command = new StreamParser(new ByteWindow(this.bytes), { commandBytes: this.#limit });
    for (const database of this.#databases) {
      command.next();
      yield { command, database };
    }
  }
}
