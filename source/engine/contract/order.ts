// Who asks for a command and how far it was confirmed, and the record that the audit log keeps of it.
import type { Change, EngineCommand, RepairKind } from './command.ts';

/** Who asks for a command, and how it was confirmed. */
export interface Order {
  /** `screen (process 4711, alice)`, `ctl (process 4712, alice) #3`, `SIGTERM`. */
  readonly client: string;
  readonly confirmed: Confirmation;
}

/** What was answered to the question before a command; `self`: nobody asks, the process does it by itself. */
export type Confirmation = 'no' | 'yes' | 'self' | { readonly target: string };

/** How far a command has to be confirmed. `yes`: its effect was read; `target`: the target's name was typed. */
export type ConfirmationLevel = 'none' | 'yes' | 'target';

/** One command in the audit log. */
export interface AuditEntry {
  /** Grows by one with each entry of a run. */
  readonly id: number;
  /** Unix ms. */
  readonly timeMs: number;
  readonly client: string;
  readonly command:
    | Exclude<EngineCommand, { readonly type: 'repair' | 'repair-differences' }>
    | { readonly type: 'repair'; readonly keys: number }
    | { readonly type: 'repair-differences'; readonly kind: RepairKind; readonly keys: number | null };
  readonly confirmed: Exclude<Confirmation, 'self'>;
  readonly accepted: boolean;
  readonly message: string;
  readonly change: Change | null;
}

/** How many entries a snapshot carries; all are in the audit file. */
export const AUDIT_KEPT = 200;
