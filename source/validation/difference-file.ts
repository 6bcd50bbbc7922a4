// All differences of a comparison as JSON lines, written as they are confirmed. Names of keys and beginnings of values stand
// in it: only its owner may read it.
import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { EXIT, FerryError, messageOf } from '../engine/errors.ts';
import type { Difference } from './report.ts';

/** As it stands in a line. The key as text, and as base64 where it is no UTF-8. */
export interface DifferenceLine {
  readonly database: number;
  readonly key: string;
  readonly keyBase64: string | null;
  readonly type: string;
  readonly aspects: readonly string[];
  readonly detail: string;
}

export function differenceLine({ database, key, type, aspects, detail }: Difference): DifferenceLine {
  const name = key.toString('utf8');
  const exact = Buffer.from(name, 'utf8').equals(key);
  return { database, key: name, keyBase64: exact ? null : key.toString('base64'), type, aspects, detail };
}

export class DifferenceFile {
  readonly #descriptor: number;
  #bytes: number;

  /** Goes on behind what is there. @throws FerryError when the file can not be written. */
  constructor(path: string) {
    try {
      this.#descriptor = openSync(path, 'a', 0o600);
      this.#bytes = fstatSync(this.#descriptor).size;
    } catch (error) {
      throw new FerryError(`${path} can not be written: ${messageOf(error)}.`, {
        code: 'config',
        exitCode: EXIT.usage,
      });
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** One more line. */
  write(line: object): void {
    this.#bytes += writeSync(this.#descriptor, `${JSON.stringify(line)}\n`);
  }

  /** Drops what was written after that length: it will be found again. */
  cutTo(bytes: number): void {
    if (bytes >= this.#bytes) return;
    ftruncateSync(this.#descriptor, bytes);
    this.#bytes = bytes;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
