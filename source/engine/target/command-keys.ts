// The keys of a stream's command with the databases they are in: the one it runs in, and the second one that MOVE and COPY
// may name.
import { COMMAND_KIND, type CommandSpec } from '../../protocol/command-spec.ts';
import { findKeys } from '../../protocol/key-finder.ts';
import type { StreamParser } from '../../readers/stream-parser.ts';

/** More keys than this in one command make the lists grow. */
const MOST_KEYS = 1024;

export class CommandKeys {
  /** How many keys the command asked for last has; 0 also where they can not be told. */
  count = 0;
  /** Of each key: where its bytes stand in the command's, and its database. */
  starts = new Int32Array(MOST_KEYS);
  lengths = new Int32Array(MOST_KEYS);
  databases = new Int32Array(MOST_KEYS);
  #indexes = new Int32Array(MOST_KEYS);

  /** Finds the keys of a command that runs in `database`. */
  find(command: StreamParser, spec: CommandSpec | null, database: number): this {
    this.count = 0;
    if (spec === null) return this;
    // One more than it has arguments: MOVE has one name in two databases.
    if (command.count + 1 > this.#indexes.length) this.#grow(command.count + 1);
    const { bytes, offsets, lengths, count } = command;
    const found = findKeys(spec, bytes, offsets, lengths, count, this.#indexes);
    for (let i = 0; i < found; i++) this.#add(command, this.#indexes[i] as number, database);
    if (found > 0) this.#addOtherDatabase(command, spec, this.#indexes[found - 1] as number);
    return this;
  }

  /** MOVE k db: the same name there; COPY from to DB db: only the copy is there. */
  #addOtherDatabase(command: StreamParser, spec: CommandSpec, lastIndex: number): void {
    if (spec.kind === COMMAND_KIND.MOVE) {
      this.#add(command, lastIndex, Number(command.text(2)));
    } else if (spec.kind === COMMAND_KIND.COPY) {
      for (let i = 3; i + 1 < command.count; i++) {
        if (command.text(i).toUpperCase() === 'DB') this.databases[1] = Number(command.text(i + 1));
      }
    }
  }

  #add(command: StreamParser, index: number, database: number): void {
    const at = this.count++;
    this.starts[at] = command.offsets[index] as number;
    this.lengths[at] = command.lengths[index] as number;
    this.databases[at] = database;
  }

  #grow(count: number): void {
    this.starts = new Int32Array(count);
    this.lengths = new Int32Array(count);
    this.databases = new Int32Array(count);
    this.#indexes = new Int32Array(count);
  }
}
