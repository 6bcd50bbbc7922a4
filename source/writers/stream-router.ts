// Decides for each command of the stream where it goes: on as it is, to the node of its slot, split by slot, behind a
// barrier, or nowhere (and then says so). Forwards the original bytes; makes no object for a plain command.
import { COMMAND_KIND, type CommandSpec } from '../protocol/command-spec.ts';
import type { CommandTable } from '../protocol/command-table.ts';
import { isBare } from '../protocol/replay-class.ts';
import { encodeCommand } from '../protocol/resp-encode.ts';
import { slotOf } from '../protocol/slot.ts';
import type { StreamParser } from '../readers/stream-parser.ts';
import { BlockBuffer } from './block-buffer.ts';
import { CommandSlots, MIXED_SLOTS, NO_SLOT } from './command-slots.ts';
import { DatabaseLog } from './database-log.ts';
import { KeylessCommands, type KeylessHost, type KeylessOptions } from './keyless-commands.ts';
import type { NodeWriter } from './node-writer.ts';
import { ParkedSlots } from './parked-slots.ts';
import type { ReplayFilter } from './replay-filter.ts';
import { SlotBlocks } from './slot-blocks.ts';
import type { CommandBlock } from './stream-wrap.ts';
import type { TargetNodes } from './target-nodes.ts';

export interface RouterHost extends KeylessHost {
  /** Offset at which the command that is handled ends in the source's stream. */
  readonly offset: number;
  /** The stream can be played again from this offset on. */
  readonly earliestOffset: number;
  /** Everything before this position was handed over. */
  readonly position: number;
  /** Said once for a shard. */
  notAtomic(reason: string): void;
}

export interface RouterOptions extends KeylessOptions {
  /** Largest block kept together for a cluster target, bytes. */
  readonly transactionBytes: number;
}

/** Added to an offset: a write that stands behind the command that ended there, and is not it. */
const BEHIND = 0.5;
/** Every command towards a standalone has this one, and towards a cluster what may go to any node. */
const ANY_SLOT = 0;
const ONLY_DATABASE_0 = 'the target is a cluster, which has database 0 only';

export class StreamRouter {
  /** Between MULTI and EXEC: what was read so far has no effect of its own yet. */
  insideBlock = false;
  /** Which database was selected from which offset on. */
  readonly databases = new DatabaseLog();
  /** While the stream is played again: what of it has taken effect. */
  filter: ReplayFilter | null = null;
  /** Slots between two nodes: their commands are passed over for now. */
  readonly parked = new ParkedSlots();
  #database = 0;
  #offset = 0;
  readonly #nodes: TargetNodes;
  readonly #table: CommandTable;
  readonly #host: RouterHost;
  readonly #slots = new CommandSlots();
  readonly #keyless: KeylessCommands;
  readonly #block: BlockBuffer;
  /** Of a block that is taken apart: what goes where, while it is gathered. */
  #gathering: SlotBlocks | null = null;

  constructor(nodes: TargetNodes, table: CommandTable, host: RouterHost, options: RouterOptions) {
    this.#nodes = nodes;
    this.#table = table;
    this.#host = host;
    this.#keyless = new KeylessCommands(nodes.cluster, host, options);
    this.#block = new BlockBuffer(options.transactionBytes);
  }

  /** The database that the source's stream has selected. */
  get database(): number {
    return this.#database;
  }

  set database(database: number) {
    this.#database = database;
    this.databases.selected(database, this.#host.offset);
    if (this.databases.full) this.databases.forget(this.#host.earliestOffset);
  }

  /** The stream goes on from another place. */
  restart(database: number): void {
    this.#database = database;
    this.insideBlock = false;
    this.#block.clear();
  }

  /** Takes the command that the parser read last. */
  handle(command: StreamParser): void {
    this.#offset = this.#host.offset;
    if (this.filter !== null && this.#offset > this.filter.until) this.filter = null;
    const spec = this.#table.lookup(command.bytes, command.offsets, command.lengths, command.count);
    switch (spec?.kind) {
      case COMMAND_KIND.PING:
      case COMMAND_KIND.REPLCONF:
      case COMMAND_KIND.TOPOLOGY:
        return;
      case COMMAND_KIND.SELECT:
        this.database = Number(command.text(1));
        return;
      case COMMAND_KIND.MULTI:
        this.insideBlock = true;
        this.#block.clear();
        return;
      case COMMAND_KIND.EXEC:
        this.#exec();
        return;
      default:
        if (this.insideBlock) this.#collect(command, spec);
        else this.#single(command, spec);
    }
  }

  /** A command of our own: no replay has it, so none passes it over. */
  inject(command: StreamParser): void {
    const { filter } = this;
    this.filter = null;
    this.#offset = this.#host.offset + BEHIND;
    this.#single(command, this.#table.lookup(command.bytes, command.offsets, command.lengths, command.count));
    this.filter = filter;
  }

  /** The stream is played again up to where it was, or commands of slots between two nodes wait. */
  get replaying(): boolean {
    return this.parked.size > 0 || (this.filter !== null && this.#host.offset < this.filter.until);
  }

  /** The block under way never gets its EXEC: none of it takes effect. */
  discardBlock(): void {
    this.insideBlock = false;
    this.#block.clear();
  }

  /** A command above the limit was passed over. */
  oversized(command: StreamParser): void {
    this.#host.refused(this.database, command.oversizedName, 'the command is larger than limits.valueInMemory');
  }

  #single(command: StreamParser, spec: CommandSpec | null): void {
    switch (spec?.kind) {
      case COMMAND_KIND.FLUSHALL:
      case COMMAND_KIND.FLUSHDB:
      case COMMAND_KIND.SWAPDB:
      case COMMAND_KIND.PUBLISH:
      case COMMAND_KIND.SPUBLISH:
      case COMMAND_KIND.SCRIPT:
      case COMMAND_KIND.FUNCTION:
        this.#withoutKeys(command, spec);
        return;
      default:
        if (this.#nodes.cluster) this.#route(command, spec);
        else this.#append(ANY_SLOT, command);
    }
  }

  #withoutKeys(command: StreamParser, spec: CommandSpec): void {
    const way = this.#keyless.way(command, spec, this.#database, this.#offset);
    if (way === 'anywhere') this.#append(ANY_SLOT, command);
    else if (way === 'by-slot') this.#route(command, spec);
  }

  /** Towards a cluster: to the node of the keys' slot, or split when the command allows it. */
  #route(command: StreamParser, spec: CommandSpec | null): void {
    if (this.database !== 0) {
      this.#host.refused(this.database, command.copyArguments(), ONLY_DATABASE_0);
      return;
    }
    const slot = this.#slots.of(command, spec);
    if (slot >= 0) {
      this.#append(slot, command);
    } else if (slot === MIXED_SLOTS && spec?.kind === COMMAND_KIND.SPLITTABLE) {
      this.#split(command, spec);
    } else {
      this.#host.refused(
        this.database,
        command.copyArguments(),
        slot === MIXED_SLOTS ? 'its keys belong to different slots' : 'its keys are not known, so neither is its node',
      );
    }
  }

  /** DEL, UNLINK, TOUCH key by key, MSET pair by pair. */
  #split(command: StreamParser, spec: CommandSpec): void {
    const { bytes, offsets, lengths } = command;
    const count = this.#slots.find(command, spec);
    const name = command.argument(0);
    const width = spec.keys.step;
    for (let i = 0; i < count; i++) {
      const key = this.#slots.keys[i] as number;
      const parts = [name, command.argument(key)];
      if (width === 2) parts.push(command.argument(key + 1));
      const slot = slotOf(bytes, offsets[key] as number, lengths[key] as number);
      const encoded = encodeCommand(parts);
      // MSET, DEL and UNLINK of one key may be played again, TOUCH changes nothing.
      this.#put(slot, encoded, 0, encoded.length, true);
    }
  }

  #append(slot: number, command: StreamParser): void {
    this.#put(slot, command.bytes, command.start, command.end, isBare(command));
  }

  #put(slot: number, bytes: Buffer, start: number, end: number, bare: boolean): void {
    const offset = this.#offset;
    if (this.#gathering !== null) {
      this.#gathering.add(slot, bytes, start, end, this.#database);
      return;
    }
    if (this.filter?.has(slot, offset)) return;
    if (this.parked.size > 0 && this.parked.passOver(slot, offset, this.#host.position)) return;
    const reached = Math.floor(this.filter === null ? offset : this.filter.reached(slot, offset));
    const writer = this.#writerOf(slot);
    writer.wrap.command(bytes, start, end - start, this.#database, slot, offset, reached, bare);
    if (!bare) writer.openBatch.lines?.auditLast(1);
  }

  #writerOf(slot: number): NodeWriter {
    return this.#nodes.cluster ? this.#nodes.ofSlot(slot) : this.#nodes.first;
  }

  #exec(): void {
    if (!this.insideBlock) return;
    this.insideBlock = false;
    const block = this.#block;
    if (block.count === 0) return;
    const { slot } = block;
    if (slot === null || block.count === 1) this.#takeApart();
    else this.#putBlock(slot, block);
  }

  #putBlock(slot: number, block: CommandBlock): void {
    if (this.filter?.has(slot, this.#offset)) return;
    if (this.parked.size > 0 && this.parked.passOver(slot, this.#offset, this.#host.position)) return;
    const reached = this.filter?.reached(slot, this.#offset) ?? this.#offset;
    this.#writerOf(slot).wrap.block(block, slot, this.#offset, reached);
  }

  /** Inside a block: keep the command until EXEC, which says that it takes effect and shows whether it has one slot. */
  #collect(command: StreamParser, spec: CommandSpec | null): void {
    if (
      this.#block.add(
        command.bytes,
        command.start,
        command.end,
        this.#database,
        this.#offset,
        this.#slotInBlock(command, spec),
      )
    )
      return;
    this.#giveUpBlock();
    this.#single(command, spec);
  }

  /** The slot that the command has by itself; null when it has none, or is not simply sent there. */
  #slotInBlock(command: StreamParser, spec: CommandSpec | null): number | null {
    if (spec !== null && !ROUTED_KINDS.has(spec.kind)) return null;
    if (!this.#nodes.cluster) return ANY_SLOT;
    const slot = this.#database === 0 ? this.#slots.of(command, spec) : NO_SLOT;
    return slot >= 0 ? slot : null;
  }

  /** Its keys belong to several slots, or it holds what is not simply sent: what has one slot stays together. */
  #takeApart(): void {
    const gathered = new SlotBlocks();
    this.#gathering = gathered;
    this.#replayBlock();
    this.#gathering = null;
    if (gathered.blocks.size > 1) this.#host.notAtomic('its keys belong to different slots');
    for (const [slot, block] of gathered.blocks) this.#putBlock(slot, block);
  }

  /** It outgrew the limit: its commands are commands like others from here on, and its EXEC is nothing. */
  #giveUpBlock(): void {
    this.#host.notAtomic('the transaction is larger than limits.transaction');
    this.insideBlock = false;
    const offset = this.#offset;
    this.#replayBlock();
    this.#offset = offset;
    this.#block.clear();
  }

  #replayBlock(): void {
    const after = this.#database;
    const end = this.#offset;
    for (const { command, database, offset } of this.#block.replay()) {
      this.#database = database;
      // What stays together has the offset of its EXEC.
      this.#offset = this.#gathering === null ? offset : end;
      this.#single(command, this.#table.lookup(command.bytes, command.offsets, command.lengths, command.count));
    }
    this.#database = after;
  }
}

/** Commands that go to the slot of their keys. */
const ROUTED_KINDS: ReadonlySet<number> = new Set([
  COMMAND_KIND.NORMAL,
  COMMAND_KIND.SPLITTABLE,
  COMMAND_KIND.MOVE,
  COMMAND_KIND.COPY,
]);
