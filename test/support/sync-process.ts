// `redferry sync --json` in a process of its own, to be killed and started again.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { messageOf } from '../../source/engine/errors.ts';
import type { Place } from './migration.ts';
import { PROGRAM } from './pty.ts';
import { waitFor } from './wait.ts';

interface Line {
  readonly event: string;
  readonly message?: string;
  readonly outcome?: string;
  readonly exitCode?: number;
  readonly shards?: readonly {
    readonly name: string;
    readonly state: string;
    readonly lagBytes: number | null;
    readonly queued: number;
  }[];
}

export class SyncProcess {
  readonly lines: Line[] = [];
  readonly exited: Promise<number | null>;
  stderr = '';
  readonly #child: ChildProcess;
  #statusAtMs = 0;

  constructor(args: readonly string[], stateFolder: string) {
    this.#child = spawn(process.execPath, [PROGRAM, 'sync', '--json', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, REDFERRY_STATE_DIR: stateFolder },
    });
    onTestFinished(() => {
      this.#child.kill('SIGKILL');
    });
    this.exited = new Promise((resolve) => this.#child.on('exit', (code) => resolve(code)));
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.stderr += text.toString();
    });
    if (this.#child.stdout === null) throw new Error('no stdout');
    createInterface(this.#child.stdout).on('line', (text) => {
      const line = JSON.parse(text) as Line;
      if (line.event === 'status') this.#statusAtMs = performance.now();
      this.lines.push(line);
    });
  }

  get messages(): string {
    return this.lines.flatMap(({ message }) => message ?? []).join('\n');
  }

  async streaming(deadlineMs = 30_000): Promise<void> {
    await this.#status('to stream', deadlineMs, ({ state }) => state === 'streaming');
  }

  /** One shard is in that state, whatever the others are in. */
  async shardState(shard: string, wanted: string): Promise<void> {
    await this.#status(`to have ${shard} ${wanted}`, 30_000, ({ name, state }) => name !== shard || state === wanted);
  }

  async inState(wanted: string): Promise<void> {
    await this.#status(`to be in ${wanted}`, 30_000, ({ state }) => state === wanted);
  }

  /** The source's own offset is read once a second and told once a second. */
  async caughtUp(): Promise<void> {
    const from = performance.now() + 2200;
    await this.#status('to have no lag', 60_000, ({ lagBytes, queued }) => lagBytes === 0 && queued === 0, from);
  }

  kill(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return this.exited;
  }

  async #status(
    what: string,
    deadlineMs: number,
    holds: (shard: NonNullable<Line['shards']>[number]) => boolean,
    fromMs = 0,
  ): Promise<void> {
    try {
      await this.#waitForStatus(what, deadlineMs, holds, fromMs);
    } catch (error) {
      const last = JSON.stringify(this.lines.findLast(({ event }) => event === 'status'));
      throw new Error(`${messageOf(error)}\n${this.messages}\n${last}\n${this.stderr}`, { cause: error });
    }
  }

  async #waitForStatus(
    what: string,
    deadlineMs: number,
    holds: (shard: NonNullable<Line['shards']>[number]) => boolean,
    fromMs: number,
  ): Promise<void> {
    await waitFor(
      () => {
        const last = this.lines.findLast(({ event }) => event === 'status' || event === 'result');
        if (last?.event === 'result') throw new Error(`the run has ended: ${JSON.stringify(last)} ${this.stderr}`);
        return this.#statusAtMs >= fromMs && (last?.shards?.length ?? 0) > 0 && last?.shards?.every(holds) === true;
      },
      { deadlineMs, what: `redferry ${what}` },
    );
  }
}

/** A folder for the state of runs, gone after the test. */
export function stateFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-state-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const addressOf = ({ host, port }: Place): string => `${host}:${port}`;
