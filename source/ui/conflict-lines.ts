// The conflicts of the run as a page of lines: when, where, what became of the key, what differed. Pure.
import type { ConflictRecord } from '../engine/contract/conflict.ts';
import { padRight, printable } from './cell-width.ts';
import { cutLine, type Line, segment } from './cells.ts';
import { formatTime } from './format.ts';
import type { Look } from './look.ts';
import { ruleLine } from './notice-lines.ts';
import { pageOf } from './paged-lines.ts';

export interface ConflictFrame {
  readonly width: number;
  readonly height: number;
  /** Id of the last conflict shown; null for the newest. */
  readonly end: number | null;
  readonly search: string;
  /** Where all of them stand; null when nowhere. */
  readonly file: string | null;
  readonly look: Look;
}

/** Those that hold `search` in what is shown of them; letters of either size are the same. */
export const foundConflicts = (conflicts: readonly ConflictRecord[], search: string): readonly ConflictRecord[] => {
  const wanted = search.toLowerCase();
  if (wanted === '') return conflicts;
  return conflicts.filter(({ shard, database, key, outcome, difference, type }) =>
    `${shard} db${database} ${key} ${outcome} ${difference} ${type.source} ${type.target}`
      .toLowerCase()
      .includes(wanted),
  );
};

const OUTCOME_WIDTH = 10;

const conflictLine = (record: ConflictRecord, width: number, { messages, glyphs }: Look): Line => {
  const { outcome, difference } = messages.conflict;
  const types =
    record.type.source === record.type.target
      ? record.type.source
      : `${record.type.source} ${glyphs.arrow} ${record.type.target}`;
  return cutLine(
    [
      segment(` ${formatTime(record.timeMs)} ${record.shard} `, 'dim'),
      segment(padRight(outcome[record.outcome], OUTCOME_WIDTH), record.outcome === 'rewritten' ? 'warn' : 'plain'),
      segment(`db${record.database} ${printable(record.key)}`),
      segment(`  ${types}, ${difference[record.difference]}`, 'dim'),
    ],
    width,
  );
};

/** The page in exactly `height` lines or fewer: a rule with what lies above and below, then the conflicts. */
export const conflictLines = (conflicts: readonly ConflictRecord[], frame: ConflictFrame): Line[] => {
  const { width, height, end, search, file, look } = frame;
  const { messages, glyphs } = look;
  const found = foundConflicts(conflicts, search);
  const { lines, above, below } = pageOf(found, end, height - 1, (record) => [conflictLine(record, width, look)]);
  const parts = [messages.screen.conflicts];
  if (search !== '') parts.push(messages.conflict.searchedFor(printable(search)));
  if (above > 0) parts.push(`${glyphs.above} ${messages.moreAbove(above)}`);
  if (below > 0) parts.push(`${glyphs.below} ${messages.moreBelow(below)}`);
  if (file !== null && conflicts.length > 0) parts.push(messages.conflict.allIn(printable(file)));
  return [
    ruleLine(parts.join('  '), width, look),
    ...(found.length === 0 ? [[segment(` ${messages.conflict.none}`, 'dim')] as Line] : lines),
  ];
};
