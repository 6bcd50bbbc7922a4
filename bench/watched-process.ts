// A program under measurement: its wall time, its processor time and its largest resident memory, read from /proc while
// it runs. Linux only.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const POLL_MS = 50;
/** Linux counts processor time in these (USER_HZ). */
const TICKS_A_SECOND = 100;

export interface Usage {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

export class WatchedProcess {
  readonly child: ChildProcess;
  /** Resolves when the program has ended, with its exit code. */
  readonly ended: Promise<number | null>;
  #stdout = '';
  #cpuSeconds = 0;
  #peakBytes = 0;
  readonly #startedAt = performance.now();
  #endedAt: number | null = null;

  constructor(command: string, args: readonly string[], options: { readonly cwd?: string } = {}) {
    this.child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
    this.child.stdout?.on('data', (bytes: Buffer) => {
      this.#stdout += bytes.toString();
    });
    const timer = setInterval(() => this.#look(), POLL_MS);
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('exit', (code) => {
        this.#endedAt = performance.now();
        clearInterval(timer);
        resolve(code);
      });
    });
  }

  /** What the program has printed so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** Up to now, or to the end. */
  usage(): Usage {
    this.#look();
    return {
      wallSeconds: ((this.#endedAt ?? performance.now()) - this.#startedAt) / 1000,
      cpuSeconds: this.#cpuSeconds,
      peakBytes: this.#peakBytes,
    };
  }

  #look(): void {
    const { pid } = this.child;
    if (pid === undefined || this.#endedAt !== null) return;
    try {
      this.#cpuSeconds = cpuSecondsOf(pid);
      const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      // A process that is just ending has no memory any more.
      if (peak !== undefined) this.#peakBytes = Number(peak) * 1024;
    } catch {
      // It has just ended: the last look stands.
    }
  }
}

/** User and system time of a process so far. @throws when there is no such process. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold blanks; the fields behind it do not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}
