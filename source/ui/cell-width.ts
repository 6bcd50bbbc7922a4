// Text measured in terminal cells: Chinese takes two, a combining mark none. Every padding of the screen goes through here,
// and so does every text that comes from a server or a file: control characters in it must never reach the terminal.
import stringWidth from 'string-width';

/** Plain ASCII is most of what we print, and measuring it by the general way costs a quarter of a frame. */
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/** Control characters, and what is invisible or turns the direction of writing. */
const CONTROL = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

const SEGMENTER = new Intl.Segmenter();

/** Cells that `text` takes on the terminal. */
export const cellWidth = (text: string): number => (PRINTABLE_ASCII.test(text) ? text.length : stringWidth(text));

/**
 * Makes foreign text harmless: a control character becomes a visible `\xNN`, a line break a space. Without this a key name
 * or a server's error could move the cursor or change the title of the person's terminal.
 */
export const printable = (text: string): string => {
  if (PRINTABLE_ASCII.test(text)) return text;
  return text
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .replace(CONTROL, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
};

/** Ends a text that was cut; ASCII, so that it suits every terminal. */
const ELLIPSIS = '..';

/** Cuts `text` to at most `width` cells and says so at its end. */
export const truncate = (text: string, width: number): string => {
  if (width <= 0) return '';
  if (cellWidth(text) <= width) return text;
  const room = width - ELLIPSIS.length;
  if (room <= 0) return ELLIPSIS.slice(0, width);
  if (PRINTABLE_ASCII.test(text)) return text.slice(0, room) + ELLIPSIS;
  let kept = '';
  let used = 0;
  for (const { segment } of SEGMENTER.segment(text)) {
    const cells = cellWidth(segment);
    if (used + cells > room) break;
    kept += segment;
    used += cells;
  }
  return kept + ELLIPSIS;
};

/** Exactly `width` cells, text at the left. */
export const padRight = (text: string, width: number): string => {
  const cut = truncate(text, width);
  return cut + ' '.repeat(Math.max(0, width - cellWidth(cut)));
};

/** Exactly `width` cells, text at the right; for numbers, which stay under each other that way. */
export const padLeft = (text: string, width: number): string => {
  const cut = truncate(text, width);
  return ' '.repeat(Math.max(0, width - cellWidth(cut))) + cut;
};

/** Breaks text into lines of at most `width` cells, at spaces where there are any. Never returns an empty list. */
export const wrap = (text: string, width: number): string[] => {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const word of text.split(' ')) {
    const cells = cellWidth(word);
    if (used > 0 && used + 1 + cells <= width) {
      line += ` ${word}`;
      used += 1 + cells;
      continue;
    }
    if (used > 0) lines.push(line);
    line = '';
    used = 0;
    // A word wider than the line (Chinese has no spaces, a key may be long) is broken between its characters.
    for (const { segment } of cells > width ? SEGMENTER.segment(word) : [{ segment: word }]) {
      const width1 = cellWidth(segment);
      if (used > 0 && used + width1 > width) {
        lines.push(line);
        line = '';
        used = 0;
      }
      line += segment;
      used += width1;
    }
  }
  lines.push(line);
  return lines;
};
