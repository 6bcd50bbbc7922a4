// The log of a chaos run: one JSON object a line, with the time, written at once, so that it is whole whatever happens.
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export class ChaosLog {
  readonly file: string | null;
  readonly #listen: (event: string, detail: object) => void;
  readonly #startedAt = performance.now();

  /** @param file null keeps none. @param listen is told everything too. */
  constructor(file: string | null, listen: (event: string, detail: object) => void = () => {}) {
    this.file = file;
    this.#listen = listen;
    if (file === null) return;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
  }

  write(event: string, detail: object = {}): void {
    const atMs = Math.round(performance.now() - this.#startedAt);
    if (this.file !== null) {
      appendFileSync(this.file, `${JSON.stringify({ time: new Date().toISOString(), atMs, event, ...detail })}\n`);
    }
    this.#listen(event, detail);
  }
}
