// A line of the screen as data: pieces of text with a tone, and cells of fixed width of which the least important are left
// out where there is no room. Components print lines; nothing in them cuts text by itself.
import { cellWidth, truncate } from './cell-width.ts';
import type { Tone } from './theme.ts';

/** A piece of text that means one thing. */
export interface Segment {
  readonly text: string;
  readonly tone: Tone;
}

export type Line = readonly Segment[];

/** A piece that may be left out: the lower `rank`, the longer it stays. */
export interface Cell {
  readonly segments: Line;
  readonly rank: number;
}

export const segment = (text: string, tone: Tone = 'plain'): Segment => ({ text, tone });

/** Cells a line takes. */
export const lineWidth = (line: Line): number => line.reduce((width, piece) => width + cellWidth(piece.text), 0);

/** At least `width` cells. A figure is never cut: half of it would be another one. */
const padFigure = (figure: string, width: number): string =>
  figure + ' '.repeat(Math.max(0, width - cellWidth(figure)));

/** A cell of one tone; with `width` its figure stays in its place when it changes. */
export const cell = (rank: number, text: string, tone: Tone = 'plain', width = 0): Cell => ({
  rank,
  segments: [segment(padFigure(text, width), tone)],
});

/** A cell `label figure`, the label dim; with `width` cells for the figure what follows stays in its place. */
export const labelled = (rank: number, label: string, figure: string, width: number, tone: Tone = 'plain'): Cell => ({
  rank,
  segments: [segment(`${label} `, 'dim'), segment(padFigure(figure, width), tone)],
});

/** The cells that fit into `width` with `gap` between them, in their order; the highest ranks go first. */
export const fitCells = (cells: readonly Cell[], width: number, gap = 2): Line => {
  const kept = [...cells];
  const total = (): number =>
    kept.reduce((sum, { segments }) => sum + lineWidth(segments), 0) + gap * Math.max(0, kept.length - 1);
  while (kept.length > 1 && total() > width) {
    const last = kept.reduce((worst, { rank }, index) => (rank >= (kept[worst]?.rank ?? 0) ? index : worst), 0);
    kept.splice(last, 1);
  }
  const line: Segment[] = [];
  for (const { segments } of kept) {
    if (line.length > 0) line.push(segment(' '.repeat(gap)));
    line.push(...segments);
  }
  return cutLine(line, width);
};

/** Cuts a line to at most `width` cells. */
export const cutLine = (line: Line, width: number): Line => {
  if (lineWidth(line) <= width) return line;
  const cut: Segment[] = [];
  let room = width;
  for (const piece of line) {
    if (room <= 0) break;
    const text = truncate(piece.text, room);
    cut.push({ ...piece, text });
    room -= cellWidth(text);
  }
  return cut;
};

/** `left` and `right` at the two ends of a line of exactly `width` cells; the left one gives way. */
export const spread = (left: Line, right: Line, width: number, fill: Segment = segment(' ')): Line => {
  const end = cutLine(right, width);
  const start = cutLine(left, Math.max(0, width - lineWidth(end) - 1));
  const between = width - lineWidth(start) - lineWidth(end);
  return [...start, segment(fill.text.repeat(Math.max(0, between)), fill.tone), ...end];
};

/** Exactly `width` cells. */
export const padLine = (line: Line, width: number): Line => {
  const cut = cutLine(line, width);
  return [...cut, segment(' '.repeat(Math.max(0, width - lineWidth(cut))))];
};
