// The audit log: one JSON line for every command that a run got, from whom, how it was confirmed, and what came of it. All
// runs of a user append to the same file, and nothing ever takes a line away.
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { makePrivateFolder } from '../checkpoint/durable-file.ts';
import { stateRoot } from '../checkpoint/state-directory.ts';
import type { AuditEntry } from '../engine/contract/order.ts';
import { type KeyNames, withoutKeys } from './hidden-keys.ts';
import { LogFile } from './log-file.ts';

/** Version of the lines' shape. */
const VERSION = 1;

export interface AuditFileOptions {
  readonly path: string;
  readonly run: string;
  /** The migration's target, as the person named it, without credentials. */
  readonly target: string;
  readonly keys: KeyNames;
  /** The file can not be written, told once as a sentence; null: it can again. */
  readonly trouble: (sentence: string | null) => void;
}

export interface AuditFile {
  write(entry: AuditEntry): void;
  close(): void;
}

/** `audit.jsonl` in the folder for state. */
export function auditPath(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  return join(stateRoot(environment, homedir()), 'audit.jsonl');
}

/** @throws FerryError or the system's error when the file can not be opened. */
export async function openAuditFile({ path, run, target, keys, trouble }: AuditFileOptions): Promise<AuditFile> {
  if (path === auditPath()) await makePrivateFolder(dirname(path));
  const file = new LogFile({ path, trouble, role: { what: 'The audit file', setting: 'log.audit' } });
  return {
    write: ({ timeMs, client, command, confirmed, accepted, message, change }) => {
      const time = new Date(timeMs).toISOString();
      const said = keys === 'hash' ? withoutKeys(message) : message;
      const line = { v: VERSION, time, run, target, client, command, confirmed, accepted, message: said, change };
      file.write(`${JSON.stringify(line)}\n`);
    },
    close: () => file.close(),
  };
}
