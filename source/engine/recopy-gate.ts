// Stands before the router while keys are copied again, and holds back for good the commands whose effect the fetched
// value has already. What such a command touches beside the watched keys is told: it has to be copied again too.
import { COMMAND_KIND, type CommandSpec } from '../protocol/command-spec.ts';
import type { CommandTable } from '../protocol/command-table.ts';
import type { StreamParser } from '../readers/stream-parser.ts';
import { CommandKeys } from './command-keys.ts';
import type { CommandTaker } from './shard-target.ts';
import type { DatabaseKey } from './watched-keys.ts';

export interface GateHost {
  /** Something is watched, or is to be done at the next place between two commands and outside of a block. */
  readonly attentive: boolean;
  /** Whether the command read last is held back for this key. */
  holds(database: number, bytes: Buffer, start: number, length: number): boolean;
  /** All keys of a command that was held back. */
  touched(keys: readonly DatabaseKey[]): void;
  /** Two databases have changed places. */
  swapped(one: number, other: number): void;
  /** A place between two commands and outside of a block. */
  boundary(): void;
}

export class RecopyGate implements CommandTaker {
  readonly #inner: CommandTaker;
  readonly #host: GateHost;
  readonly #makeTable: () => CommandTable;
  /** Made for the first re-copy: few runs have any. */
  #table: CommandTable | null = null;
  #keys: CommandKeys | null = null;

  constructor(inner: CommandTaker, makeTable: () => CommandTable, host: GateHost) {
    this.#inner = inner;
    this.#makeTable = makeTable;
    this.#host = host;
  }

  get insideBlock(): boolean {
    return this.#inner.insideBlock;
  }

  get database(): number {
    return this.#inner.database;
  }

  set database(database: number) {
    this.#inner.database = database;
  }

  handle(command: StreamParser): void {
    if (this.#host.attentive) this.#judge(command);
    else this.#inner.handle(command);
  }

  inject(command: StreamParser): void {
    this.#inner.inject(command);
  }

  oversized(command: StreamParser): void {
    this.#inner.oversized(command);
  }

  discardBlock(): void {
    this.#inner.discardBlock();
  }

  /**
   * A block of the source takes effect at once, so that all of it is in a fetched value or none: its commands can be
   * judged one by one.
   */
  #judge(command: StreamParser): void {
    this.#table ??= this.#makeTable();
    const spec = this.#table.lookup(command.bytes, command.offsets, command.lengths, command.count);
    if (!this.#hold(command, spec)) {
      this.#inner.handle(command);
      if (spec?.kind === COMMAND_KIND.SWAPDB) this.#host.swapped(numberAt(command, 1), numberAt(command, 2));
    }
    if (!this.#inner.insideBlock) this.#host.boundary();
  }

  #hold(command: StreamParser, spec: CommandSpec | null): boolean {
    this.#keys ??= new CommandKeys();
    const { starts, lengths, databases } = this.#keys.find(command, spec, this.#inner.database);
    const { count } = this.#keys;
    const { bytes } = command;
    let held = false;
    for (let i = 0; i < count && !held; i++) {
      held = this.#host.holds(databases[i] as number, bytes, starts[i] as number, lengths[i] as number);
    }
    if (held && count > 1) {
      const keyAt = (i: number): Buffer => bytes.subarray(starts[i], (starts[i] as number) + (lengths[i] as number));
      this.#host.touched(
        Array.from({ length: count }, (_, i) => ({ database: databases[i] as number, key: Buffer.from(keyAt(i)) })),
      );
    }
    return held;
  }
}

function numberAt(command: StreamParser, index: number): number {
  const start = command.offsets[index] as number;
  return Number(command.bytes.toString('latin1', start, start + (command.lengths[index] as number)));
}
