// The real program without a terminal: its output on pipes, its exit code; killed when the test ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { onTestFinished } from 'vitest';
import { PROGRAM, programEnvironment } from '../support/pty.ts';
import { waitFor } from '../support/wait.ts';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PipedProgram {
  readonly pid: number;
  stdout(): string;
  kill(signal: NodeJS.Signals): void;
  /** Waits until stdout holds `wanted`. */
  until(wanted: RegExp, deadlineMs?: number): Promise<void>;
  /** Resolves when the program has ended and its output is whole. */
  readonly ended: Promise<Ended>;
}

/** Starts the program in a process group of its own. */
export function startProgram(args: readonly string[], env: NodeJS.ProcessEnv = {}): PipedProgram {
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, ...args], {
    cwd: tmpdir(),
    env: programEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  return {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    kill: (signal) => {
      child.kill(signal);
    },
    until: async (wanted, deadlineMs = 30_000) => {
      await waitFor(() => wanted.test(stdout), { what: `${wanted} in ${stdout}${stderr}`, deadlineMs });
    },
    ended,
  };
}

/** Runs the program to its end. */
export function runProgram(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return startProgram(args, env).ended;
}
