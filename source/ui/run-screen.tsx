// Runs the screen from its first frame until the person has left it. It knows the engine by its three methods only, and
// gives the terminal back clean however it ends.
import { type Instance, render } from 'ink';
import type { CommandOutcome, EngineCommand } from '../engine/contract/command.ts';
import type { Engine } from '../engine/contract/engine.ts';
import type { Confirmation } from '../engine/contract/order.ts';
import type { Acting } from './binding.ts';
import { ASCII_GLYPHS, UNICODE_GLYPHS, unicodeWanted } from './glyphs.ts';
import { HELP_ROWS } from './help-lines.ts';
import type { KeyName } from './key-parser.ts';
import { FLASH_MS, pressKey } from './key-press.ts';
import { type Look, LookContext } from './look.ts';
import { type Language, type Messages, messagesFor } from './messages.ts';
import { Root } from './root.tsx';
import { createScreenModel, type ScreenModel } from './screen-model.ts';
import { guardTerminal, type Terminal } from './terminal.ts';
import type { Tone } from './theme.ts';
import { colorWanted, themeFor } from './theme.ts';

export interface ScreenOptions {
  readonly language: Language;
  /** Left out: what the locale promises. */
  readonly ascii?: boolean;
  /** Left out: colours unless NO_COLOR is set. */
  readonly color?: boolean;
  /** Pictures a second; 2 is what a slow link bears. */
  readonly refreshHz?: number;
  /** Leave by itself when the run has ended, instead of showing the result until a key is pressed. */
  readonly leaveWhenEnded: boolean;
  /** Whether a signal has asked for the end: then nobody needs to press a key for it. */
  readonly isStopped?: () => boolean;
  /** The run is another process's: q and ctrl+c leave it alone, and only S stops it, after a question. */
  readonly isAttached?: boolean;
  /** No key steers the run. */
  readonly readOnly?: boolean;
  /** Aborted when the terminal has hung up: the screen ends, and its end is that of the run. */
  readonly hangup?: AbortSignal;
  /** Where all notices stand, for the log view. */
  readonly logFile: string | null;
}

/**
 * How the screen was left: `ended` after the end of the run, `abandoned` when the person chose not to wait for it (of an
 * own run the caller then ends the process with exit code 130; an attached one goes on).
 */
export type ScreenEnd = 'ended' | 'abandoned';

/** Ink's frames a second; keys feel immediate above ten. */
const MAX_FPS = 15;

const REFRESH_HZ = 2;

/** How this screen calls itself in the audit log of the run. */
const SCREEN = 'screen';

/** Erases the whole screen and goes to its corner. */
const ERASE_ALL = '\x1b[2J\x1b[H';

const flash = (model: ScreenModel, text: string, tone: Tone): void =>
  model.change({ type: 'flash', flash: { text, tone, untilMs: model.now() + FLASH_MS } });

/** Sends a command and shows what came of it. */
const ask = async (
  engine: Engine,
  model: ScreenModel,
  command: EngineCommand,
  { confirmed, undoneBy }: { readonly confirmed: Confirmation; readonly undoneBy: KeyName | null },
  messages: Messages,
): Promise<void> => {
  if (command.type === 'stop') flash(model, messages.stopAsked, 'warn');
  const answered = model.expect(command);
  try {
    const outcome: CommandOutcome = await engine.dispatch(command, { client: SCREEN, confirmed });
    answered(outcome.accepted);
    const isUndoable = outcome.accepted && undoneBy !== null;
    flash(
      model,
      isUndoable ? messages.undo(outcome.message, undoneBy) : outcome.message,
      outcome.accepted ? 'good' : 'bad',
    );
  } catch (error) {
    answered(false);
    flash(model, messages.engineGaveNoAnswer(error instanceof Error ? error.message : String(error)), 'bad');
  }
  model.refresh();
};

/** Shows the run. Resolves when the screen has been left; rejects when the screen itself failed, the terminal restored. */
export const runScreen = async (
  engine: Engine,
  options: ScreenOptions,
  { stdin, stdout }: Terminal = process,
): Promise<ScreenEnd> => {
  const isAttached = options.isAttached ?? false;
  const words = messagesFor(options.language);
  const messages = isAttached ? { ...words, keys: { ...words.keys, ...words.attachedKeys } } : words;
  const look: Look = {
    theme: themeFor(options.color ?? colorWanted(process.env)),
    glyphs: (options.ascii ?? !unicodeWanted(process.env)) ? ASCII_GLYPHS : UNICODE_GLYPHS,
    messages,
  };
  let instance: Instance | null = null;
  let isLost = false;
  // Whoever asked for the end was promised that redferry then leaves.
  let isStopAsked = false;
  const lose = (): void => {
    isLost = true;
    instance?.unmount();
  };
  const guard = guardTerminal(stdout, lose);
  options.hangup?.addEventListener('abort', lose);
  const model = createScreenModel(engine, {
    refreshHz: options.refreshHz ?? REFRESH_HZ,
    readOnly: options.readOnly ?? false,
    now: Date.now,
    isBackedUp: guard.isBackedUp,
    bytesWritten: guard.bytesWritten,
  });
  const leave = (): void => instance?.unmount();
  const repaint = (): void => {
    instance?.clear();
    stdout.write(ERASE_ALL);
    model.change({ type: 'flash', flash: null });
  };

  try {
    instance = render(
      <LookContext value={look}>
        <Root
          model={model}
          logFile={options.logFile}
          onKey={(key, plan) => {
            const acting: Acting = {
              shown: model.get(),
              state: model.expected(),
              plan,
              change: model.change,
              ask: (command, confirmed = 'no', undoneBy) => {
                if (command.type === 'stop') isStopAsked = true;
                void ask(engine, model, command, { confirmed, undoneBy: undoneBy ?? null }, messages);
              },
              say: (pick) => flash(model, pick(messages), 'plain'),
              leave,
              isAttached,
              repaint,
              helpRows: HELP_ROWS,
            };
            pressKey(key, acting, messages, model.now());
          }}
          onPaste={() => flash(model, messages.pasteIgnored, 'warn')}
        />
      </LookContext>,
      {
        stdin,
        stdout,
        alternateScreen: true,
        incrementalRendering: true,
        interactive: true,
        exitOnCtrlC: false,
        patchConsole: false,
        maxFps: MAX_FPS,
      },
    );
    void engine.ended.then(() => {
      if (options.leaveWhenEnded || isStopAsked || options.isStopped?.()) leave();
    });
    await instance.waitUntilExit();
  } finally {
    model.close();
    guard.release();
  }
  // Without a terminal nobody can leave: the migration goes on, and its end is the end.
  if (isLost && !isAttached) await engine.ended;
  return engine.snapshot().phase === 'ended' ? 'ended' : 'abandoned';
};
