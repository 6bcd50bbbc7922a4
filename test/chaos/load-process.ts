// The harness's side of the load process.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { atProcessEnd } from '../../source/demo/process-cleanup.ts';
import type { LoadOptions, LoadStats } from './load.ts';
import type { FromLoad, ToLoad } from './load-writer.ts';

export class LoadProcess {
  readonly #child: ChildProcess;
  readonly #forget: () => void;

  private constructor() {
    this.#child = fork(fileURLToPath(new URL('./load-writer.ts', import.meta.url)), [], {
      // Nothing of vitest's own flags.
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#forget = atProcessEnd(() => this.#child.kill('SIGKILL'));
  }

  /** Resolves when the writes have begun. */
  static async start(options: LoadOptions): Promise<LoadProcess> {
    const load = new LoadProcess();
    await load.#ask({ type: 'start', options });
    return load;
  }

  async stats(): Promise<LoadStats> {
    return statsOf(await this.#ask({ type: 'stats' }));
  }

  /** No more writes, every reply in; the process has ended. */
  async stop(): Promise<LoadStats> {
    const answer = await this.#ask({ type: 'stop' });
    this.kill();
    return statsOf(answer);
  }

  /** Harmless when repeated. */
  kill(): void {
    this.#child.kill('SIGKILL');
    this.#forget();
  }

  #ask(message: ToLoad): Promise<FromLoad> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: FromLoad | Error): void => {
        this.#child.off('message', onMessage);
        this.#child.off('exit', onExit);
        if (outcome instanceof Error) reject(outcome);
        else if (outcome.type === 'failed') reject(new Error(`the load: ${outcome.message}`));
        else resolve(outcome);
      };
      const onMessage = (told: FromLoad): void => settle(told);
      const onExit = (): void => settle(new Error('the process of the load ended'));
      this.#child.on('message', onMessage);
      this.#child.on('exit', onExit);
      this.#child.send(message, (error) => {
        if (error !== null) settle(error);
      });
    });
  }
}

function statsOf(answer: FromLoad): LoadStats {
  if (answer.type === 'started' || answer.type === 'failed') throw new Error(`the load answered ${answer.type}`);
  return answer.stats;
}
