// The foot of the screen: the result when there is one, else a passing sentence, else the keys that act here. Pure.
import type { EngineResult } from '../engine/contract/result.ts';
import { printable, wrap } from './cell-width.ts';
import { type Cell, cell, cutLine, fitCells, type Line, segment } from './cells.ts';
import { formatDuration } from './format.ts';
import { footerBindings } from './keymap.ts';
import type { Look } from './look.ts';
import type { ScreenState } from './screen-model.ts';
import type { Tone } from './theme.ts';
import type { Flash } from './ui-state.ts';

/** Lines of the reason under a result, and of a passing sentence. */
const REASON_LINES = 2;
const FLASH_LINES = 2;

const resultTone = ({ exitCode }: EngineResult): Tone => (exitCode === 0 ? 'good' : exitCode === 6 ? 'warn' : 'bad');

const banner = (result: EngineResult, width: number, { messages }: Look): Line[] => {
  const { headline } = messages.result;
  const text = headline(messages.outcome[result.outcome], result.exitCode, formatDuration(result.seconds));
  const lines: Line[] = [cutLine([segment(` ${text}`, resultTone(result))], width)];
  if (result.message === null) return lines;
  const reason = wrap(printable(result.message), Math.max(10, width - 2)).slice(0, REASON_LINES);
  return [...lines, ...reason.map((part) => cutLine([segment(` ${part}`)], width))];
};

const hints = (state: ScreenState, width: number, { messages }: Look): Line => {
  const bindings = footerBindings(state);
  const cells = bindings.map((binding, index): Cell => {
    const label = messages.keys[binding.id];
    // How to get help and how to leave are the last hints to go.
    const rank = binding.id === 'help' || binding.id === 'quit' || binding.id === 'leave' ? 0 : index + 1;
    return { rank, segments: [segment(binding.shown, 'key'), segment(` ${label.hint ?? label.help}`, 'dim')] };
  });
  if (state.ui.readOnly) cells.unshift(cell(0, messages.readOnly, 'warn'));
  return [segment(' '), ...fitCells(cells, width - 1)];
};

const flashLines = ({ text, tone }: Flash, width: number): Line[] => {
  const room = Math.max(10, width - 2);
  const [first = '', ...others] = wrap(printable(text), room);
  const parts = others.length < FLASH_LINES ? [first, ...others] : [first, others.join(' ')];
  return parts.map((part) => cutLine([segment(` ${part}`, tone)], width));
};

/** The lines of the foot; at least one. */
export const footerLines = (state: ScreenState, width: number, look: Look): Line[] => {
  const { snapshot, ui, nowMs } = state;
  const flash = ui.flash !== null && nowMs < ui.flash.untilMs ? ui.flash : null;
  const last = flash === null ? [hints(state, width, look)] : flashLines(flash, width);
  return snapshot.result === null ? last : [...banner(snapshot.result, width, look), ...last];
};
