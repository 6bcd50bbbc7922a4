// The stream's commands on their way to a target whose databases have other numbers: SELECT, MOVE and COPY name them. What
// comes behind this knows the target's numbers only.

import type { CommandTaker } from '../engine/shard/shard-target.ts';
import { readCommand } from '../engine/target/command-relay.ts';
import { encodeCommand } from '../protocol/resp-encode.ts';
import type { StreamParser } from '../readers/stream-parser.ts';
import type { DatabaseMap } from './database-map.ts';

export class MappedCommands implements CommandTaker {
  readonly #inner: CommandTaker;
  readonly #map: DatabaseMap;
  readonly #refused: (args: readonly Buffer[], reason: string) => void;
  #database = 0;
  #begun = false;

  /** @param refused a command that the map makes meaningless. */
  constructor(inner: CommandTaker, map: DatabaseMap, refused: (args: readonly Buffer[], reason: string) => void) {
    this.#inner = inner;
    this.#map = map;
    this.#refused = refused;
  }

  get insideBlock(): boolean {
    return this.#inner.insideBlock;
  }

  /** The source's: where only one goes to what is selected on the target, that one, also after a way back. */
  get database(): number {
    if (!this.#begun) return this.#database;
    const [only, ...others] = this.#map.sourcesOf(this.#inner.database);
    return only !== undefined && others.length === 0 ? only : this.#database;
  }

  set database(database: number) {
    this.#begun = true;
    this.#database = database;
    this.#inner.database = this.#map.of(database);
  }

  handle(command: StreamParser): void {
    // The source's stream begins in database 0 without a word.
    if (!this.#begun && this.#inner.database === 0) this.database = 0;
    const instead = this.#mapped(command);
    if (instead !== null) this.#inner.handle(instead);
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

  /** The command itself, or what goes in its place; null when nothing does. */
  #mapped(command: StreamParser): StreamParser | null {
    const length = command.lengths[0];
    if (length !== 4 && length !== 6) return command;
    switch (nameOf(command)) {
      case 'SELECT':
        this.#begun = true;
        this.#database = Number(command.text(1));
        return this.#with(command, 1);
      case 'MOVE':
        return this.#with(command, 2);
      case 'COPY': {
        for (let i = 3; i + 1 < command.count; i++)
          if (command.text(i).toUpperCase() === 'DB') return this.#with(command, i + 1);
        return command;
      }
      case 'SWAPDB': {
        const [one, other] = [Number(command.text(1)), Number(command.text(2))];
        if (this.#map.of(one) === one && this.#map.of(other) === other) return command;
        this.#refused(command.copyArguments(), 'databases.map sends one of them elsewhere');
        return null;
      }
      default:
        return command;
    }
  }

  /** The same with the number of a database at that place as the target has it. */
  #with(command: StreamParser, place: number): StreamParser {
    const database = Number(command.text(place));
    const mapped = this.#map.of(database);
    if (mapped === database) return command;
    const args = command.copyArguments();
    args[place] = Buffer.from(String(mapped));
    return readCommand(encodeCommand(args));
  }
}

function nameOf(command: StreamParser): string {
  return command.text(0).toUpperCase();
}
