// The demo's side of the writer process: starts it, tells it what to do, waits for its answers.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { FerryError } from '../engine/errors.ts';
import type { FromWriter, ToWriter, WriterOrder } from './demo-writer.ts';

/** Beside this file: TypeScript in the source tree, one bundle in dist. */
const WRITER_FILE = import.meta.url.endsWith('.ts') ? './demo-writer.ts' : './demo-writer.js';

export class WriterProcess {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(new URL(WRITER_FILE, import.meta.url)), [], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
  }

  /** Fills the source, then writes to it until `stop`. @throws FerryError `demo` with the server's words. */
  async begin(order: WriterOrder): Promise<void> {
    await this.#ask({ type: 'begin', order }, 'writing');
  }

  /** No more writes; every reply is in when it resolves. */
  async stop(): Promise<void> {
    if (this.#child.connected) await this.#ask({ type: 'stop' }, 'stopped');
  }

  /** Ends the process at once. */
  end(): void {
    this.#child.kill('SIGKILL');
  }

  #ask(message: ToWriter, answer: FromWriter['type']): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: FerryError | null): void => {
        this.#child.off('message', onMessage);
        this.#child.off('exit', onExit);
        if (error === null) resolve();
        else reject(error);
      };
      const onMessage = (told: FromWriter): void => {
        if (told.type === answer) settle(null);
        else if (told.type === 'failed') settle(new FerryError(told.message, { code: 'demo' }));
      };
      const onExit = (): void =>
        settle(new FerryError('The process that writes to the source ended.', { code: 'demo' }));
      this.#child.on('message', onMessage);
      this.#child.on('exit', onExit);
      this.#child.send(message);
    });
  }
}
