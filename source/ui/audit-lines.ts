// The audit log as a page of lines: when, who, what, how it was confirmed, what came of it. Pure.
import type { AuditEntry } from '../engine/contract/order.ts';
import { cellWidth, padRight, printable, wrap } from './cell-width.ts';
import { cutLine, type Line, segment } from './cells.ts';
import { formatTime } from './format.ts';
import type { Look } from './look.ts';
import { ruleLine } from './notice-lines.ts';
import { pageOf } from './paged-lines.ts';

export interface AuditFrame {
  readonly width: number;
  readonly height: number;
  /** Id of the last entry shown; null for the newest. */
  readonly end: number | null;
  readonly look: Look;
}

/** An export names two files with their paths. */
const LINES_MOST = 8;
/** Cells for what was asked: the longest usual command. */
const COMMAND_WIDTH = 17;

/** How it was confirmed and by whom, in brackets behind the sentence. */
const origin = ({ client, confirmed }: AuditEntry, { messages }: Look): string => {
  const { by, yes, target } = messages.audit;
  const how = confirmed === 'no' ? [] : [confirmed === 'yes' ? yes : target(printable(confirmed.target))];
  return `(${[by(printable(client)), ...how].join(', ')})`;
};

const entryLines = (entry: AuditEntry, width: number, look: Look): Line[] => {
  const tone = entry.accepted ? 'plain' : 'warn';
  const change =
    entry.change === null ? '' : ` ${printable(`${entry.change.from} ${look.glyphs.arrow} ${entry.change.to}`)}.`;
  const command = padRight(entry.command.type, COMMAND_WIDTH);
  const head: Line = [segment(` ${formatTime(entry.timeMs)} `, 'dim'), segment(`${command} `, 'title')];
  const indent = 1 + 8 + 1 + cellWidth(command) + 1;
  const verdict = entry.accepted ? '' : `${look.messages.audit.refused}: `;
  const text = `${verdict}${printable(entry.message)}${change} ${origin(entry, look)}`;
  return wrap(text, Math.max(10, width - indent - 1))
    .slice(0, LINES_MOST)
    .map((part, index) =>
      cutLine([...(index === 0 ? head : [segment(' '.repeat(indent))]), segment(part, tone)], width),
    );
};

/** The page in exactly `height` lines or fewer: a rule with what lies above and below, then the entries. */
export const auditLines = (entries: readonly AuditEntry[], { width, height, end, look }: AuditFrame): Line[] => {
  const { messages, glyphs } = look;
  const { lines, above, below } = pageOf(entries, end, height - 1, (entry) => entryLines(entry, width, look));
  const parts = [messages.screen.audit];
  if (above > 0) parts.push(`${glyphs.above} ${messages.moreAbove(above)}`);
  if (below > 0) parts.push(`${glyphs.below} ${messages.moreBelow(below)}`);
  return [
    ruleLine(parts.join('  '), width, look),
    ...(entries.length === 0 ? [[segment(` ${messages.audit.empty}`, 'dim')] as Line] : lines),
  ];
};
