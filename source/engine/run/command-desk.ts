// Takes every command of every screen and script: asks for the confirmation that it needs, has it obeyed, and writes down
// what came of it. What the process does by itself (a signal) is written down too.

import type { CommandOutcome, EngineCommand } from '../contract/command.ts';
import type { EngineSnapshot } from '../contract/engine-snapshot.ts';
import { AUDIT_KEPT, type AuditEntry, type ConfirmationLevel, type Order } from '../contract/order.ts';
import { steadyMs, wallMs } from '../steady-clock.ts';
import { isConfirmed, levelOf } from './confirmation.ts';
import { targetName } from './target-name.ts';

/** Of a command that names nobody: the process asks itself. */
const OWN_ORDER: Order = { client: 'redferry', confirmed: 'self' };

export interface CommandDeskParts {
  readonly snapshot: () => EngineSnapshot;
  readonly obey: (command: EngineCommand) => Promise<CommandOutcome>;
  /** Gets each entry as it is made, for the file. */
  readonly onAudit: (entry: AuditEntry) => void;
}

export class CommandDesk {
  readonly #parts: CommandDeskParts;
  #entries: readonly AuditEntry[] = [];
  #count = 0;

  constructor(parts: CommandDeskParts) {
    this.#parts = parts;
  }

  /** The newest last, at most AUDIT_KEPT. */
  get entries(): readonly AuditEntry[] {
    return this.#entries;
  }

  async handle(command: EngineCommand, order: Order = OWN_ORDER): Promise<CommandOutcome> {
    const snapshot = this.#parts.snapshot();
    const level = levelOf(command, snapshot);
    const outcome = isConfirmed(level, order.confirmed, snapshot.target.address)
      ? await this.#parts.obey(command)
      : unconfirmed(level, snapshot);
    this.#write(command, order, outcome);
    return outcome;
  }

  #write(command: EngineCommand, { client, confirmed }: Order, { accepted, message, change }: CommandOutcome): void {
    const entry: AuditEntry = {
      id: ++this.#count,
      timeMs: wallMs(steadyMs()),
      client,
      command: summaryOf(command),
      confirmed: confirmed === 'self' ? 'no' : confirmed,
      accepted,
      message,
      change: change ?? null,
    };
    this.#entries = [...this.#entries.slice(1 - AUDIT_KEPT), entry];
    this.#parts.onAudit(entry);
  }
}

function unconfirmed(level: ConfirmationLevel, { target }: EngineSnapshot): CommandOutcome {
  const how = level === 'yes' ? 'yes' : `the target's name, ${targetName(target.address)}`;
  return { accepted: false, needs: level, message: `This has to be confirmed with ${how}.` };
}

/** The command without what may be long or private: of keys their number. */
function summaryOf(command: EngineCommand): AuditEntry['command'] {
  if (command.type === 'repair') return { type: 'repair', keys: command.keys.length };
  if (command.type !== 'repair-differences') return command;
  const { type, kind, keys } = command;
  return { type, kind, keys: keys === null ? null : keys.length };
}
