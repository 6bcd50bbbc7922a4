// The questions asked before an act that the same key does not undo: what will happen, in one line, and what yes means.
// No is the default: enter, escape and n all mean it. What the engine wants confirmed with the target's name is typed.

import type { EngineCommand } from '../engine/contract/command.ts';
import { levelOf } from '../engine/run/confirmation.ts';
import { namesTarget } from '../engine/run/target-name.ts';
import type { Acting } from './binding.ts';
import { printable } from './cell-width.ts';
import { askedNow, isMenu, pressMenu } from './conflict-menu.ts';
import { CONFLICT_QUESTIONS } from './conflict-questions.ts';
import type { KeyName } from './key-parser.ts';
import { KEYSPACE_QUESTIONS } from './keyspace-questions.ts';
import type { Look } from './look.ts';
import type { Messages } from './messages.ts';
import { RATE_QUESTIONS } from './rate-questions.ts';
import { REPAIR_QUESTIONS } from './repair-questions.ts';
import type { ScreenState } from './screen-model.ts';
import { SHARD_QUESTIONS } from './shard-questions.ts';
import type { DialogName, MenuName } from './ui-state.ts';

export interface Question {
  readonly title: (state: ScreenState, look: Look) => string;
  readonly effect: (messages: Messages, state: ScreenState) => string;
  /** What yes asks of the engine; null for what the screen does by itself. */
  readonly command: ((state: ScreenState) => EngineCommand) | null;
  /** Answered with text: what it asks of the engine, or null when it can not be read. */
  readonly input?: (typed: string, state: ScreenState) => EngineCommand | null;
  /** Asked after the end of the run too. */
  readonly afterEnd?: true;
}

/** The way that the migration goes: a question must name what it is about. */
const way = ({ snapshot }: ScreenState, { glyphs }: Look): string =>
  printable(`${snapshot.source.address} ${glyphs.arrow} ${snapshot.target.address}`);

export const QUESTIONS: Readonly<Record<Exclude<DialogName, MenuName>, Question>> = {
  ...REPAIR_QUESTIONS,
  ...CONFLICT_QUESTIONS,
  ...KEYSPACE_QUESTIONS,
  ...RATE_QUESTIONS,
  ...SHARD_QUESTIONS,
  stop: {
    title: (state, look) => `${look.messages.dialog.stopTitle} ${way(state, look)}`,
    effect: ({ dialog }) => dialog.stopEffect,
    command: () => ({ type: 'stop' }),
  },
  finish: {
    title: (state, look) => `${look.messages.dialog.finishTitle} ${way(state, look)}`,
    effect: ({ dialog }, state) => {
      const effect = neededFor('finish', state) === 'yes' ? dialog.finishEffect : dialog.finishEarlyEffect;
      return [effect, ...comparedBefore(dialog, state)].join(' ');
    },
    command: () => ({ type: 'finish' }),
  },
  leave: {
    title: (_, { messages }) => messages.dialog.leaveTitle,
    effect: ({ dialog }) => dialog.leaveEffect,
    command: null,
  },
  'pause-all': {
    title: ({ snapshot }, { messages }) => messages.dialog.pauseAllTitle(snapshot.shards.length),
    effect: ({ dialog }) => dialog.pauseAllEffect,
    command: () => ({ type: 'pause', shards: 'all' }),
  },
  'resume-all': {
    title: ({ snapshot }, { messages }) => messages.dialog.resumeAllTitle(snapshot.shards.length),
    effect: ({ dialog }) => dialog.resumeAllEffect,
    command: () => ({ type: 'resume', shards: 'all' }),
  },
};

/** What is known of the copy before the last act; nothing where a comparison found it equal. */
const comparedBefore = (dialog: Messages['dialog'], { snapshot: { validation } }: ScreenState): string[] => {
  if (validation === null || validation.outcome === null) {
    const isUnderWay = validation?.state === 'running' || validation?.state === 'paused';
    return [isUnderWay ? dialog.finishComparing : dialog.finishNotCompared];
  }
  const different = validation.different - validation.repaired;
  return different > 0 ? [dialog.finishDiffers(different)] : [];
};

/** The open question; the end of the run answers those that are about the run. A shard that has halted at a key asks by itself. */
export const openDialog = (state: ScreenState): DialogName | null => {
  const { ui, snapshot } = state;
  const { dialog } = ui;
  if (snapshot.phase === 'ended')
    return dialog !== null && !isMenu(dialog) && QUESTIONS[dialog].afterEnd === true ? dialog : null;
  if (dialog !== null || ui.help || ui.readOnly) return dialog;
  return askedNow(state) === null ? null : 'conflict';
};

/** How it is answered: with y, by typing the target's name, or with some other text. */
export const neededFor = (dialog: Exclude<DialogName, MenuName>, state: ScreenState): 'yes' | 'target' | 'text' => {
  if (QUESTIONS[dialog].input !== undefined) return 'text';
  const command = QUESTIONS[dialog].command?.(state);
  return command !== undefined && levelOf(command, state.snapshot) === 'target' ? 'target' : 'yes';
};

const NO: readonly KeyName[] = ['n', 'N', 'enter', 'esc', 'q', 'backspace'];
const GIVE_UP: readonly KeyName[] = ['esc', 'ctrl+c'];

const isCharacter = (key: KeyName): boolean => [...key].length === 1;

/** A text takes several keys; only the whole of it, and enter, is an answer. */
const typeText = (dialog: Exclude<DialogName, MenuName>, key: KeyName, acting: Acting, messages: Messages): void => {
  const { state, change, say } = acting;
  const { typed } = state.ui;
  if (GIVE_UP.includes(key) || (key === 'enter' && typed === '')) change({ type: 'close' });
  else if (key === 'backspace') change({ type: 'type', text: typed.slice(0, -1) });
  else if (key === 'ctrl+u') change({ type: 'type', text: '' });
  else if (isCharacter(key)) change({ type: 'type', text: typed + key });
  else if (key === 'enter' && neededFor(dialog, state) === 'text') submit(dialog, acting, messages);
  else if (key === 'enter' && !namesTarget(typed, state.snapshot.target.address)) say(() => messages.dialog.otherName);
  else if (key === 'enter') agree(dialog, { target: typed }, acting);
};

/** Whoever typed it all and pressed enter has agreed to it. */
const submit = (dialog: Exclude<DialogName, MenuName>, acting: Acting, messages: Messages): void => {
  const command = QUESTIONS[dialog].input?.(acting.state.ui.typed, acting.state) ?? null;
  if (command === null) {
    acting.say(() => messages.dialog.unreadable);
    return;
  }
  acting.change({ type: 'close' });
  acting.ask(command, 'yes');
};

const agree = (
  dialog: Exclude<DialogName, MenuName>,
  confirmed: 'yes' | { readonly target: string },
  acting: Acting,
): void => {
  acting.change({ type: 'close' });
  const { command } = QUESTIONS[dialog];
  if (command === null) acting.leave();
  else acting.ask(command(acting.state), confirmed);
};

/** A key while a question is open: only its answers act. */
export const answer = (dialog: DialogName, key: KeyName, acting: Acting, messages: Messages): void => {
  if (isMenu(dialog)) pressMenu(dialog, key, acting);
  else if (neededFor(dialog, acting.state) !== 'yes') typeText(dialog, key, acting, messages);
  else if (key === 'y' || key === 'Y') agree(dialog, 'yes', acting);
  else if (NO.includes(key)) acting.change({ type: 'close' });
};
