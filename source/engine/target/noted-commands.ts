// The stream's commands on their way to a target that was not empty: a key that the source writes is the source's from then
// on, whatever the target held under its name. Only for such targets; 0.5 MiB remember the keys that were looked at last,
// so that a key which is written again and again costs its hash and no look into a file.
import { COMMAND_KIND } from '../../protocol/command-spec.ts';
import type { CommandTable } from '../../protocol/command-table.ts';
import { KeyHash } from '../../readers/scan/key-hash.ts';
import type { StreamParser } from '../../readers/stream-parser.ts';
import type { CommandTaker } from '../shard/shard-target.ts';
import { CommandKeys } from './command-keys.ts';
import { CommandRelay } from './command-relay.ts';
import type { KeysBefore } from './keys-before.ts';

const REMEMBERED = 65_536;
const SCRIPTS = /^(EVAL|FCALL)/;

export class NotedCommands extends CommandRelay {
  readonly #before: KeysBefore;
  readonly #swaps: boolean;
  readonly #table: CommandTable;
  readonly #keys = new CommandKeys();
  readonly #hash = new KeyHash();
  /** Low and high half of a hash in turn, at the place that the low one names. */
  readonly #noted = new Uint32Array(REMEMBERED * 2);

  /** @param swaps SWAPDB goes to the target. */
  constructor(inner: CommandTaker, before: KeysBefore, table: CommandTable, swaps: boolean) {
    super(inner);
    this.#before = before;
    this.#table = table;
    this.#swaps = swaps;
  }

  override handle(command: StreamParser): void {
    this.#note(command);
    this.inner.handle(command);
  }

  override inject(command: StreamParser): void {
    this.#note(command);
    this.inner.inject(command);
  }

  #note(command: StreamParser): void {
    const spec = this.#table.lookup(command.bytes, command.offsets, command.lengths, command.count);
    if (spec === null || spec.kind === COMMAND_KIND.SPUBLISH) return;
    if (spec.kind === COMMAND_KIND.SWAPDB && this.#swaps) this.#before.databasesSwapped();
    const { count, starts, lengths, databases } = this.#keys.find(command, spec, this.inner.database);
    // RENAME writes all of its keys, but SUNIONSTORE only one; a script may write none.
    const isCertain = spec.kind === COMMAND_KIND.SPLITTABLE || (count === 1 && !SCRIPTS.test(spec.name));
    for (let i = 0; i < count; i++) {
      this.#noteKey(databases[i] as number, command.bytes, starts[i] as number, lengths[i] as number, isCertain);
    }
  }

  #noteKey(database: number, bytes: Buffer, start: number, length: number, isCertain: boolean): void {
    this.#hash.of(database, bytes, start, length);
    const { low, high } = this.#hash;
    const at = (low & (REMEMBERED - 1)) * 2;
    if (this.#noted[at] === low && this.#noted[at + 1] === high) return;
    this.#before.streamed(database, bytes, start, length, isCertain);
    if (!isCertain) return;
    this.#noted[at] = low;
    this.#noted[at + 1] = high;
  }
}
