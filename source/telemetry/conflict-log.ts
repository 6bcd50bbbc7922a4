// Every settled conflict of a run as one JSON line, beside its log file, from the first on: a view on the screen holds the
// newest only. Not made before there is one.
import { type ConflictRecord, conflictFile } from '../engine/contract/conflict.ts';
import { messageOf } from '../engine/errors.ts';
import { hashedKey, type KeyNames } from './hidden-keys.ts';
import { LogFile } from './log-file.ts';

/** One write for each would make a run with a conflict at every key wait for the disk. */
const LINES_AT_ONCE = 500;

export interface ConflictLogOptions {
  /** Of the run. */
  readonly logFile: string;
  readonly keys: KeyNames;
  /** The file can not be written, told once as a sentence; null: it can again. */
  readonly trouble: (sentence: string | null) => void;
}

export class ConflictLog {
  readonly #options: ConflictLogOptions;
  #file: LogFile | null = null;
  #given = false;

  constructor(options: ConflictLogOptions) {
    this.#options = options;
  }

  write(conflicts: readonly ConflictRecord[]): void {
    const file = this.#opened();
    for (let from = 0; file !== null && from < conflicts.length; from += LINES_AT_ONCE) {
      const some = conflicts.slice(from, from + LINES_AT_ONCE);
      file.write(some.map((conflict) => `${JSON.stringify(lineOf(conflict, this.#options.keys))}\n`).join(''));
    }
  }

  close(): void {
    this.#file?.close();
  }

  #opened(): LogFile | null {
    if (this.#file !== null || this.#given) return this.#file;
    this.#given = true;
    const { logFile, trouble } = this.#options;
    try {
      const role = { what: 'The file of conflicts', setting: 'log.file' };
      this.#file = new LogFile({ role, path: conflictFile(logFile), trouble });
    } catch (error) {
      trouble(messageOf(error));
    }
    return this.#file;
  }
}

function lineOf({ id: _, timeMs, keyBase64, ...conflict }: ConflictRecord, keys: KeyNames): object {
  const named = keys === 'hash' ? { ...conflict, key: hashedKey(conflict.key) } : { ...conflict, keyBase64 };
  return { v: 1, time: new Date(timeMs).toISOString(), ...named };
}
