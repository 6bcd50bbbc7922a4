// A source's transaction whose keys belong to several slots of the target, taken apart: what has one slot still takes
// effect together.
import type { CommandBlock } from './stream-wrap.ts';

/** Largest SELECT. */
const SELECT_BYTES = 64;

interface GatheredCommand {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly database: number;
}

class GatheredBlock implements CommandBlock {
  roomBytes = 0;
  readonly #commands: GatheredCommand[] = [];

  get firstDatabase(): number {
    return this.#commands[0]?.database ?? 0;
  }

  add(bytes: Buffer, database: number): void {
    if (database !== this.#commands[this.#commands.length - 1]?.database) this.roomBytes += SELECT_BYTES;
    this.#commands.push({ bytes, start: 0, end: bytes.length, database });
    this.roomBytes += bytes.length;
  }

  commands(): Iterable<GatheredCommand> {
    return this.#commands;
  }
}

export class SlotBlocks {
  readonly blocks = new Map<number, GatheredBlock>();

  /** Copies one command. */
  add(slot: number, bytes: Buffer, start: number, end: number, database: number): void {
    let block = this.blocks.get(slot);
    if (block === undefined) {
      block = new GatheredBlock();
      this.blocks.set(slot, block);
    }
    block.add(Buffer.from(bytes.subarray(start, end)), database);
  }
}
