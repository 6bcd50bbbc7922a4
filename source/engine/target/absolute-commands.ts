// Commands whose expiry is relative, or written as the target does not understand it, on their way to a target: they are
// made absolute first. Everything else passes as it is, at the price of a look at its name.

import type { ExpiryRewriter } from '../../protocol/absolute-expiry.ts';
import { encodeCommand } from '../../protocol/resp-encode.ts';
import type { StreamParser } from '../../readers/stream-parser.ts';
import type { CommandTaker } from '../shard/shard-target.ts';
import { CommandRelay, readCommand } from './command-relay.ts';

const MULTI = encodeCommand(['MULTI']);
const EXEC = encodeCommand(['EXEC']);

export class AbsoluteCommands extends CommandRelay {
  readonly #rewriter: ExpiryRewriter;
  readonly #executedAtMs: () => number;

  /** @param executedAtMs when the source executed the command read last, of that many bytes; unix ms by its own clock. */
  constructor(inner: CommandTaker, rewriter: ExpiryRewriter, executedAtMs: () => number) {
    super(inner);
    this.#rewriter = rewriter;
    this.#executedAtMs = executedAtMs;
  }

  override handle(command: StreamParser): void {
    if (!this.#rewriter.needsRewrite(command)) {
      this.inner.handle(command);
      return;
    }
    const instead = this.#rewriter.rewrite(command, this.#executedAtMs());
    if (instead === null) this.inner.handle(command);
    else this.#pass(instead);
  }

  /** Several commands in place of one take effect together. */
  #pass(commands: readonly Buffer[]): void {
    const together = commands.length > 1 && !this.inner.insideBlock;
    for (const bytes of together ? [MULTI, ...commands, EXEC] : commands) {
      this.inner.handle(readCommand(bytes));
    }
  }
}
