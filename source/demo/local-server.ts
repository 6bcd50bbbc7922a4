// One real redis-server process in a temporary folder of its own: start until it answers, kill, restart, stop without trace.
// Which port it gets, and what to do when somebody else took it, is decided in local-servers.ts.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FerryError, messageOf } from '../engine/errors.ts';
import { askServer } from './ask-server.ts';
import { BUS_PORT_DISTANCE } from './free-port.ts';
import { atProcessEnd } from './process-cleanup.ts';
import { type BinaryVersion, hasExited, killGroup, READY_LINE, spawnServer } from './server-process.ts';

const POLL_MS = 10;
const LOG_TAIL_LINES = 12;
const PORT_TAKEN = /Address already in use|Failed listening on port|Could not create server TCP/i;

export interface LocalServerSetup {
  readonly binary: string;
  readonly version: BinaryVersion;
  readonly host: string;
  readonly port: number;
  /** Behind ours, so they have the last word. */
  readonly args: readonly string[];
  /** For each start until PING is answered. */
  readonly deadlineMs: number;
}

/** `RunningServer` of local-servers.ts says what each member is for. */
export class LocalServer {
  readonly directory: string;
  readonly binary: string;
  readonly version: BinaryVersion;
  readonly host: string;
  readonly port: number;
  readonly #args: readonly string[];
  readonly #deadlineMs: number;
  readonly #forget: () => void;
  #child: ChildProcess | null = null;
  #stopped = false;

  constructor(setup: LocalServerSetup) {
    this.binary = setup.binary;
    this.version = setup.version;
    this.host = setup.host;
    this.port = setup.port;
    this.#args = setup.args;
    this.#deadlineMs = setup.deadlineMs;
    this.directory = mkdtempSync(join(tmpdir(), 'redferry-server-'));
    this.#forget = atProcessEnd(() => {
      if (this.#child !== null) killGroup(this.#child);
      this.#removeFolder();
    });
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  get running(): boolean {
    return this.#child !== null && !hasExited(this.#child);
  }

  /** @throws FerryError `server-start` with the end of the log. */
  async start(): Promise<void> {
    const logLengthBefore = this.#log().length;
    this.#child = await spawnServer(this.binary, this.#arguments(), this.directory, this.#logFile);
    // stop() came while the process was being made, and could not kill it yet.
    if (this.#stopped) killGroup(this.#child);
    const deadline = Date.now() + this.#deadlineMs;
    // Our own log's word comes first: a PING alone could be answered by a stranger who was faster to bind this port.
    while (!this.#log().slice(logLengthBefore).includes(READY_LINE)) {
      if (!this.running) throw this.#startError('ended while starting');
      if (Date.now() > deadline) throw this.#startError('did not become ready in time');
      await delay(POLL_MS);
    }
    while (!(await this.#answers())) {
      if (!this.running) throw this.#startError('ended while starting');
      if (Date.now() > deadline) throw this.#startError('did not answer PING in time');
      await delay(POLL_MS);
    }
  }

  #arguments(): readonly string[] {
    // Before 7.0 the bus port is always the port plus 10000, which findFreePort has checked too.
    const busPort = this.version.major >= 7 && this.#args.includes('--cluster-enabled');
    return [
      ...['--port', String(this.port), '--bind', this.host, '--protected-mode', 'no', '--dir', this.directory],
      ...['--save', '', '--appendonly', 'no'],
      ...(busPort ? ['--cluster-port', String(this.port + BUS_PORT_DISTANCE)] : []),
      ...this.#args,
    ];
  }

  /** A server that asks for a password has answered too. */
  async #answers(): Promise<boolean> {
    try {
      await askServer(this, ['PING'], 1000);
      return true;
    } catch (error) {
      return messageOf(error).startsWith('NOAUTH');
    }
  }

  #startError(what: string): FerryError {
    return new FerryError(`${this.binary} on port ${this.port} ${what}. Its log ends:\n${this.logTail()}`, {
      code: 'server-start',
    });
  }

  get #logFile(): string {
    return join(this.directory, 'server.log');
  }

  #log(): string {
    try {
      return readFileSync(this.#logFile, 'utf8');
    } catch {
      return '';
    }
  }

  /** Whether the log says that somebody else has our port. */
  get lostItsPort(): boolean {
    return PORT_TAKEN.test(this.#log());
  }

  logTail(): string {
    return this.#log().trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async waitForExit(): Promise<void> {
    const child = this.#child;
    if (child === null || hasExited(child)) return;
    // Whoever waits wants to be told, so for that long the child does keep our event loop alive.
    child.ref();
    await new Promise<void>((resolve) => child.once('exit', () => resolve()));
  }

  async restart(): Promise<void> {
    await this.#end();
    await this.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#end();
    this.#removeFolder();
    this.#forget();
  }

  async #end(): Promise<void> {
    if (this.#child !== null) killGroup(this.#child);
    await this.waitForExit();
  }

  /** A killed server's snapshot child may still be dying, and writing: hence the retries. */
  #removeFolder(): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }
}
