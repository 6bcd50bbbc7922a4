// Notices as lines: time, level in words, shard, message; wrapped in the log, cut in the short strip. Pure.
import type { Notice } from '../engine/contract/notice.ts';
import { cellWidth, padRight, printable, wrap } from './cell-width.ts';
import { cutLine, type Line, segment } from './cells.ts';
import { formatTime } from './format.ts';
import type { Look } from './look.ts';
import type { Tone } from './theme.ts';

const TONES: Readonly<Record<Notice['level'], Tone>> = { info: 'plain', warn: 'warn', error: 'bad' };

/** Lines that one notice may take in the log; longer ones are whole in the log file. */
const LINES_MOST = 6;

const SHARD_WIDTH = 9;

const levelWidth = ({ messages }: Look): number => Math.max(...Object.values(messages.level).map(cellWidth));

/** What stands before the message. */
const head = (notice: Notice, look: Look): Line => [
  segment(` ${formatTime(notice.timeMs)} `, 'dim'),
  segment(`${padRight(look.messages.level[notice.level], levelWidth(look))} `, TONES[notice.level]),
  segment(`${padRight(printable(notice.shard ?? look.messages.wholeRun), SHARD_WIDTH)} `, 'dim'),
];

const headWidth = (look: Look): number => 1 + 8 + 1 + levelWidth(look) + 1 + SHARD_WIDTH + 1;

/** One notice in one line. */
export const noticeLine = (notice: Notice, width: number, look: Look): Line =>
  cutLine([...head(notice, look), segment(printable(notice.message), TONES[notice.level])], width);

/** One notice in as many lines as it needs. */
export const noticeLines = (notice: Notice, width: number, look: Look): Line[] => {
  const indent = Math.min(headWidth(look), Math.max(0, width - 20));
  const text = wrap(printable(notice.message), Math.max(10, width - indent - 1)).slice(0, LINES_MOST);
  return text.map((part, index) =>
    cutLine(
      [...(index === 0 ? head(notice, look) : [segment(' '.repeat(indent))]), segment(part, TONES[notice.level])],
      width,
    ),
  );
};

/** A rule across the screen with a title in it. */
export const ruleLine = (title: string, width: number, { glyphs }: Look): Line =>
  cutLine(
    [
      segment(`${glyphs.rule} `, 'dim'),
      segment(title, 'title'),
      segment(` ${glyphs.rule.repeat(Math.max(0, width - cellWidth(title) - 3))}`, 'dim'),
    ],
    width,
  );

/** The newest notices, each in one line; whole where there is room for all of all. */
const stripLines = (notices: readonly Notice[], width: number, room: number, look: Look): Line[] => {
  const shown = notices.slice(-room);
  const whole = shown.flatMap((notice) => noticeLines(notice, width, look));
  return whole.length <= room ? whole : shown.map((notice) => noticeLine(notice, width, look));
};

/** The newest notices in `height` lines, the newest last, under a rule where there is room for one. */
export const noticeStrip = (notices: readonly Notice[], width: number, height: number, look: Look): Line[] => {
  if (height <= 0) return [];
  const hasRule = height >= 3;
  const lines =
    notices.length === 0 && hasRule
      ? [[segment(` ${look.messages.noNotices}`, 'dim')]]
      : stripLines(notices, width, height - (hasRule ? 1 : 0), look);
  return hasRule ? [ruleLine(look.messages.label.notices, width, look), ...lines] : lines;
};
