// The help, made from the keymap and the looks of the states: what is not in those tables cannot be in here. Pure.
import { SHARD_STATES } from '../engine/contract/shard-snapshot.ts';
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

/** How many rows the help has: as many as there are keys, or signs. */
export const HELP_ROWS = Math.max(KEYMAP.length, SHARD_STATES.length + Object.keys(FLAG_LOOKS).length);

/** The help in `height` lines, from key number `top` on: keys at the left, signs at the right. */
export const helpLines = (
  { width, height, top }: { readonly width: number; readonly height: number; readonly top: number },
  logFile: string | null,
  look: Look,
): Line[] => {
  const { messages, glyphs } = look;
  const keys = keyLines(look);
  const legend = legendLines(look);
  const legendWidth = Math.max(...legend.map((line) => cellWidth(line.map((piece) => piece.text).join('')))) + 2;
  const left = Math.min(60, width - legendWidth);
  const below = HELP_ROWS - top - (height - 1);
  const parts = [messages.helpTitle];
  if (top > 0) parts.push(`${glyphs.above} ${messages.moreAbove(top)}`);
  if (below > 0) parts.push(`${glyphs.below} ${messages.moreBelow(below)}`);
  if (logFile !== null) parts.push(messages.logFile(logFile));
  const lines: Line[] = [ruleLine(parts.join('  '), width, look)];
  for (let row = top; row < HELP_ROWS; row += 1)
    lines.push([...padLine(keys[row] ?? [], left), ...(legend[row] ?? [])]);
  return lines.slice(0, height);
};
