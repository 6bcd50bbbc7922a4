// One shard in one line, for many shards or small terminals, and the heads above the columns. Which columns there are
// depends on the width only, so that figures stay under each other. Pure.
import type { ShardSnapshot } from '../engine/contract/shard-snapshot.ts';
import { cellWidth, padLeft, padRight, printable } from './cell-width.ts';
import { cutLine, type Line, type Segment, segment } from './cells.ts';
import { formatByteRate, formatBytes, formatCount, formatDuration, formatLag, formatPercent } from './format.ts';
import type { Look } from './look.ts';
import { keyspaceEventsText, whySegment } from './shard-words.ts';
import { progressBar, sparkline } from './sparkline.ts';
import { flagLook, stateLook } from './state-look.ts';
import { snapshotShare } from './totals.ts';

interface Column {
  readonly width: number;
  /** Narrowest terminal on which the column is shown. */
  readonly from: number;
  readonly head: (look: Look) => string;
  readonly isNumber?: true;
  readonly text: (shard: ShardSnapshot, look: Look, takenAtMs: number) => Segment;
}

const BAR_WIDTH = 10;
const SPARK_WIDTH = 12;

/** The word of the state, or of the flag where one stands: a paused shard is paused for the person, whatever it would do. */
const stateWord = (shard: ShardSnapshot, { messages }: Look): Segment => {
  const flag = flagLook(shard);
  const isUrgent = shard.state === 'failed' || shard.state === 'retrying';
  if (flag === null || isUrgent) {
    const { glyph, tone } = stateLook(shard.state);
    return segment(`${glyph} ${messages.state[shard.state]}`, tone);
  }
  return segment(`${flag.glyph} ${shard.paused ? messages.paused : messages.throttled}`, flag.tone);
};

const COLUMNS: readonly Column[] = [
  { width: 13, from: 0, head: ({ messages }) => messages.label.state, text: stateWord },
  {
    width: 21,
    from: 120,
    head: ({ messages }) => messages.label.source,
    text: (shard) => segment(printable(shard.address), 'dim'),
  },
  {
    width: BAR_WIDTH,
    from: 70,
    head: ({ messages }) => messages.label.progress,
    text: (shard, { glyphs }) =>
      segment(progressBar(snapshotShare(shard), BAR_WIDTH, glyphs), snapshotShare(shard) === 1 ? 'good' : 'busy'),
  },
  { width: 4, from: 0, head: () => '', isNumber: true, text: (shard) => segment(formatPercent(snapshotShare(shard))) },
  {
    width: 11,
    from: 130,
    head: ({ messages }) => messages.label.keys,
    isNumber: true,
    text: ({ keys }) => segment(`${formatCount(keys.done)}/${formatCount(keys.total)}`),
  },
  {
    width: 6,
    from: 50,
    head: ({ messages }) => messages.opsPerSecond,
    isNumber: true,
    text: (shard) => segment(formatCount(shard.opsPerSecond)),
  },
  {
    width: 10,
    from: 100,
    head: ({ messages }) => messages.label.inbound,
    isNumber: true,
    text: (shard) => segment(formatByteRate(shard.bytesPerSecond)),
  },
  {
    width: 6,
    from: 0,
    head: ({ messages }) => messages.label.lag,
    isNumber: true,
    text: (shard) => segment(formatLag(shard.lagSeconds)),
  },
  {
    width: 8,
    from: 110,
    head: ({ messages }) => messages.label.queued,
    isNumber: true,
    text: (shard) => segment(formatBytes(shard.queued)),
  },
  {
    width: SPARK_WIDTH,
    from: 140,
    head: ({ messages }) => messages.opsPerSecond,
    text: (shard, { glyphs }, takenAtMs) =>
      segment(sparkline(shard.history.opsPerSecond, SPARK_WIDTH, takenAtMs, glyphs), 'busy'),
  },
  {
    width: 14,
    from: 150,
    head: ({ messages }) => messages.label.conflict,
    text: (shard) =>
      segment(`${shard.conflictPolicy} ${formatCount(shard.conflicts.rewritten + shard.conflicts.ignored)}`),
  },
  {
    width: 6,
    from: 160,
    head: ({ messages }) => messages.label.events,
    text: (shard, look) => segment(keyspaceEventsText(shard, look)),
  },
];

/** What stands in the last column: why it is slow, refused writes, or when the snapshot will be applied. */
const note = (shard: ShardSnapshot, look: Look): Segment => {
  const { label } = look.messages;
  const why = whySegment(shard, look, true);
  if (why !== null) return why;
  if (shard.errors > 0) return segment(`${label.refused} ${formatCount(shard.errors)}`, 'bad');
  if (shard.etaSeconds !== null) {
    return segment(`${label.eta} ${formatDuration(shard.etaSeconds)}`, 'dim');
  }
  return segment('');
};

/** Cells for the names: as wide as the widest, within reason. */
export const nameWidth = (shards: readonly ShardSnapshot[]): number =>
  Math.min(20, Math.max(8, ...shards.map((shard) => cellWidth(shard.name))));

/** The heads of the columns. */
export const rowHeads = (width: number, names: number, look: Look): Line => {
  const { label } = look.messages;
  let text = ` ${' '.repeat(cellWidth(look.glyphs.marker))}${padRight(label.shard, names)}`;
  for (const column of COLUMNS) {
    if (width < column.from) continue;
    const head = column.head(look);
    text += `  ${column.isNumber ? padLeft(head, column.width) : padRight(head, column.width)}`;
  }
  return cutLine([segment(`${text}  ${label.note}`, 'dim')], width);
};

/** The line of one shard. */
export const shardRow = (
  shard: ShardSnapshot,
  isSelected: boolean,
  { width, names, takenAtMs }: { readonly width: number; readonly names: number; readonly takenAtMs: number },
  look: Look,
): Line => {
  const { marker } = look.glyphs;
  const line: Segment[] = [
    segment(isSelected ? `${marker} ` : ' '.repeat(cellWidth(marker) + 1)),
    segment(padRight(shard.name, names), isSelected ? 'selected' : 'plain'),
  ];
  for (const column of COLUMNS) {
    if (width < column.from) continue;
    const { text, tone } = column.text(shard, look, takenAtMs);
    line.push(
      segment('  '),
      segment(column.isNumber ? padLeft(text, column.width) : padRight(text, column.width), tone),
    );
  }
  const { text, tone } = note(shard, look);
  return cutLine(text === '' ? line : [...line, segment('  '), segment(text, tone)], width);
};
