// The notices of the whole run as a page of lines that ends with the notice the person scrolled to. Pure.
import type { Notice } from '../engine/contract/notice.ts';
import { type Line, segment } from './cells.ts';
import type { Look } from './look.ts';
import { noticeLines, ruleLine } from './notice-lines.ts';
import { pageOf } from './paged-lines.ts';

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
  const { lines, above, below } = pageOf(notices, end, height - 1, (notice) => noticeLines(notice, width, look));
  const parts = [messages.label.notices];
  if (above > 0) parts.push(`${glyphs.above} ${messages.moreAbove(above)}`);
  if (below > 0) parts.push(`${glyphs.below} ${messages.moreBelow(below)}`);
  if (logFile !== null) parts.push(messages.logFile(logFile));
  return [
    ruleLine(parts.join('  '), width, look),
    ...(notices.length === 0 ? [[segment(` ${messages.noNotices}`, 'dim')] as Line] : lines),
  ];
};
