// The notices of the whole run as a page of lines that ends with the notice the person scrolled to. Pure.
import type { Notice } from '../engine/contract.ts';
import { type Line, segment } from './cells.ts';
import type { Look } from './look.ts';
import { noticeLines, ruleLine } from './notice-lines.ts';

export interface LogFrame {
  readonly width: number;
  readonly height: number;
  /** Id of the last notice shown; null for the newest. */
  readonly end: number | null;
  readonly logFile: string | null;
  readonly look: Look;
}

/** The page in exactly `height` lines or fewer: a rule with what lies above and below, then the notices. */
export const logLines = (notices: readonly Notice[], { width, height, end, logFile, look }: LogFrame): Line[] => {
  const { messages, glyphs } = look;
  const found = end === null ? notices.length - 1 : notices.findIndex((notice) => notice.id === end);
  let first = Math.max(0, found);
  let last = first;
  const room = height - 1;
  const page: Line[] = [];
  if (notices.length > 0) {
    for (let index = first; index >= 0 && page.length < room; index -= 1) {
      const notice = notices[index];
      if (notice === undefined) break;
      page.unshift(...noticeLines(notice, width, look));
      first = index;
    }
    // The oldest page is filled from below, so that it does not stand half empty.
    while (first === 0 && page.length < room) {
      const notice = notices[last + 1];
      if (notice === undefined) break;
      page.push(...noticeLines(notice, width, look));
      last += 1;
    }
  }
  const below = notices.length - 1 - last;
  const parts = [messages.label.notices];
  if (first > 0) parts.push(`${glyphs.above} ${messages.moreAbove(first)}`);
  if (below > 0) parts.push(`${glyphs.below} ${messages.moreBelow(below)}`);
  if (logFile !== null) parts.push(messages.logFile(logFile));
  const body = page.length > room && first < last ? page.slice(0, room) : page.slice(-room);
  return [
    ruleLine(parts.join('  '), width, look),
    ...(notices.length === 0 ? [[segment(` ${messages.noNotices}`, 'dim')] as Line] : body),
  ];
};
