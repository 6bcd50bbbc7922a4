// The questions asked before an act that the same key does not undo: what will happen, in one line, and what yes means.
// No is the default: enter, escape and n all mean it.
import { printable } from './cell-width.ts';
import type { KeyName } from './key-parser.ts';
import type { Acting } from './keymap.ts';
import type { Look } from './look.ts';
import type { Messages } from './messages.ts';
import type { ScreenState } from './screen-model.ts';
import type { DialogName } from './ui-state.ts';

export interface Question {
  readonly title: (state: ScreenState, look: Look) => string;
  readonly effect: (messages: Messages) => string;
  readonly yes: (acting: Acting) => void;
}

/** The way that the migration goes: a question must name what it is about. */
const way = ({ snapshot }: ScreenState, { glyphs }: Look): string =>
  printable(`${snapshot.source.address} ${glyphs.arrow} ${snapshot.target.address}`);

export const QUESTIONS: Readonly<Record<DialogName, Question>> = {
  stop: {
    title: (state, look) => `${look.messages.dialog.stopTitle} ${way(state, look)}`,
    effect: ({ dialog }) => dialog.stopEffect,
    yes: ({ ask }) => ask({ type: 'stop' }),
  },
  leave: {
    title: (_, { messages }) => messages.dialog.leaveTitle,
    effect: ({ dialog }) => dialog.leaveEffect,
    yes: ({ leave }) => leave(),
  },
  'pause-all': {
    title: ({ snapshot }, { messages }) => messages.dialog.pauseAllTitle(snapshot.shards.length),
    effect: ({ dialog }) => dialog.pauseAllEffect,
    yes: ({ ask }) => ask({ type: 'pause', shards: 'all' }),
  },
  'resume-all': {
    title: ({ snapshot }, { messages }) => messages.dialog.resumeAllTitle(snapshot.shards.length),
    effect: ({ dialog }) => dialog.resumeAllEffect,
    yes: ({ ask }) => ask({ type: 'resume', shards: 'all' }),
  },
};

/** The open question; the end of the run answers every one. */
export const openDialog = ({ ui, snapshot }: ScreenState): DialogName | null =>
  snapshot.phase === 'ended' ? null : ui.dialog;

const NO: readonly KeyName[] = ['n', 'N', 'enter', 'esc', 'q', 'backspace'];

/** A key while a question is open: only its answers act. */
export const answer = (dialog: DialogName, key: KeyName, acting: Acting): void => {
  if (key !== 'y' && key !== 'Y' && !NO.includes(key)) return;
  acting.change({ type: 'close' });
  if (!NO.includes(key)) QUESTIONS[dialog].yes(acting);
};
