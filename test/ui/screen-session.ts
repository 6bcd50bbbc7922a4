// Starts the real screen on a terminal in memory and a fake engine, for the tests of this folder.

import { runScreen, type ScreenEnd, type ScreenOptions } from '../../source/ui/run-screen.tsx';
import { createFakeEngine, type FakeEngine, type FakeEngineOptions } from '../support/fake-engine.ts';
import { type FakeTerminal, openTerminal } from '../support/terminal.ts';

export interface SessionOptions extends FakeEngineOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly screen?: Partial<ScreenOptions>;
  /** Lets the environment choose colours and glyphs, instead of colours and Unicode. */
  readonly lookFromEnvironment?: boolean;
  /** Age of the run at the first frame, seconds. */
  readonly ageSeconds?: number;
}

export interface Session {
  readonly terminal: FakeTerminal;
  readonly fake: FakeEngine;
  readonly end: Promise<ScreenEnd>;
  /** Ends the run and leaves the screen. */
  readonly finish: () => Promise<void>;
}

/** Opens the screen and waits for its first frame. */
export const openSession = async (options: SessionOptions = {}): Promise<Session> => {
  const { columns = 80, rows = 24, ageSeconds = 40, screen, lookFromEnvironment, ...engineOptions } = options;
  const terminal = openTerminal(columns, rows);
  const fake = createFakeEngine({ startMs: Date.now() - ageSeconds * 1000, ...engineOptions });
  fake.advance(ageSeconds * 1000);
  const end = runScreen(
    fake.engine,
    {
      language: 'en',
      ...(lookFromEnvironment === true ? {} : { ascii: false, color: true }),
      refreshHz: 50,
      leaveWhenEnded: false,
      logFile: null,
      ...screen,
    },
    terminal,
  );
  // Most tests look at the end only when they have left; a failure before that must not count as unhandled.
  end.catch(() => undefined);
  await terminal.until('the first frame', (text) => text.trim() !== '');
  return {
    terminal,
    fake,
    end,
    finish: async () => {
      fake.finish();
      await terminal.until('the result', () => fake.engine.snapshot().phase === 'ended');
      terminal.press('q');
      await end;
    },
  };
};
