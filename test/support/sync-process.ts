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
import { noteSourceOffsets, type ShardPlace } from './source-offsets.ts';
import { InVain, waitFor } from './wait.ts';

interface Line {
  readonly event: string;
  readonly message?: string;
  readonly outcome?: string;
  readonly exitCode?: number;
  readonly shards?: readonly ShardLine[];
}

interface ShardLine extends ShardPlace {
  readonly name: string;
  readonly state: string;
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
    await this.#status(
      'to stream',
      deadlineMs,
      every(({ state }) => state === 'streaming'),
    );
  }

  /** One shard is in that state, whatever the others are in. */
  async shardState(shard: string, wanted: string): Promise<void> {
    const isThere = every(({ name, state }) => name !== shard || state === wanted);
    await this.#status(`to have ${shard} ${wanted}`, 30_000, isThere);
  }

  async inState(wanted: string): Promise<void> {
    await this.#status(
      `to be in ${wanted}`,
      30_000,
      every(({ state }) => state === wanted),
    );
  }

  async caughtUp(): Promise<void> {
    const begunAtMs = performance.now();
    const hasAll = await noteSourceOffsets(this.#lastShards());
    await this.#status('to have no lag', 60_000, (shards) => hasAll(shards, this.#statusAtMs - begunAtMs));
  }

  kill(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return this.exited;
  }

  #lastShards(): readonly ShardLine[] {
    return this.lines.findLast(({ event }) => event === 'status')?.shards ?? [];
  }

  async #status(what: string, deadlineMs: number, holds: (shards: readonly ShardLine[]) => boolean): Promise<void> {
    try {
      await waitFor(
        () => {
          const end = this.lines.findLast(({ event }) => event === 'result');
          if (end !== undefined) throw new InVain(`the run has ended: ${JSON.stringify(end)} ${this.stderr}`);
          const shards = this.#lastShards();
          return shards.length > 0 && holds(shards);
        },
        { deadlineMs, what: `redferry ${what}` },
      );
    } catch (error) {
      const last = JSON.stringify(this.lines.findLast(({ event }) => event === 'status'));
      throw new Error(`${messageOf(error)}\n${this.messages}\n${last}\n${this.stderr}`, { cause: error });
    }
  }
}

const every =
  (holds: (shard: ShardLine) => boolean) =>
  (shards: readonly ShardLine[]): boolean =>
    shards.every(holds);

/** A folder for the state of runs, gone after the test. */
export function stateFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-state-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const addressOf = ({ host, port }: Place): string => `${host}:${port}`;
