// The panel of a shard as lines of a given width: progress, rates, lag, conflicts, histories, the reason for slowness.
// Pure; the detail view has its own, longer lines.
import type { ShardSnapshot } from '../engine/contract/shard-snapshot.ts';
import { rateInWords } from '../engine/rate/rate-words.ts';
import { cellWidth, padRight, printable, wrap } from './cell-width.ts';
import {
  type Cell,
  cell,
  cutLine,
  fitCells,
  type Line,
  labelled,
  lineWidth,
  type Segment,
  segment,
  spread,
} from './cells.ts';
import {
  formatByteRate,
  formatBytes,
  formatCount,
  formatDuration,
  formatExact,
  formatLag,
  formatPercent,
} from './format.ts';
import type { Look } from './look.ts';
import { keyspaceEventsText, stateSegments, updatesText, whySegment } from './shard-words.ts';
import { buckets, chart, progressBar, sparkline } from './sparkline.ts';
import type { Tone } from './theme.ts';
import { snapshotShare } from './totals.ts';
import { verifiedSegment } from './validation-text.ts';

/** Lag from which a figure is drawn as a warning, seconds. */
const LAG_WARN_SECONDS = 5;

/** Narrowest bar that still tells something. */
const BAR_MIN = 8;

const outOf = (done: string, total: number | null, format: (value: number) => string): string =>
  total === null ? done : `${done}/${format(total)}`;

/** Bar, percent, keys, bytes, estimate; the bar takes the room that is left. */
export const progressLine = (shard: ShardSnapshot, width: number, look: Look): Line => {
  const { label } = look.messages;
  const share = snapshotShare(shard);
  const isOpen = share !== 1;
  const cells: Cell[] = [
    cell(0, formatPercent(share).padStart(4), 'title'),
    {
      rank: 1,
      segments: [
        segment(outOf(formatCount(shard.keys.done), shard.keys.total, formatCount).padStart(11)),
        segment(` ${label.keys}`, 'dim'),
      ],
    },
    cell(3, outOf(formatBytes(shard.bytes.done), shard.bytes.total, formatBytes).padStart(17)),
  ];
  if (shard.etaSeconds !== null) cells.push(labelled(2, label.eta, formatDuration(shard.etaSeconds), 6));
  const facts = fitCells(cells, width - BAR_MIN - 1);
  const bar = progressBar(share, width - lineWidth(facts) - 1, look.glyphs);
  return [segment(bar, isOpen ? 'busy' : 'good'), segment(' '), ...facts];
};

const lagTone = (shard: ShardSnapshot): Tone => ((shard.lagSeconds ?? 0) >= LAG_WARN_SECONDS ? 'warn' : 'plain');

/** Operations and bytes a second, lag in bytes and seconds, and with `historyEndMs` its history where there is room. */
export const rateLine = (shard: ShardSnapshot, width: number, historyEndMs: number | null, look: Look): Line => {
  const { messages, glyphs } = look;
  const cells: Cell[] = [
    {
      rank: 0,
      segments: [segment(formatCount(shard.opsPerSecond).padStart(5)), segment(` ${messages.opsPerSecond}`, 'dim')],
    },
    cell(2, formatByteRate(shard.bytesPerSecond).padStart(10)),
    labelled(1, messages.label.lag, formatLag(shard.lagSeconds), 5, lagTone(shard)),
  ];
  if (shard.lagBytes !== null) cells.push(cell(3, formatBytes(shard.lagBytes).padStart(8), lagTone(shard)));
  if (shard.rate.bytesPerSecond !== null || shard.rate.operationsPerSecond !== null)
    cells.push(cell(2, messages.rates.atMost(rateInWords(shard.rate)), 'warn'));
  const facts = fitCells(cells, width);
  const room = width - lineWidth(facts) - 2;
  if (historyEndMs === null || room < BAR_MIN) return facts;
  return [...facts, segment('  '), segment(sparkline(shard.history.lagBytes, room, historyEndMs, glyphs), 'accent')];
};

/** Conflict policy and counts, keyspace notifications, queue, refused writes. */
export const policyLine = (shard: ShardSnapshot, width: number, look: Look): Line => {
  const { label } = look.messages;
  const met = shard.conflicts.rewritten + shard.conflicts.ignored;
  const cells: Cell[] = [
    {
      rank: 0,
      segments: [
        segment(`${label.conflict} `, 'dim'),
        segment(shard.conflictPolicy, shard.conflictPolicy === 'rewrite' ? 'warn' : 'plain'),
        segment(` ${formatCount(met)}`, met > 0 ? 'warn' : 'plain'),
      ],
    },
    { rank: 2, segments: [segment(`${label.events} `, 'dim'), segment(keyspaceEventsText(shard, look))] },
    shard.changes === null
      ? labelled(3, label.queued, formatBytes(shard.queued), 8)
      : labelled(1, label.updates, updatesText(shard), 8),
    // A count of zero may be left out, one that is not must be seen.
    labelled(shard.errors > 0 ? 1 : 5, label.refused, formatCount(shard.errors), 1, shard.errors > 0 ? 'bad' : 'plain'),
  ];
  if (shard.spoolBytes > 0) cells.push(labelled(4, label.onDisk, formatBytes(shard.spoolBytes), 8, 'warn'));
  return fitCells(cells, width);
};

/** Rows of one history in a panel, at most. */
const CHART_ROWS_MOST = 8;

/** A history and how it is named. */
interface History {
  readonly label: string;
  readonly samples: readonly number[];
  readonly format: (value: number) => string;
  readonly tone: Tone;
}

/** A history in `rows` lines: its label at the left, and under it, where there is a second row, its peak. */
const historyLines = (
  { label, samples, format, tone }: History,
  rows: number,
  gutter: number,
  panel: PanelFrame,
): Line[] => {
  const frame = { width: panel.width - gutter, rows, endMs: panel.takenAtMs };
  const peak = Math.max(0, ...buckets(samples, frame).map((top) => top ?? 0));
  const heads = [label, format(peak)];
  return chart(samples, frame, panel.look.glyphs).map((row, index) => [
    segment(padRight(heads[index] ?? '', gutter), 'dim'),
    segment(row, tone),
  ]);
};

/** The room that a panel's lines have. */
export interface PanelFrame {
  readonly width: number;
  readonly height: number;
  readonly nowMs: number;
  /** When the histories end. */
  readonly takenAtMs: number;
  readonly look: Look;
}

/** Lines that a tall panel has beside the four of every panel; most useful first. */
const extraLines = (shard: ShardSnapshot, panel: PanelFrame, room: number): Line[] => {
  const { width, look } = panel;
  const { label, received, applied, snapshotKind, opsPerSecond } = look.messages;
  const fact = (name: string, text: string): Line => fitCells([cell(0, name, 'dim'), cell(0, text)], width, 1);
  const facts: Line[] = [
    fitCells(
      [
        cell(0, label.offset, 'dim'),
        cell(0, `${formatExact(shard.offset.applied)} ${applied}`),
        cell(1, `${formatExact(shard.offset.received)} ${received}`, 'dim'),
      ],
      width,
    ),
    fact(label.targets, shard.targets.length === 0 ? '-' : shard.targets.map(printable).join(' ')),
    fitCells(
      [
        { rank: 0, segments: [segment(`${label.slots} `, 'dim'), segment(shard.slots ?? '-')] },
        labelled(1, label.commands, formatCount(shard.commands), 5),
        labelled(2, label.inFlight, formatBytes(shard.inFlightBytes), 8),
        labelled(3, label.held, formatCount(shard.held), 5),
        cell(4, shard.snapshotKind === null ? '' : snapshotKind[shard.snapshotKind], 'dim'),
      ],
      width,
    ),
  ];
  // First a row for each history, then the facts, then higher histories with whatever is left.
  const chartRows = room <= 2 ? room : 2 + Math.max(0, room - 2 - facts.length);
  const opsRows = Math.min(CHART_ROWS_MOST, Math.ceil(chartRows / 2));
  const lagRows = Math.min(CHART_ROWS_MOST, Math.floor(chartRows / 2));
  const ops: History = { label: opsPerSecond, samples: shard.history.opsPerSecond, format: formatCount, tone: 'busy' };
  const lag: History = { label: label.lag, samples: shard.history.lagBytes, format: formatBytes, tone: 'accent' };
  // Wide enough for the labels, and for a peak where one is shown.
  const gutter = opsRows > 1 ? 9 : Math.max(cellWidth(ops.label), cellWidth(lag.label)) + 1;
  return [...historyLines(ops, opsRows, gutter, panel), ...historyLines(lag, lagRows, gutter, panel), ...facts].slice(
    0,
    room,
  );
};

/** Lines that a reason may take. */
const WHY_ROWS_MOST = 2;

/** What says why, or where the shard is when its title had no room for that; and the last verdict's age. */
const lastLines = (shard: ShardSnapshot, { width, nowMs, look }: PanelFrame, most: number): Line[] => {
  const { label } = look.messages;
  const why = whySegment(shard, look);
  const verified = verifiedSegment(shard, nowMs, look);
  const verdict: Line = verified === null ? [] : [verified];
  if (why !== null) return whyLines(why, verdict, width, most, look);
  if (hasAddress(shard, width, nowMs, look)) return [cutLine(verdict, width)];
  return [spread([segment(`${label.source} `, 'dim'), segment(printable(shard.address))], verdict, width)];
};

/** The reason, beside the verdict where both fit into one line; else over up to `most` lines. */
const whyLines = (why: Segment, verdict: Line, width: number, most: number, { messages }: Look): Line[] => {
  const head = segment(`${messages.label.why} `, 'dim');
  const indent = cellWidth(head.text);
  const fits = lineWidth([head, why, ...verdict]) < width;
  if (fits || most === 1) return [spread([head, why], verdict, width)];
  const [first = '', ...others] = wrap(why.text, width - indent);
  const lines = [first, ...(others.length === 0 ? [] : [others.join(' ')])];
  return lines.map((text, index) =>
    cutLine([index === 0 ? head : segment(' '.repeat(indent)), segment(text, why.tone)], width),
  );
};

/** The lines inside a panel's border, at most `height` of them. */
export const panelLines = (shard: ShardSnapshot, panel: PanelFrame): Line[] => {
  const { width, height, takenAtMs, look } = panel;
  const last = lastLines(shard, panel, height > 3 ? WHY_ROWS_MOST : 1);
  const extras = extraLines(shard, panel, Math.max(0, height - 3 - last.length));
  const progress = progressLine(shard, width, look);
  // The lag's history stands in the rates only where it has no line of its own.
  const rates = rateLine(shard, width, extras.length < 2 ? takenAtMs : null, look);
  const policy = policyLine(shard, width, look);
  if (height <= 3) return [progress, rates, ...(whySegment(shard, look) === null ? [policy] : last)].slice(0, height);
  // Why a shard stands is more than its policy, where a small panel can not show both.
  if (last.length > height - 3) return [progress, rates, ...last];
  return [progress, rates, policy, ...extras, ...last];
};

/** The right part of the title: state, age, flag. */
const titleState = (shard: ShardSnapshot, nowMs: number | null, look: Look): Line => [
  segment(' '),
  ...stateSegments(shard, nowMs, look),
  segment(' '),
];

/** Whether the title of a panel with `width` inner cells has room for the whole address. */
const hasAddress = (shard: ShardSnapshot, width: number, nowMs: number, look: Look): boolean =>
  cellWidth(`  ${shard.name} ${shard.address} `) + 1 + lineWidth(titleState(shard, nowMs, look)) <= width + 1;

/** The two ends of the title in a panel's upper border: marker, name, address where it fits; state with its age. */
export const panelTitle = (
  shard: ShardSnapshot,
  isSelected: boolean,
  { width, nowMs, look }: PanelFrame,
): readonly [Line, Line] => {
  const name: Segment[] = [
    segment(isSelected ? `${look.glyphs.marker} ` : ' '),
    segment(`${shard.name} `, isSelected ? 'selected' : 'title'),
  ];
  if (hasAddress(shard, width, nowMs, look)) name.push(segment(`${printable(shard.address)} `, 'dim'));
  // The name is never cut for the age: which shard it is, nothing else says.
  const withAge = titleState(shard, nowMs, look);
  const hasRoom = lineWidth(name) + 1 + lineWidth(withAge) <= width + 1;
  return [name, hasRoom ? withAge : titleState(shard, null, look)];
};
