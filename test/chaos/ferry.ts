// redferry as the engine under test: the built program with --json, crashed and started again with the same arguments.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { atProcessEnd } from '../../source/demo/process-cleanup.ts';
import { waitFor } from '../support/wait.ts';
import type { EngineProcess, EngineUnderTest } from './engine.ts';
import type { ChaosLog } from './log.ts';
import type { Side } from './side.ts';

const BUILD = fileURLToPath(new URL('../../dist', import.meta.url));
const SETPRIV = '/usr/bin/setpriv';
const START_MS = 60_000;
const STOP_MS = 30_000;
/** The source's own offset, from which the lag comes, is read once a second, and told once a second. */
const LAG_AGE_MS = 2200;
const STDERR_KEPT = 4000;
/** A start in the middle of a fault may find a side away: as a supervisor does, it is made again. */
const START_AGAIN_MS = 500;
const COULD_NOT_BEGIN = 1;

const shardLine = z.object({
  name: z.string(),
  state: z.string(),
  waitingFor: z.string().nullable(),
  lagBytes: z.number().nullable(),
  queued: z.number(),
});
const line = z.discriminatedUnion('event', [
  z.object({ event: z.literal('status'), time: z.iso.datetime(), shards: z.array(shardLine) }),
  z.object({ event: z.literal('notice'), level: z.string(), shard: z.string().nullable(), message: z.string() }),
  z.object({ event: z.literal('result'), outcome: z.string(), exitCode: z.number(), message: z.string().nullable() }),
]);
type Line = z.infer<typeof line>;

export interface FerryOptions {
  readonly source: Side;
  readonly target: Side;
  readonly log: ChaosLog;
  /** Settings beside the two sides, as in a configuration file. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
}

export class Ferry implements EngineUnderTest, EngineProcess {
  readonly copies = true;
  readonly process: EngineProcess = this;
  readonly #log: ChaosLog;
  readonly #args: readonly string[];
  readonly #knowsResume: boolean;
  readonly #folder: string;
  readonly #forget: () => void;
  #child: ChildProcess | null = null;
  #status: Extract<Line, { event: 'status' }> | null = null;
  #result: Extract<Line, { event: 'result' }> | null = null;
  #states = '';
  #stderr = '';
  #expectedEnd = false;
  /** Started again, and no shard of it has been heard of yet. */
  #beginning = false;
  #failure: string | null = null;
  #gone: Promise<number | null> = Promise.resolve(null);

  constructor({ source, target, log, settings }: FerryOptions) {
    this.#log = log;
    // A copy of the build: somebody may build again while a long run starts the program a hundred times.
    this.#folder = mkdtempSync(join(tmpdir(), 'redferry-chaos-'));
    cpSync(BUILD, join(this.#folder, 'dist'), { recursive: true });
    for (const name of ['state', 'spool', 'home']) mkdirSync(join(this.#folder, name));
    const config = join(this.#folder, 'config.json');
    const { limits, ...others } = settings ?? {};
    const content = {
      source: { address: source.address, addressMap: source.addressMap },
      target: { address: target.address, addressMap: target.addressMap },
      limits: { spoolDirectory: join(this.#folder, 'spool'), ...(limits as object | undefined) },
      // Beside the harness's own log, which is kept.
      log: { file: log.file === null ? join(this.#folder, 'redferry.log') : `${log.file}.redferry.log` },
      ...others,
    };
    writeFileSync(config, JSON.stringify(content, null, 2), { mode: 0o600 });
    const program = join(this.#folder, 'dist/cli.js');
    this.#args = [program, '--config', config, '--json', '--headless'];
    const help = spawnSync(process.execPath, [program, '--help'], { encoding: 'utf8', env: this.#environment() });
    this.#knowsResume = help.stdout.includes('--resume');
    this.#forget = atProcessEnd(() => {
      this.#child?.kill('SIGKILL');
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  get failure(): string | null {
    return this.#failure;
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  async start(): Promise<void> {
    this.#run([]);
    const begunAtMs = Date.now();
    await waitFor(
      () => {
        // Nobody has to wait a minute for what has ended.
        if (this.#failure !== null) return true;
        return this.streaming(begunAtMs);
      },
      { what: `redferry to stream (${this.#states})`, deadlineMs: START_MS, intervalMs: 50 },
    );
    if (this.#failure !== null) throw new Error(this.#failure);
  }

  again(): void {
    this.#run(this.#knowsResume ? ['--resume'] : []);
    this.#beginning = true;
  }

  async crash(): Promise<void> {
    this.#expectedEnd = true;
    this.#child?.kill('SIGKILL');
    await this.#gone;
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name);
  }

  streaming(sinceMs: number): boolean {
    const shards = this.#shardsSince(sinceMs);
    return shards.length > 0 && shards.every(({ state }) => state === 'streaming');
  }

  settled(sinceMs: number): boolean {
    const shards = this.#shardsSince(sinceMs + LAG_AGE_MS);
    return (
      shards.length > 0 &&
      shards.every(({ state, lagBytes, queued }) => state === 'streaming' && lagBytes === 0 && queued === 0)
    );
  }

  async stop(): Promise<string | null> {
    if (this.#failure !== null) return this.#failure;
    this.#expectedEnd = true;
    this.#child?.kill('SIGTERM');
    const late = Symbol('late');
    const code = await Promise.race([
      this.#gone,
      new Promise<typeof late>((resolve) => setTimeout(() => resolve(late), STOP_MS).unref()),
    ]);
    if (code === late) return `redferry did not end within ${STOP_MS / 1000} s of SIGTERM`;
    if (code === 0) return null;
    return `redferry ended with ${code}: ${this.#result?.message ?? this.#stderr.trim()}`;
  }

  async dispose(): Promise<void> {
    // What it said last tells why a run failed.
    if (this.#status !== null)
      this.#log.write('engine-status', { told: this.#status.time, shards: this.#status.shards });
    await this.crash();
    this.#forget();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #shardsSince(sinceMs: number): readonly z.infer<typeof shardLine>[] {
    return this.#status !== null && Date.parse(this.#status.time) >= sinceMs ? this.#status.shards : [];
  }

  /** Nothing of this person's own settings, state or spool. */
  #environment(): NodeJS.ProcessEnv {
    const state = join(this.#folder, 'state');
    return {
      PATH: process.env['PATH'],
      HOME: join(this.#folder, 'home'),
      TMPDIR: join(this.#folder, 'spool'),
      XDG_CONFIG_HOME: state,
      XDG_STATE_HOME: state,
      XDG_DATA_HOME: state,
      XDG_CACHE_HOME: state,
      XDG_RUNTIME_DIR: state,
      REDFERRY_STATE_DIR: state,
      NODE_COMPILE_CACHE: join(this.#folder, 'home'),
    };
  }

  #run(more: readonly string[]): void {
    // The kernel ends it with us where it can, also after a kill -9 of the harness.
    const own = [process.execPath, ...this.#args, ...more];
    const [file = '', ...args] = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', ...own] : own;
    const child = spawn(file, args, {
      cwd: this.#folder,
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child = child;
    this.#status = null;
    this.#result = null;
    this.#stderr = '';
    this.#expectedEnd = false;
    createInterface({ input: child.stdout }).on('line', (text) => this.#hear(child, text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    this.#gone = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#failure ??= `redferry could not be started: ${error.message}`;
        resolve(null);
      });
      child.once('close', (code, signal) => {
        this.#log.write('engine-ended', { code, signal, expected: this.#expectedEnd, result: this.#result });
        const startsAgain = this.#beginning && code === COULD_NOT_BEGIN;
        if (!this.#expectedEnd && child === this.#child && startsAgain) {
          setTimeout(() => {
            if (child === this.#child && !this.#expectedEnd) this.again();
          }, START_AGAIN_MS);
        } else if (!this.#expectedEnd && child === this.#child) {
          this.#failure ??= `redferry ended by itself with ${code ?? signal}: ${this.#result?.message ?? this.#stderr.trim()}`;
        }
        resolve(code);
      });
    });
  }

  #hear(child: ChildProcess, text: string): void {
    if (child !== this.#child) return;
    const heard = line.safeParse(parseJson(text));
    if (!heard.success) {
      this.#log.write('engine-unreadable', { text: text.slice(0, 500) });
      return;
    }
    const told = heard.data;
    if (told.event === 'notice') this.#log.write('engine-notice', { shard: told.shard, message: told.message });
    if (told.event === 'result') this.#result = told;
    if (told.event !== 'status') return;
    this.#status = told;
    if (told.shards.length > 0) this.#beginning = false;
    const states = told.shards.map(({ state }) => state).join(' ');
    if (states === this.#states) return;
    this.#states = states;
    this.#log.write('engine-state', { states, waitingFor: told.shards.map(({ waitingFor }) => waitingFor) });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
