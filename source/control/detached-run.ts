// `redferry sync --detach`: the run goes on in a process with a session of its own, so that no terminal's end reaches it.
// What it is to do goes by its environment, which only its user can read, and not by its arguments, which everybody can.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { EngineResult } from '../engine/contract/result.ts';
import { EXIT, FerryError } from '../engine/errors.ts';
import { clientName } from './client-name.ts';
import { RemoteEngine } from './remote-engine.ts';
import { parseLine } from './wire.ts';

const VARIABLE = 'REDFERRY_DETACHED';
const LOOK_EVERY_MS = 50;
const OWNER_ONLY = 0o600;
const MOST_WORDS_CHARACTERS = 4000;

const detachedOrder = z.object({ run: z.string(), logFile: z.string(), args: z.array(z.string()) });
/** What the detached process is told by the one that starts it. */
export type DetachedOrder = Readonly<z.infer<typeof detachedOrder>>;

/** The order in the environment, taken out of it, or null when this is no detached process. */
export function takeDetachedOrder(environment: Record<string, string | undefined>): DetachedOrder | null {
  const text = environment[VARIABLE];
  if (text === undefined) return null;
  delete environment[VARIABLE];
  return detachedOrder.parse(JSON.parse(text));
}

export interface DetachedStart {
  readonly order: DetachedOrder;
  /** The program's file, which is started once more. */
  readonly program: string;
  /** The socket where the run will listen. */
  readonly socket: string;
}

/** `running` when the run has passed its checks, else how it ended, or why it could not even begin. */
export type DetachedEnd =
  | { readonly kind: 'running'; readonly pid: number }
  | { readonly kind: 'ended'; readonly exitCode: number; readonly result: EngineResult }
  | { readonly kind: 'failed'; readonly exitCode: number; readonly words: string };

/** The `result` event that a run leaves at the end of its log; the process is ours, its other fields are taken as they are. */
const loggedResult = z.custom<EngineResult & { readonly event: 'result' }>(
  (value) =>
    z.object({ event: z.literal('result'), outcome: z.string(), shards: z.array(z.unknown()) }).safeParse(value)
      .success,
);

/** Starts the run and waits until it has passed its checks, or has ended. It goes on when this process is killed meanwhile. */
export async function startDetached({ order, program, socket }: DetachedStart): Promise<DetachedEnd> {
  const log = openSync(order.logFile, 'a', OWNER_ONLY);
  const wordsFrom = statSync(order.logFile).size;
  const child = spawn(process.execPath, [...process.execArgv, program, 'sync'], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, [VARIABLE]: JSON.stringify(order) },
  });
  closeSync(log);
  const exited = exitOf(child);
  const run = { run: order.run, socket, pid: child.pid ?? 0, logFile: order.logFile };
  const engine = await Promise.race([connect(run, exited), exited.then(() => null)]);
  const isAtWork = engine !== null && (await beginningOf(engine));
  engine?.close();
  if (isAtWork) {
    child.unref();
    return { kind: 'running', pid: run.pid };
  }
  // A run that ends within milliseconds may do so unseen: its log tells in any case.
  const exitCode = await exited;
  const { result, words } = wordsOf(order.logFile, wordsFrom);
  return result === null ? { kind: 'failed', exitCode, words } : { kind: 'ended', exitCode, result };
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(new FerryError(`The detached process can not be started: ${error.message}.`, { code: 'control' })),
    );
    child.once('exit', (code) => resolve(code ?? EXIT.failed));
  });
}

/** null when the process ended before its socket answered. */
async function connect(
  run: { run: string; socket: string; pid: number; logFile: string },
  exited: Promise<number>,
): Promise<RemoteEngine | null> {
  let hasExited = false;
  const noteExit = (): void => {
    hasExited = true;
  };
  exited.then(noteExit, noteExit);
  for (;;) {
    try {
      return await RemoteEngine.open(run, { client: clientName('sync --detach') });
    } catch {
      // Not listening yet.
    }
    if (hasExited) return null;
    await delay(LOOK_EVERY_MS);
  }
}

/** Whether the run has passed its checks; false when it ended before. */
function beginningOf(engine: RemoteEngine): Promise<boolean> {
  return new Promise((resolve) => {
    const look = (): void => {
      const { phase, result } = engine.snapshot();
      if (result !== null) resolve(false);
      else if (phase !== 'starting') resolve(true);
    };
    engine.subscribe(look);
    look();
  });
}

/** What the process has left in its log: its result, or what is no log line, which says why it could not begin. */
function wordsOf(logFile: string, from: number): { readonly result: EngineResult | null; readonly words: string } {
  const lines = readFileSync(logFile).subarray(from).toString().trimEnd().split('\n');
  const last = loggedResult.safeParse(parseLine(lines.at(-1) ?? '')?.value);
  const words = lines.filter((line) => !line.startsWith('{')).join('\n');
  return { result: last.data ?? null, words: words.slice(-MOST_WORDS_CHARACTERS) };
}
