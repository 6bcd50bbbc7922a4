// The stream's commands on their way to a target on which `ignore` has kept keys: what goes to one of those would mix two
// values in one key, and is dropped and counted. Costs one comparison a command while there is no such key.
import { COMMAND_KIND, type CommandSpec } from '../../protocol/command-spec.ts';
import type { CommandTable } from '../../protocol/command-table.ts';
import { encodeCommand } from '../../protocol/resp-encode.ts';
import type { StreamParser } from '../../readers/stream-parser.ts';
import type { KeptKeys } from '../../writers/kept-keys.ts';
import type { CommandTaker } from '../shard/shard-target.ts';
import { CommandKeys } from './command-keys.ts';
import { CommandRelay, readCommand } from './command-relay.ts';

export interface KeptHost {
  /** Where the command that is handled ends: what is read again is not counted again. */
  readonly offset: number;
  /** A command, or a part of it, went to keys that are kept. */
  dropped(): void;
  refused(database: number, args: readonly Buffer[], reason: string): void;
}

export interface KeptRules {
  /** FLUSHALL and FLUSHDB, SWAPDB would go to the target. */
  readonly flush: boolean;
  readonly swapdb: boolean;
  readonly makeTable: () => CommandTable;
}

export class KeptCommands extends CommandRelay {
  readonly #kept: KeptKeys;
  readonly #rules: KeptRules;
  readonly #host: KeptHost;
  /** Made for the first key that is kept: few runs have any. */
  #table: CommandTable | null = null;
  #keys: CommandKeys | null = null;
  /** Up to here what was dropped has been counted. */
  #counted = Number.NEGATIVE_INFINITY;

  constructor(inner: CommandTaker, kept: KeptKeys, rules: KeptRules, host: KeptHost) {
    super(inner);
    this.#kept = kept;
    this.#rules = rules;
    this.#host = host;
  }

  override handle(command: StreamParser): void {
    if (this.#kept.size === 0) this.inner.handle(command);
    else this.#judge(command);
  }

  /** Somebody wants the source's value: from here on the key is the source's. */
  override inject(command: StreamParser): void {
    if (this.#kept.size > 0) {
      const keys = this.#keysOf(command, this.#specOf(command));
      for (let i = 0; i < keys.count; i++)
        this.#kept.delete(
          keys.databases[i] as number,
          command.bytes,
          keys.starts[i] as number,
          keys.lengths[i] as number,
        );
    }
    this.inner.inject(command);
  }

  #judge(command: StreamParser): void {
    const spec = this.#specOf(command);
    const { kind } = spec ?? { kind: COMMAND_KIND.NORMAL };
    const { flush, swapdb } = this.#rules;
    if (kind === COMMAND_KIND.FLUSHALL || kind === COMMAND_KIND.FLUSHDB) {
      if (flush) this.#refuse(command, `it would remove keys that "ignore" has kept on the target`);
      else this.inner.handle(command);
      return;
    }
    if (kind === COMMAND_KIND.SWAPDB && swapdb) {
      this.#refuse(command, `it would move keys that "ignore" has kept on the target to another database`);
      return;
    }
    const keys = this.#keysOf(command, kind === COMMAND_KIND.SPUBLISH ? null : spec);
    let kept = 0;
    for (let i = 0; i < keys.count; i++) if (this.#isKept(command, i)) kept++;
    if (kept === 0) this.inner.handle(command);
    else if (kept === keys.count) this.#drop();
    else if (kind === COMMAND_KIND.SPLITTABLE && spec !== null) this.#withoutKept(command, spec);
    else this.#refuse(command, `it goes to a key that "ignore" has kept on the target, and to others`);
  }

  /** DEL, UNLINK, TOUCH and MSET of the keys that are not kept. */
  #withoutKept(command: StreamParser, { keys }: CommandSpec): void {
    this.#drop();
    const found = this.#keysOf(command, this.#specOf(command));
    const args = [command.argument(0)];
    for (let i = 0; i < found.count; i++) {
      if (this.#isKept(command, i)) continue;
      const first = keys.first + i * keys.step;
      for (let part = 0; part < keys.step; part++) args.push(command.argument(first + part));
    }
    this.inner.handle(readCommand(encodeCommand(args)));
  }

  #isKept(command: StreamParser, index: number): boolean {
    const { databases, starts, lengths } = this.#keys as CommandKeys;
    return this.#kept.has(databases[index] as number, command.bytes, starts[index] as number, lengths[index] as number);
  }

  #specOf(command: StreamParser): CommandSpec | null {
    this.#table ??= this.#rules.makeTable();
    return this.#table.lookup(command.bytes, command.offsets, command.lengths, command.count);
  }

  #keysOf(command: StreamParser, spec: CommandSpec | null): CommandKeys {
    this.#keys ??= new CommandKeys();
    return this.#keys.find(command, spec, this.inner.database);
  }

  #drop(): void {
    if (this.#isFirst()) this.#host.dropped();
  }

  #refuse(command: StreamParser, reason: string): void {
    if (!this.#isFirst()) return;
    this.#host.refused(this.inner.database, command.copyArguments(), reason);
  }

  #isFirst(): boolean {
    const { offset } = this.#host;
    if (offset <= this.#counted) return false;
    this.#counted = offset;
    return true;
  }
}
