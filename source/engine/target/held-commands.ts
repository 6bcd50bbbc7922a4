// The stream's commands on their way to a target on which expiries are held: what sets one is changed, all else passes at
// the price of a look at the length of its name.
import type { ExpiryHold } from '../../protocol/held-expiry.ts';
import type { StreamParser } from '../../readers/stream-parser.ts';
import type { CommandTaker } from '../shard/shard-target.ts';
import { CommandRelay, readCommand } from './command-relay.ts';

export class HeldCommands extends CommandRelay {
  readonly #hold: ExpiryHold;

  constructor(inner: CommandTaker, hold: ExpiryHold) {
    super(inner);
    this.#hold = hold;
  }

  override handle(command: StreamParser): void {
    this.inner.handle(this.#held(command));
  }

  override inject(command: StreamParser): void {
    this.inner.inject(this.#held(command));
  }

  /** The command itself, or what goes in its place. */
  #held(command: StreamParser): StreamParser {
    const instead = this.#hold.command(command);
    if (instead === null) return command;
    return readCommand(instead);
  }
}
