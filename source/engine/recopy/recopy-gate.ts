// Stands before the router while keys are copied again, and holds back for good the commands whose effect the fetched
// value has already. What such a command touches beside the watched keys is told: it has to be copied again too. Of a
// cluster's node it also holds back what belongs to slots that another pipeline carries: the node has them from another,
// or is about to, and they are copied when that other pipeline has let go of them.
import { COMMAND_KIND, type CommandSpec } from '../../protocol/command-spec.ts';
import type { CommandTable } from '../../protocol/command-table.ts';
import { encodeCommand } from '../../protocol/resp-encode.ts';
import { slotOf } from '../../protocol/slot.ts';
import type { StreamParser } from '../../readers/stream-parser.ts';
import type { CommandTaker } from '../shard/shard-target.ts';
import type { OwnedSlots } from '../source/owned-slots.ts';
import { CommandKeys } from '../target/command-keys.ts';
import { CommandRelay, readCommand } from '../target/command-relay.ts';
import type { DatabaseKey } from './watched-keys.ts';

export interface GateHost {
  /** Of a cluster's node: the slots whose commands pass. */
  readonly slots: OwnedSlots | null;
  /** Something is watched, or is to be done at the next place between two commands and outside of a block. */
  readonly attentive: boolean;
  /** Replication offset at which the command read last ends. */
  readonly offset: number;
  /** Whether the command read last is held back for this key. */
  holds(database: number, bytes: Buffer, start: number, length: number): boolean;
  /** All keys of a command that was held back. */
  touched(keys: readonly DatabaseKey[]): void;
  /** Two databases have changed places. */
  swapped(one: number, other: number): void;
  /** A place between two commands and outside of a block. */
  boundary(): void;
}

export class RecopyGate extends CommandRelay {
  readonly #host: GateHost;
  readonly #makeTable: () => CommandTable;
  /** Made for the first re-copy: few runs have any. */
  #table: CommandTable | null = null;
  #keys: CommandKeys | null = null;

  constructor(inner: CommandTaker, makeTable: () => CommandTable, host: GateHost) {
    super(inner);
    this.#makeTable = makeTable;
    this.#host = host;
  }

  override handle(command: StreamParser): void {
    if (this.#host.attentive || this.#host.slots !== null) this.#judge(command);
    else this.inner.handle(command);
  }

  /** The keys of a command that runs in `database`; none where they can not be told. */
  keysOf(args: readonly Buffer[], database: number): readonly DatabaseKey[] {
    const bytes = encodeCommand(args);
    const parser = readCommand(bytes);
    this.#keys ??= new CommandKeys();
    return listOf(parser, this.#keys.find(parser, this.#specOf(parser), database));
  }

  #specOf(command: StreamParser): CommandSpec | null {
    this.#table ??= this.#makeTable();
    return this.#table.lookup(command.bytes, command.offsets, command.lengths, command.count);
  }

  /**
   * A block of the source takes effect at once, so that all of it is in a fetched value or none: its commands can be
   * judged one by one.
   */
  #judge(command: StreamParser): void {
    const spec = this.#specOf(command);
    this.#keys ??= new CommandKeys();
    const keys = this.#keys.find(command, spec, this.inner.database);
    if (!this.#isForeign(command, keys) && !this.#hold(command, keys)) {
      if (spec?.name === 'RESTORE-ASKING') this.#restore(command);
      else this.inner.handle(command);
      if (spec?.kind === COMMAND_KIND.SWAPDB) this.#host.swapped(Number(command.text(1)), Number(command.text(2)));
    }
    if (this.#host.attentive && !this.inner.insideBlock) this.#host.boundary();
  }

  /** All keys of a cluster's command share a slot. */
  #isForeign({ bytes }: StreamParser, { count, starts, lengths }: CommandKeys): boolean {
    const { slots } = this.#host;
    if (slots === null || count === 0) return false;
    return !slots.carries(slotOf(bytes, starts[0] as number, lengths[0] as number), this.#host.offset);
  }

  /** How MIGRATE writes a key to its new node, where it was not: here an older copy of it may be. */
  #restore(command: StreamParser): void {
    const args = Array.from({ length: command.count }, (_, i) => command.argument(i));
    const rest = args.slice(4).filter((option) => option.toString('latin1').toUpperCase() !== 'REPLACE');
    const bytes = encodeCommand(['RESTORE', ...args.slice(1, 4), 'REPLACE', ...rest]);
    this.inner.handle(readCommand(bytes));
  }

  #hold(command: StreamParser, keys: CommandKeys): boolean {
    const { count, starts, lengths, databases } = keys;
    let held = false;
    for (let i = 0; i < count && !held; i++) {
      held = this.#host.holds(databases[i] as number, command.bytes, starts[i] as number, lengths[i] as number);
    }
    if (held && count > 1) this.#host.touched(listOf(command, keys));
    return held;
  }
}

function listOf({ bytes }: StreamParser, { count, starts, lengths, databases }: CommandKeys): readonly DatabaseKey[] {
  return Array.from({ length: count }, (_, i) => {
    const start = starts[i] as number;
    return {
      database: databases[i] as number,
      key: Buffer.from(bytes.subarray(start, start + (lengths[i] as number))),
    };
  });
}
