// The operating system's side of a local server: which binary, which version, how it is spawned so that Ctrl-C in the
// terminal does not reach it and so that it does not outlive us.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { FerryError, messageOf } from '../engine/errors.ts';

const run = promisify(execFile);
const SETPRIV = '/usr/bin/setpriv';
/** A child that has printed it has bound its ports: this line in our own log is the proof that the port's owner is ours. */
export const READY_LINE = 'Ready to accept connections';

export interface BinaryVersion {
  readonly major: number;
  readonly minor: number;
  readonly text: string;
}

/** The binary to start: the one asked for, else REDIS_SERVER, else redis-server of the PATH. */
export function serverBinary(wanted: string | undefined): string {
  const name = wanted || process.env['REDIS_SERVER'] || 'redis-server';
  // The server starts in a folder of its own, where a relative path would mean something else.
  return name.includes('/') ? resolve(name) : name;
}

const versions = new Map<string, Promise<BinaryVersion>>();

/**
 * What `binary --version` says; asked once for each binary.
 * @throws FerryError `no-server` when it cannot be run.
 */
export function binaryVersion(binary: string): Promise<BinaryVersion> {
  const known = versions.get(binary);
  if (known !== undefined) return known;
  const asked = askVersion(binary);
  versions.set(binary, asked);
  return asked;
}

async function askVersion(binary: string): Promise<BinaryVersion> {
  try {
    const { stdout } = await run(binary, ['--version']);
    const found = /v=((\d+)\.(\d+)\.\d+)/.exec(stdout);
    if (found === null) throw new Error(`it says ${JSON.stringify(stdout.trim())}`);
    return { text: found[1] ?? '', major: Number(found[2]), minor: Number(found[3]) };
  } catch (error) {
    const reason = messageOf(error);
    throw new FerryError(
      `${binary} could not be asked for its version (${reason}): install redis-server or name one in REDIS_SERVER.`,
      { code: 'no-server', cause: error },
    );
  }
}

let deathSignal: Promise<boolean> | undefined;

/** Whether setpriv can ask the kernel to end the child when we die (util-linux, on every Debian; not on macOS or Alpine). */
function hasDeathSignal(): Promise<boolean> {
  deathSignal ??= run(SETPRIV, ['--pdeathsig', 'KILL', 'true']).then(
    () => true,
    () => false,
  );
  return deathSignal;
}

/**
 * Spawns the server in a process group of its own, its output appended to `logFile`. Resolves when it runs or failed to.
 * The kernel's death signal belongs to the thread that spawns: call this on the main thread, not in one that ends earlier.
 * The child does not keep our event loop alive.
 */
export async function spawnServer(
  binary: string,
  args: readonly string[],
  directory: string,
  logFile: string,
): Promise<ChildProcess> {
  const [file, allArgs] = (await hasDeathSignal())
    ? [SETPRIV, ['--pdeathsig', 'KILL', binary, ...args]]
    : [binary, [...args]];
  const log = openSync(logFile, 'a');
  try {
    const child = spawn(file, allArgs, { cwd: directory, detached: true, stdio: ['ignore', log, log] });
    await new Promise<void>((running, reject) => {
      child.once('spawn', running);
      child.once('error', reject);
    });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

/** Kills the server and whatever it forked (a snapshot's child process is of its group). */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || hasExited(child)) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Gone between the look and the kill.
  }
}

/** True once Node has seen the child's end. */
export function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
