// Everything about one shard, as lines: facts with their labels, then histories over the whole width, then its notices. Pure.
import type { Notice } from '../engine/contract/notice.ts';
import type { ShardSnapshot } from '../engine/contract/shard-snapshot.ts';
import { cellWidth, padRight, printable, wrap } from './cell-width.ts';
import { cutLine, type Line, lineWidth, type Segment, segment } from './cells.ts';
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
import { noticeStrip, ruleLine } from './notice-lines.ts';
import { keyspaceEventsText, stateSegments, updatesText, whySegment } from './shard-words.ts';
import { buckets, chart, progressBar } from './sparkline.ts';
import type { Tone } from './theme.ts';
import { snapshotShare } from './totals.ts';
import { verifiedSegment } from './validation-text.ts';

export interface DetailFrame {
  readonly width: number;
  readonly height: number;
  readonly nowMs: number;
  readonly takenAtMs: number;
  readonly look: Look;
}

/** Rows of one history, at most. */
const CHART_ROWS_MOST = 8;

const BAR_MAX = 60;

/** Cells of the label column: wide enough for every label and for a figure under it. */
const gutter = ({ messages }: Look): number => Math.max(13, ...Object.values(messages.label).map(cellWidth)) + 1;

const value = (text: string, tone: Tone = 'plain'): Segment => segment(text, tone);
const unit = (text: string): Segment => segment(` ${text}`, 'dim');
const GAP: Segment = { text: '   ', tone: 'plain' };

const fact = (label: string, parts: readonly Segment[], { width, look }: DetailFrame): Line =>
  cutLine([segment(` ${padRight(label, gutter(look))}`, 'dim'), ...parts], width);

/** A fact whose text may need several lines. */
const longFact = (label: string, { text, tone }: Segment, frame: DetailFrame): Line[] => {
  const indent = gutter(frame.look);
  return wrap(text, Math.max(10, frame.width - indent - 2))
    .slice(0, 3)
    .map((part, index) => fact(index === 0 ? label : '', [segment(part, tone)], frame));
};

const progressFact = (shard: ShardSnapshot, frame: DetailFrame): Line => {
  const { label } = frame.look.messages;
  const share = snapshotShare(shard);
  const facts = [
    value(` ${formatPercent(share).padStart(4)}  `, 'title'),
    value(formatExact(shard.keys.done)),
    unit(`/ ${formatExact(shard.keys.total)} ${label.keys}`),
    GAP,
    value(formatBytes(shard.bytes.done)),
    unit(`/ ${formatBytes(shard.bytes.total)}`),
  ];
  if (shard.etaSeconds !== null) facts.push(GAP, value(`${label.eta} ${formatDuration(shard.etaSeconds)}`));
  const room = frame.width - gutter(frame.look) - 2 - lineWidth(facts);
  const bar = progressBar(share, Math.max(8, Math.min(BAR_MAX, room)), frame.look.glyphs);
  return fact(label.progress, [value(bar, share === 1 ? 'good' : 'busy'), ...facts], frame);
};

const facts = (shard: ShardSnapshot, frame: DetailFrame): Line[] => {
  const { look, nowMs } = frame;
  const { label, applied, received, opsPerSecond, conflictCounts, nothingWrong, snapshotKind } = look.messages;
  const why = whySegment(shard, look);
  const { conflicts } = shard;
  const met = conflicts.rewritten + conflicts.ignored;
  const targets = shard.targets.length === 0 ? '-' : shard.targets.map(printable).join('  ');
  const error: Segment =
    shard.lastError === null
      ? value(nothingWrong, 'dim')
      : value(printable(shard.lastError), shard.state === 'failed' ? 'bad' : 'warn');
  return [
    fact(label.state, stateSegments(shard, nowMs, look), frame),
    ...(why === null || why.tone === 'dim' || why.text === error.text ? [] : longFact(label.why, why, frame)),
    progressFact(shard, frame),
    fact(
      label.rate,
      [
        value(formatCount(shard.opsPerSecond).padStart(5)),
        unit(opsPerSecond),
        GAP,
        value(formatByteRate(shard.bytesPerSecond).padStart(10)),
        unit(label.inbound),
        GAP,
        value(formatExact(shard.commands)),
        unit(label.commands),
      ],
      frame,
    ),
    fact(label.lag, [value(formatLag(shard.lagSeconds).padStart(5)), GAP, value(formatBytes(shard.lagBytes))], frame),
    fact(
      label.offset,
      [
        value(formatExact(shard.offset.applied)),
        unit(applied),
        GAP,
        value(formatExact(shard.offset.received)),
        unit(received),
      ],
      frame,
    ),
    fact(label.replid, [value(shard.replid ?? '-')], frame),
    fact(
      label.queued,
      [
        value(formatBytes(shard.queued).padStart(8)),
        GAP,
        value(formatBytes(shard.spoolBytes), shard.spoolBytes > 0 ? 'warn' : 'plain'),
        unit(label.onDisk),
        GAP,
        value(formatBytes(shard.inFlightBytes)),
        unit(label.inFlight),
      ],
      frame,
    ),
    fact(
      label.conflict,
      [
        value(
          conflictCounts(
            shard.conflictPolicy,
            formatExact(conflicts.rewritten),
            formatExact(conflicts.ignored),
            formatExact(conflicts.alreadyThere),
          ),
          met > 0 ? 'warn' : 'plain',
        ),
      ],
      frame,
    ),
    fact(label.events, [value(keyspaceEventsText(shard, look))], frame),
    ...(shard.changes === null ? [] : [fact(label.updates, [value(updatesText(shard))], frame)]),
    fact(label.slots, [value(shard.slots ?? '-')], frame),
    fact(label.snapshot, [value(shard.snapshotKind === null ? '-' : snapshotKind[shard.snapshotKind])], frame),
    ...longFact(label.targets, value(targets), frame),
    fact(label.held, [value(formatExact(shard.held))], frame),
    fact(
      label.verified,
      [verifiedSegment(shard, nowMs, look) ?? value(look.messages.validation.neverVerified, 'dim')],
      frame,
    ),
    fact(
      label.refused,
      [
        value(formatExact(shard.errors), shard.errors > 0 ? 'bad' : 'plain'),
        GAP,
        value(formatExact(shard.diverged), shard.diverged > 0 ? 'warn' : 'plain'),
        unit(label.diverged),
        ...(shard.leftovers === 0 ? [] : [GAP, value(formatExact(shard.leftovers), 'warn'), unit(label.leftovers)]),
      ],
      frame,
    ),
    ...longFact(label.lastError, error, frame),
  ];
};

/** One history: label and peak at its left, rows of the chart at its right. */
const history = (
  label: string,
  samples: readonly number[],
  format: (value: number) => string,
  tone: Tone,
  rows: number,
  frame: DetailFrame,
): Line[] => {
  const { width, takenAtMs, look } = frame;
  // One history alone may move each second.
  const drawing = { width: width - gutter(look) - 2, rows, endMs: takenAtMs, bucketSeconds: 1 };
  const peak = Math.max(0, ...buckets(samples, drawing).map((top) => top ?? 0));
  const heads = [label, `${look.messages.label.peak} ${format(peak)}`];
  return chart(samples, drawing, look.glyphs).map((row, index) =>
    fact(heads[index] ?? '', [segment(row, tone)], frame),
  );
};

/** The detail view of a shard in `frame.height` lines. */
export const detailLines = (shard: ShardSnapshot, notices: readonly Notice[], frame: DetailFrame): Line[] => {
  const { width, height, look } = frame;
  const { label, opsPerSecond } = look.messages;
  const lines: Line[] = [ruleLine(`${shard.name}  ${printable(shard.address)}`, width, look), ...facts(shard, frame)];
  const own = notices.filter((notice) => notice.shard === shard.name);
  const room = height - lines.length;
  // A small terminal gives the histories what is left; a tall one shares it with the notices.
  const noticeRoom = room >= 10 ? Math.min(own.length + 1, Math.floor(room / 2), 12) : 0;
  const rows = Math.min(CHART_ROWS_MOST, Math.floor((room - noticeRoom) / 2));
  if (rows > 0) {
    lines.push(
      ...history(opsPerSecond, shard.history.opsPerSecond, formatCount, 'busy', rows, frame),
      ...history(label.lag, shard.history.lagBytes, formatBytes, 'accent', rows, frame),
    );
  }
  return [...lines, ...noticeStrip(own, width, height - lines.length, look)].slice(0, height);
};
