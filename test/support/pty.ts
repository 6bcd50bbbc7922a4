// The real program in a real pseudo-terminal: its bytes go through a terminal emulator, so that tests see what a person
// sees, and its raw bytes stay, so that tests see what a person does not. Ends with the test, whatever happens in it.
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type IPty, spawn } from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { onTestFinished } from 'vitest';
import { waitFor } from './wait.ts';

/** The built program; `npm test` builds it before the tests. */
export const PROGRAM = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

const DEADLINE_MS = 15_000;
const LOOK_EVERY_MS = 5;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

export interface ProgramOptions {
  readonly args: readonly string[];
  readonly columns?: number;
  readonly rows?: number;
  /** Added to a clean environment. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface ProgramExit {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Program {
  readonly pid: number;
  /** The terminal's rows as a person sees them now, without blanks at their ends. */
  screen(): string;
  /** Everything that was ever written to the normal screen, the rows above the window included. */
  normalScreen(): string;
  /** Rows that go on in the next one: a line was wider than the terminal. */
  wrappedRows(): number;
  isAlternate(): boolean;
  /** Types keys. */
  press(keys: string): void;
  resize(columns: number, rows: number): void;
  /** Waits until the screen holds `wanted`; fails with the screen's text when it never does. */
  until(wanted: string | RegExp | ((screen: string) => boolean), deadlineMs?: number): Promise<void>;
  /** All bytes the program has written, its escape sequences included. */
  raw(): string;
  /** Stops reading: what the program writes stays in the kernel, which takes some kilobytes and then no more. */
  freeze(): void;
  thaw(): void;
  kill(signal: NodeJS.Signals): void;
  /** Takes the terminal away, as the end of an SSH session does: the kernel sends SIGHUP, every write fails. */
  hangUp(): void;
  readonly exit: Promise<ProgramExit>;
}

/** An environment without what CI and colour wishes of this machine would change. */
export function programEnvironment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const state = mkdtempSync(join(tmpdir(), 'redferry-state-'));
  onTestFinished(() => rmSync(state, { recursive: true, force: true }));
  // Ink and its colours look for CI by these names; CI=false alone would still take the colours away.
  const isForeign = (name: string): boolean => /^(CI|CI_.*|CONTINUOUS_INTEGRATION|.*_COLOR|LC_.*)$/.test(name);
  const inherited = Object.entries(process.env).filter(([name]) => !isForeign(name));
  return {
    ...Object.fromEntries(inherited),
    TERM: 'xterm-256color',
    LANG: 'C.UTF-8',
    REDFERRY_STATE_DIR: state,
    ...more,
  };
}

/** Starts the program in a terminal of its own. */
export function spawnProgram(options: ProgramOptions): Program {
  const { args, columns = DEFAULT_COLUMNS, rows = DEFAULT_ROWS, env } = options;
  const emulator = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 10_000 });
  const pty: IPty = spawn(process.execPath, [PROGRAM, ...args], {
    name: 'xterm-256color',
    cols: columns,
    rows,
    cwd: tmpdir(),
    env: programEnvironment(env),
  });
  let raw = '';
  pty.onData((text) => {
    raw += text;
    emulator.write(text);
  });
  let hasExited = false;
  const exit = new Promise<ProgramExit>((resolve) => {
    pty.onExit(({ exitCode, signal }) => {
      hasExited = true;
      resolve(signal ? { code: null, signal: signalName(signal) } : { code: exitCode, signal: null });
    });
  });
  const kill = (signal: NodeJS.Signals): void => {
    if (!hasExited) pty.kill(signal);
  };
  onTestFinished(async () => {
    pty.resume();
    kill('SIGKILL');
    await exit;
    emulator.dispose();
  });

  const screen = (): string => {
    const { active } = emulator.buffer;
    return Array.from({ length: emulator.rows }, (_, row) => lineText(active.getLine(active.baseY + row))).join('\n');
  };
  /** The emulator parses in its own time. */
  const parsed = (): Promise<void> => new Promise((resolve) => emulator.write('', resolve));

  return {
    pid: pty.pid,
    screen,
    normalScreen: () => {
      const { normal } = emulator.buffer;
      return Array.from({ length: normal.length }, (_, row) => lineText(normal.getLine(row)))
        .join('\n')
        .trimEnd();
    },
    wrappedRows: () => {
      const { active } = emulator.buffer;
      return Array.from({ length: active.length }, (_, row) => active.getLine(row)?.isWrapped).filter(Boolean).length;
    },
    isAlternate: () => emulator.buffer.active.type === 'alternate',
    press: (keys) => pty.write(keys),
    resize: (newColumns, newRows) => {
      emulator.resize(newColumns, newRows);
      pty.resize(newColumns, newRows);
    },
    until: async (wanted, deadlineMs = DEADLINE_MS) => {
      const holds = typeof wanted === 'function' ? wanted : matcher(wanted);
      try {
        await waitFor(
          async () => {
            await parsed();
            return holds(screen());
          },
          { what: `the screen to hold ${String(wanted)}`, deadlineMs, intervalMs: LOOK_EVERY_MS },
        );
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : error}. The screen is:\n${screen()}`);
      }
    },
    raw: () => raw,
    freeze: () => pty.pause(),
    thaw: () => pty.resume(),
    kill,
    // In the class of the terminals on Unix, not in its type.
    hangUp: () => {
      const destroy: unknown = Reflect.get(pty, 'destroy');
      if (typeof destroy !== 'function') throw new Error('node-pty has no destroy');
      destroy.call(pty);
    },
    exit: exit.then(async (how) => {
      await parsed();
      return how;
    }),
  };
}

function lineText(line: { translateToString(trimRight: boolean): string } | undefined): string {
  return line?.translateToString(true) ?? '';
}

function matcher(wanted: string | RegExp): (screen: string) => boolean {
  return typeof wanted === 'string' ? (screen) => screen.includes(wanted) : (screen) => wanted.test(screen);
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? String(number);
}
