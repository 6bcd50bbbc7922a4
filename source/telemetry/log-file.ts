// The log's file on a disk that may be full: what cannot be written waits in memory, up to a limit, and is tried again. A
// run never ends for want of a log.
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { EXIT, FerryError, messageOf } from '../engine/errors.ts';

const OWNER_ONLY = 0o600;
const MOST_HELD_BYTES = 1024 * 1024;
const RETRY_MS = 1000;

/** What a file is called where it makes trouble, and the setting that names another. */
export interface FileRole {
  readonly what: string;
  readonly setting: string;
}

const LOG: FileRole = { what: 'The log file', setting: 'log.file' };

export interface LogFileOptions {
  /** Left out: the run's log. */
  readonly role?: FileRole;
  /** Created when missing, appended to otherwise, readable by its owner only. */
  readonly path: string;
  /** Told once for each outage, with a sentence; null: writing works again. */
  readonly trouble: (sentence: string | null) => void;
  /** Stands in for the disk in tests: writes some of the bytes and gives how many, or throws. */
  readonly write?: (descriptor: number, bytes: Uint8Array) => number;
}

export class LogFile {
  readonly #options: LogFileOptions;
  readonly #role: FileRole;
  readonly #write: (descriptor: number, bytes: Uint8Array) => number;
  readonly #descriptor: number;
  /** Lines that are not on disk, the first of them perhaps in part. */
  readonly #held: Buffer[] = [];
  #heldBytes = 0;
  #lostLines = 0;
  #failing = false;
  #timer: NodeJS.Timeout | null = null;

  /** @throws FerryError when the file cannot be opened. */
  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#role = options.role ?? LOG;
    this.#write = options.write ?? writeSync;
    try {
      mkdirSync(dirname(options.path), { recursive: true });
      this.#descriptor = openSync(options.path, 'a', OWNER_ONLY);
    } catch (thrown) {
      throw new FerryError(
        `${this.#role.what} ${options.path} cannot be opened (${messageOf(thrown)}): name another with ${this.#role.setting}.`,
        { code: 'log', exitCode: EXIT.usage, cause: thrown },
      );
    }
  }

  /** @param line with its line end. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#heldBytes + bytes.length > MOST_HELD_BYTES) {
      this.#lostLines++;
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#timer === null) this.#flush();
  }

  /** Tries for the last time what waits. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#flush();
    if (this.#timer !== null) clearTimeout(this.#timer);
    closeSync(this.#descriptor);
  }

  #flush(): void {
    try {
      this.#writeHeld();
      if (this.#lostLines > 0) this.#writeLoss();
    } catch (thrown) {
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.#flush();
      }, RETRY_MS).unref();
      this.#fail(thrown);
      return;
    }
    if (!this.#failing) return;
    this.#failing = false;
    this.#options.trouble(null);
  }

  #writeHeld(): void {
    for (let first = this.#held[0]; first !== undefined; first = this.#held[0]) {
      const written = this.#write(this.#descriptor, first);
      this.#heldBytes -= written;
      if (written === first.length) this.#held.shift();
      else this.#held[0] = first.subarray(written);
    }
  }

  #writeLoss(): void {
    const msg = `${this.#lostLines} lines were lost while this file could not be written`;
    this.#lostLines = 0;
    const loss = Buffer.from(`${JSON.stringify({ level: 40, time: new Date().toISOString(), msg })}\n`);
    this.#held.push(loss);
    this.#heldBytes += loss.length;
    this.#writeHeld();
  }

  #fail(thrown: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#options.trouble(
      `${this.#role.what} ${this.#options.path} cannot be written (${messageOf(thrown)}): make room there. The run goes on; the last ${MOST_HELD_BYTES / 1024} KB of it wait in memory.`,
    );
  }
}
