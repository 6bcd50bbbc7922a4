// The stream's commands on their way to a target on which expiries are held: what sets one is changed, all else passes at
// the price of a look at the length of its name.
import type { ExpiryHold } from '../protocol/held-expiry.ts';
import { ByteWindow } from '../readers/byte-window.ts';
import { StreamParser } from '../readers/stream-parser.ts';
import type { CommandTaker } from './shard-target.ts';

export class HeldCommands implements CommandTaker {
  readonly #inner: CommandTaker;
  readonly #hold: ExpiryHold;

  constructor(inner: CommandTaker, hold: ExpiryHold) {
    this.#inner = inner;
    this.#hold = hold;
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
    this.#inner.handle(this.#held(command));
  }

  inject(command: StreamParser): void {
    this.#inner.inject(this.#held(command));
  }

  oversized(command: StreamParser): void {
    this.#inner.oversized(command);
  }

  discardBlock(): void {
    this.#inner.discardBlock();
  }

  /** The command itself, or what goes in its place. */
  #held(command: StreamParser): StreamParser {
    const instead = this.#hold.command(command);
    if (instead === null) return command;
    const parser = new StreamParser(new ByteWindow(instead), { commandBytes: instead.length });
    parser.next();
    return parser;
  }
}
