// Decides for each command of the stream where it goes: on as it is, to the node of its slot, split by slot, behind a
// barrier, or nowhere (and then says so). Forwards the original bytes; makes no object for a plain command.
import type { KeylessRule, KeylessRules } from '../engine/shard-job.ts';
import { COMMAND_KIND, type CommandSpec } from '../protocol/command-spec.ts';
import type { CommandTable } from '../protocol/command-table.ts';
import { findKeys } from '../protocol/key-finder.ts';
import { encodeCommand, putBytes } from '../protocol/resp-encode.ts';
import { slotOf } from '../protocol/slot.ts';
import type { StreamParser } from '../readers/stream-parser.ts';
import { BlockBuffer } from './block-buffer.ts';
import type { NodeWriter } from './node-writer.ts';
import type { TargetNodes } from './target-nodes.ts';

export interface RouterHost {
  /** A command that does not reach the target, with the reason. */
  refused(database: number, args: readonly Buffer[], reason: string): void;
  /** A command that the settings say to drop. */
  ignored(name: string): void;
  /** Sends a command without keys to every target node once all before it is applied; nothing else goes on until then. */
  broadcast(args: readonly Buffer[]): void;
  /** Said once for a shard. */
  notAtomic(reason: string): void;
}

export interface RouterOptions {
  readonly keyless: KeylessRules;
  /** The source has other shards: a flush or swap of this one is not theirs. */
  readonly sourceIsCluster: boolean;
  /** Largest block kept together for a cluster target, bytes. */
  readonly transactionBytes: number;
}

const MULTI = Buffer.from('*1\r\n$5\r\nMULTI\r\n');
const DISCARD = Buffer.from('*1\r\n$7\r\nDISCARD\r\n');
const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n');
const MIXED_SLOTS = -2;
const NO_SLOT = -1;
const ONLY_DATABASE_0 = 'the target is a cluster, which has database 0 only';

export class StreamRouter {
  /** The database that the source's stream has selected. */
  database = 0;
  /** Between MULTI and EXEC: what was read so far has no effect of its own yet. */
  insideBlock = false;
  readonly #nodes: TargetNodes;
  readonly #table: CommandTable;
  readonly #host: RouterHost;
  readonly #options: RouterOptions;
  #keys = new Int32Array(MOST_KEYS);
  readonly #block: BlockBuffer;
  /** The block under way outgrew the limit: its commands go on one by one. */
  #blockGivenUp = false;

  constructor(nodes: TargetNodes, table: CommandTable, host: RouterHost, options: RouterOptions) {
    this.#nodes = nodes;
    this.#table = table;
    this.#host = host;
    this.#options = options;
    this.#block = new BlockBuffer(options.transactionBytes);
  }

  /** Takes the command that the parser read last. */
  handle(command: StreamParser): void {
    const spec = this.#table.lookup(command.bytes, command.offsets, command.lengths, command.count);
    switch (spec?.kind) {
      case COMMAND_KIND.PING:
      case COMMAND_KIND.REPLCONF:
      case COMMAND_KIND.TOPOLOGY:
        return;
      case COMMAND_KIND.SELECT:
        this.database = Number(text(command, 1));
        return;
      case COMMAND_KIND.MULTI:
        this.#multi(command);
        return;
      case COMMAND_KIND.EXEC:
        this.#exec(command);
        return;
      default:
        if (this.#nodes.cluster && this.insideBlock && !this.#blockGivenUp) this.#collect(command, spec);
        else this.#single(command, spec);
    }
  }

  /** The block under way never gets its EXEC: none of it takes effect. */
  discardBlock(): void {
    if (!this.insideBlock) return;
    this.insideBlock = false;
    this.#block.clear();
    if (this.#nodes.cluster) return;
    const writer = this.#nodes.first;
    const at = writer.reserve(DISCARD.length, this.database);
    writer.commit(putBytes(writer.out, at, DISCARD, 0, DISCARD.length), 0, 1);
    writer.setInsideBlock(false);
  }

  /** A command above the limit was passed over. */
  oversized(command: StreamParser): void {
    this.#host.refused(this.database, command.oversizedName, 'the command is larger than limits.valueInMemory');
  }

  #single(command: StreamParser, spec: CommandSpec | null): void {
    switch (spec?.kind) {
      case COMMAND_KIND.FLUSHALL:
      case COMMAND_KIND.FLUSHDB:
        this.#wholeDatabase(command, this.#options.keyless.flush, 'filter.flush');
        return;
      case COMMAND_KIND.SWAPDB:
        this.#wholeDatabase(command, this.#options.keyless.swapdb, 'filter.swapdb');
        return;
      case COMMAND_KIND.PUBLISH:
      case COMMAND_KIND.SPUBLISH:
        this.#published(command, spec);
        return;
      case COMMAND_KIND.SCRIPT:
        this.#everywhere(command, this.#options.keyless.script, 'filter.script');
        return;
      case COMMAND_KIND.FUNCTION:
        this.#everywhere(command, this.#options.keyless.function, 'filter.function');
        return;
      default:
        if (this.#nodes.cluster) this.#route(command, spec);
        else this.#append(this.#nodes.first, command);
    }
  }

  /** FLUSHALL, FLUSHDB, SWAPDB: they touch more than this shard's keys unless the source is one node. */
  #wholeDatabase(command: StreamParser, rule: KeylessRule, setting: string): void {
    if (rule === 'forward' && this.#options.sourceIsCluster) {
      this.#host.refused(
        this.database,
        copyArguments(command),
        'one shard of a cluster must not empty or swap what others own',
      );
      return;
    }
    this.#everywhere(command, rule, setting);
  }

  /** To one node only: a cluster passes PUBLISH on by itself, and SPUBLISH belongs to the slot of its channel. */
  #published(command: StreamParser, spec: CommandSpec | null): void {
    const rule = this.#options.keyless.publish;
    if (rule !== 'forward') this.#drop(command, rule, 'filter.publish');
    else if (this.#nodes.cluster && spec?.kind === COMMAND_KIND.SPUBLISH) this.#route(command, spec);
    else this.#append(this.#nodes.first, command);
  }

  #everywhere(command: StreamParser, rule: KeylessRule, setting: string): void {
    if (rule !== 'forward') this.#drop(command, rule, setting);
    else if (this.#nodes.cluster) this.#host.broadcast(copyArguments(command));
    else this.#append(this.#nodes.first, command);
  }

  #drop(command: StreamParser, rule: KeylessRule, setting: string): void {
    if (rule === 'ignore') this.#host.ignored(text(command, 0).toUpperCase());
    else this.#host.refused(this.database, copyArguments(command), `${setting} is "refuse"`);
  }

  /** Towards a cluster: to the node of the keys' slot, or split when the command allows it. */
  #route(command: StreamParser, spec: CommandSpec | null): void {
    if (this.database !== 0) {
      this.#host.refused(this.database, copyArguments(command), ONLY_DATABASE_0);
      return;
    }
    const slot = this.#slotOf(command, spec);
    if (slot >= 0) {
      this.#append(this.#nodes.ofSlot(slot), command);
    } else if (slot === MIXED_SLOTS && spec?.kind === COMMAND_KIND.SPLITTABLE) {
      this.#split(command, spec);
    } else {
      this.#host.refused(
        this.database,
        copyArguments(command),
        slot === MIXED_SLOTS ? 'its keys belong to different slots' : 'its keys are not known, so neither is its node',
      );
    }
  }

  /** The one slot of all keys, MIXED_SLOTS, or NO_SLOT when there is no key or none can be told. */
  #slotOf(command: StreamParser, spec: CommandSpec | null): number {
    if (spec === null) return NO_SLOT;
    const count = this.#findKeys(command, spec);
    if (count <= 0) return NO_SLOT;
    const { bytes, offsets, lengths } = command;
    const first = this.#keys[0] as number;
    const slot = slotOf(bytes, offsets[first] as number, lengths[first] as number);
    for (let i = 1; i < count; i++) {
      const key = this.#keys[i] as number;
      if (slotOf(bytes, offsets[key] as number, lengths[key] as number) !== slot) return MIXED_SLOTS;
    }
    return slot;
  }

  #findKeys(command: StreamParser, spec: CommandSpec): number {
    if (command.count > this.#keys.length) this.#keys = new Int32Array(command.count * 2);
    return findKeys(spec, command.bytes, command.offsets, command.lengths, command.count, this.#keys);
  }

  /** DEL, UNLINK, TOUCH key by key, MSET pair by pair. */
  #split(command: StreamParser, spec: CommandSpec): void {
    const { bytes, offsets, lengths } = command;
    const count = this.#findKeys(command, spec);
    const name = argument(command, 0);
    const width = spec.keys.step;
    for (let i = 0; i < count; i++) {
      const key = this.#keys[i] as number;
      const parts = [name, argument(command, key)];
      if (width === 2) parts.push(argument(command, key + 1));
      const writer = this.#nodes.ofSlot(slotOf(bytes, offsets[key] as number, lengths[key] as number));
      const encoded = encodeCommand(parts);
      const at = writer.reserve(encoded.length, 0);
      writer.commit(putBytes(writer.out, at, encoded, 0, encoded.length), 0, 1);
    }
  }

  #append(writer: NodeWriter, command: StreamParser): void {
    const length = command.end - command.start;
    const at = writer.reserve(length, this.database);
    writer.commit(putBytes(writer.out, at, command.bytes, command.start, length), 0, 1);
  }

  #multi(command: StreamParser): void {
    this.insideBlock = true;
    if (this.#nodes.cluster) {
      this.#block.clear();
      this.#blockGivenUp = false;
      return;
    }
    this.#nodes.first.setInsideBlock(true);
    this.#append(this.#nodes.first, command);
  }

  #exec(command: StreamParser): void {
    if (!this.insideBlock) return;
    this.insideBlock = false;
    if (!this.#nodes.cluster) {
      this.#append(this.#nodes.first, command);
      this.#nodes.first.setInsideBlock(false);
      return;
    }
    if (this.#blockGivenUp || this.#block.commands === 0) return;
    const slot = this.#block.slot;
    if (slot !== null && this.#block.commands > 1) this.#sendBlock(this.#nodes.ofSlot(slot));
    else this.#sendOneByOne(slot === null ? 'its keys belong to different slots' : null);
  }

  /** Inside a block towards a cluster: keep the command until EXEC shows whether the block has one slot. */
  #collect(command: StreamParser, spec: CommandSpec | null): void {
    const plain = this.database === 0 && spec !== null && ROUTED_KINDS.has(spec.kind);
    const slot = plain ? this.#slotOf(command, spec) : NO_SLOT;
    if (this.#block.add(command.bytes, command.start, command.end, this.database, slot >= 0 ? slot : null)) return;
    this.#sendOneByOne('the transaction is larger than limits.transaction');
    this.#blockGivenUp = true;
    this.#single(command, spec);
  }

  #sendBlock(writer: NodeWriter): void {
    const block = this.#block.bytes;
    let at = writer.reserve(MULTI.length + block.length + EXEC.length, 0);
    at = putBytes(writer.out, at, MULTI, 0, MULTI.length);
    at = putBytes(writer.out, at, block, 0, block.length);
    at = putBytes(writer.out, at, EXEC, 0, EXEC.length);
    writer.commit(at, 0, this.#block.commands + 2);
  }

  #sendOneByOne(reason: string | null): void {
    if (reason !== null && this.#block.commands > 1) this.#host.notAtomic(reason);
    const after = this.database;
    for (const { command, database } of this.#block.replay()) {
      this.database = database;
      this.#single(command, this.#table.lookup(command.bytes, command.offsets, command.lengths, command.count));
    }
    this.database = after;
  }
}

/** Commands that go to the slot of their keys. */
const ROUTED_KINDS: ReadonlySet<number> = new Set([
  COMMAND_KIND.NORMAL,
  COMMAND_KIND.SPLITTABLE,
  COMMAND_KIND.MOVE,
  COMMAND_KIND.COPY,
]);

/** More keys than this in one command make the list grow. */
const MOST_KEYS = 1024;

function argument(command: StreamParser, index: number): Buffer {
  const start = command.offsets[index] as number;
  return command.bytes.subarray(start, start + (command.lengths[index] as number));
}

function text(command: StreamParser, index: number): string {
  return index < command.count ? argument(command, index).toString('latin1') : '';
}

function copyArguments(command: StreamParser): Buffer[] {
  return Array.from({ length: command.count }, (_, index) => Buffer.from(argument(command, index)));
}
