// The help, made from the keymap and the looks of the states: what is not in those tables cannot be in here. Pure.
import { SHARD_STATES } from '../engine/contract.ts';
import { cellWidth, padRight } from './cell-width.ts';
import { type Line, padLine, segment } from './cells.ts';
import { KEYMAP } from './keymap.ts';
import type { Look } from './look.ts';
import { ruleLine } from './notice-lines.ts';
import { FLAG_LOOKS, stateLook } from './state-look.ts';

const KEYS_WIDTH = 12;

const keyLines = ({ messages }: Look): Line[] =>
  KEYMAP.map((binding) => [
    segment(` ${padRight(binding.shown, KEYS_WIDTH)}`, 'key'),
    segment(messages.keys[binding.id].help),
  ]);

const legendLines = ({ messages }: Look): Line[] => [
  ...SHARD_STATES.map((state): Line => {
    const { glyph, tone } = stateLook(state);
    return [segment(`${glyph} ${messages.state[state]}`, tone)];
  }),
  [segment(`${FLAG_LOOKS.paused.glyph} ${messages.paused}`, FLAG_LOOKS.paused.tone)],
  [segment(`${FLAG_LOOKS.throttled.glyph} ${messages.throttled}`, FLAG_LOOKS.throttled.tone)],
];

/** The help in `height` lines: keys at the left, signs at the right. */
export const helpLines = (width: number, height: number, logFile: string | null, look: Look): Line[] => {
  const { messages } = look;
  const keys = keyLines(look);
  const legend = legendLines(look);
  const legendWidth = Math.max(...legend.map((line) => cellWidth(line.map((piece) => piece.text).join('')))) + 2;
  const left = Math.min(60, width - legendWidth);
  const lines: Line[] = [ruleLine(messages.helpTitle, width, look)];
  for (let row = 0; row < Math.max(keys.length, legend.length); row += 1) {
    lines.push([...padLine(keys[row] ?? [], left), ...(legend[row] ?? [])]);
  }
  if (logFile !== null) lines.push([], [segment(` ${messages.logFile(logFile)}`, 'dim')]);
  return lines.slice(0, height);
};
