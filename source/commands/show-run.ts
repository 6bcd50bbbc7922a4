// Shows a run to whoever looks on: the screen, plain lines or JSON lines. Takes the signals, waits for the end, prints
// the result, and gives the exit code.
import type { Engine } from '../engine/contract/engine.ts';
import type { EngineResult } from '../engine/contract/result.ts';
import { EXIT } from '../engine/errors.ts';
import { runJson } from '../headless/json-lines.ts';
import { runPlain } from '../headless/plain-lines.ts';
import { resultLines } from '../headless/result-lines.ts';
import { messagesFor } from '../ui/messages.ts';

/** `none`: nobody looks on, the log file tells. */
export type Output = 'screen' | 'plain' | 'json' | 'none';

export interface ShowOptions {
  readonly output: Output;
  readonly language: 'en' | 'zh';
  readonly refreshHz: number;
  readonly ascii: boolean | null;
  readonly color: boolean | null;
  readonly logFile: string | null;
  /** When the terminal hangs up (SIGHUP) the run goes on without it; otherwise the process ends, as by default. */
  readonly survivesHangup?: boolean;
}

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** A terminal on both ends, one that can move its cursor, and no wish to be without the screen. */
export function chooseOutput(wish: { readonly headless: boolean; readonly json: boolean }): Output {
  if (wish.json) return 'json';
  const capable = process.stdout.isTTY && process.stdin.isTTY && process.env['TERM'] !== 'dumb';
  return wish.headless || !capable ? 'plain' : 'screen';
}

/** Shows the run to its end; gives the exit code of the process. */
export async function showRun(engine: Engine, options: ShowOptions): Promise<number> {
  let signal: NodeJS.Signals | null = null;
  const onSignal = (received: NodeJS.Signals): void => {
    signal = received;
    void engine.dispatch({ type: 'stop' }, { client: received, confirmed: 'self' });
  };
  // Whoever read the lines is gone (a closed pipe): the migration goes on without them.
  process.stdout.on('error', () => {});
  const hangup = new AbortController();
  // Never taken off: shells send it more than once, also while the end is being written down.
  if (options.survivesHangup) process.on('SIGHUP', () => hangup.abort());
  for (const name of ENDING_SIGNALS) process.on(name, onSignal);
  try {
    const result = await show(engine, options, () => signal !== null, hangup.signal);
    if (result === null) return EXIT.interrupted;
    return result.outcome === 'interrupted' && signal === 'SIGTERM' ? EXIT.terminated : result.exitCode;
  } finally {
    for (const name of ENDING_SIGNALS) process.off(name, onSignal);
  }
}

/** null when the person left before the run had ended. */
async function show(
  engine: Engine,
  options: ShowOptions,
  isStopped: () => boolean,
  hangup: AbortSignal,
): Promise<EngineResult | null> {
  const write = (line: string): void => {
    if (!hangup.aborted) process.stdout.write(line);
  };
  switch (options.output) {
    case 'none':
      return engine.ended;
    case 'json':
      return runJson(engine, write);
    case 'plain':
      return runPlain(engine, { write, language: options.language });
    case 'screen': {
      // Leaving raw mode on a terminal that is gone is an error of stdin (EIO).
      process.stdin.on('error', () => {});
      // Ink and React are loaded only by who sees them.
      const { runScreen } = await import('../ui/run-screen.tsx');
      const end = await runScreen(engine, {
        language: options.language,
        refreshHz: options.refreshHz,
        logFile: options.logFile,
        leaveWhenEnded: false,
        isStopped,
        hangup,
        ...(options.ascii === null ? {} : { ascii: options.ascii }),
        ...(options.color === null ? {} : { color: options.color }),
      });
      if (end === 'abandoned') return null;
      const result = await engine.ended;
      for (const line of resultLines(result, messagesFor(options.language))) write(`${line}\n`);
      return result;
    }
  }
}
