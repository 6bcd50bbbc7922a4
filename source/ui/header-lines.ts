// The head of every screen: from where to where, how far, how fast, how late, with how much memory. Pure.
import type { EndpointSnapshot, EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import { rateInWords } from '../engine/rate/rate-words.ts';
import { cellWidth, printable } from './cell-width.ts';
import { type Cell, cell, fitCells, type Line, labelled, lineWidth, type Segment, segment, spread } from './cells.ts';
import {
  formatAge,
  formatByteRate,
  formatBytes,
  formatCount,
  formatDuration,
  formatLag,
  formatPercent,
} from './format.ts';
import type { Look } from './look.ts';
import { progressBar } from './sparkline.ts';
import { type Totals, totalsOf } from './totals.ts';

/** Silence of the engine after which the screen says that its figures are old, seconds. */
const SILENT_SECONDS = 3;

const LAG_WARN_SECONDS = 5;
const BAR_MAX = 120;

/** How the shards stand, worst news first: `1 FAILED`, `1 retrying`, `4/6 streaming`, `2/3 done`. */
const standingParts = ({ phase, source }: EngineSnapshot, totals: Totals, { messages }: Look): Segment[] => {
  const parts: Segment[] = [];
  if (totals.failed > 0) parts.push(segment(messages.failed(totals.failed), 'bad'));
  if (totals.retrying > 0) parts.push(segment(messages.retrying(totals.retrying), 'attention'));
  if (totals.paused > 0) parts.push(segment(messages.pausedCount(totals.paused), 'warn'));
  if (phase === 'starting') parts.push(segment(messages.starting, 'dim'));
  if (phase === 'draining') parts.push(segment(messages.draining, 'warn'));
  if (totals.shards > 0 && phase !== 'draining') {
    // A file has an end and no stream to follow.
    const ends = phase === 'ended' || source.kind === 'file';
    const ready = ends ? totals.done : totals.following;
    const text = ends ? messages.doneCount(ready, totals.shards) : messages.streaming(ready, totals.shards);
    parts.push(segment(text, ready === totals.shards ? 'good' : 'plain'));
  }
  return parts;
};

const standing = (snapshot: EngineSnapshot, totals: Totals, look: Look): Segment[] =>
  standingParts(snapshot, totals, look).flatMap((part, index) => (index === 0 ? [part] : [segment('  '), part]));

const silence = (snapshot: EngineSnapshot, nowMs: number, { messages }: Look): Segment[] => {
  const seconds = (nowMs - snapshot.takenAtMs) / 1000;
  if (snapshot.phase === 'ended' || seconds < SILENT_SECONDS) return [];
  return [segment(messages.noUpdate(formatAge(seconds)), 'warn'), segment('  ')];
};

const endpoint = ({ kind, version, masters }: EndpointSnapshot, { messages }: Look): string => {
  const what = kind === 'cluster' ? messages.clusterOf(masters) : messages.kind[kind];
  return version === null ? what : `${what}, ${printable(version)}`;
};

/** The run's time stands still when it has ended. */
const runSeconds = ({ startedAtMs, result }: EngineSnapshot, nowMs: number): number =>
  result === null ? (nowMs - startedAtMs) / 1000 : result.seconds;

/** The limit that the whole run is held to; null without one. */
const limitOf = ({ rate, result }: EngineSnapshot, { messages }: Look): string | null => {
  const { bytesPerSecond, operationsPerSecond } = rate.limit;
  if (result !== null || (bytesPerSecond === null && operationsPerSecond === null)) return null;
  return messages.rates.atMost(rateInWords(rate.limit));
};

const progress = (totals: Totals, width: number, rate: string | null, look: Look): Line => {
  const { messages, glyphs } = look;
  const { label } = messages;
  const isLate = (totals.lagSeconds ?? 0) >= LAG_WARN_SECONDS;
  const cells: Cell[] = [
    cell(0, formatPercent(totals.share).padStart(4), 'title'),
    {
      rank: 3,
      segments: [
        segment(`${formatCount(totals.keys.done)}/${formatCount(totals.keys.total)}`.padStart(11)),
        segment(` ${label.keys}`, 'dim'),
      ],
    },
    {
      rank: 1,
      segments: [segment(formatCount(totals.opsPerSecond).padStart(5)), segment(` ${messages.opsPerSecond}`, 'dim')],
    },
    cell(2, formatByteRate(totals.bytesPerSecond).padStart(10)),
    {
      rank: 1,
      segments: [
        segment(`${label.lag} `, 'dim'),
        segment(formatLag(totals.lagSeconds).padStart(5), isLate ? 'warn' : 'plain'),
        segment(isLate && width >= 100 && totals.lagShard !== null ? ` (${totals.lagShard})` : ''),
      ],
    },
  ];
  if (rate !== null) cells.push(cell(2, rate, 'warn'));
  if (width >= 110) cells.push(labelled(5, label.queued, formatBytes(totals.queued), 8));
  if (totals.errors > 0) cells.push(labelled(1, label.refused, formatCount(totals.errors), 1, 'bad'));
  if (totals.etaSeconds !== null) cells.push(labelled(4, label.eta, formatDuration(totals.etaSeconds), 6));
  const barLeast = 10;
  const facts = fitCells(cells, width - barLeast - 3);
  const barWidth = Math.max(barLeast, Math.min(BAR_MAX, width - lineWidth(facts) - 3));
  const bar = progressBar(totals.share, barWidth, glyphs);
  return [segment(' '), segment(bar, totals.share === 1 ? 'good' : 'busy'), segment(' '), ...facts];
};

/** All that a tiny terminal gets: worst news first, then how far, how late, how fast. */
const oneLine = (snapshot: EngineSnapshot, totals: Totals, width: number, nowMs: number, look: Look): Line => {
  const { label, opsPerSecond } = look.messages;
  const cells: Cell[] = [
    { rank: 0, segments: silence(snapshot, nowMs, look) },
    cell(0, formatPercent(totals.share), 'title'),
    ...standingParts(snapshot, totals, look).map(({ text, tone }, index) => cell(index, text, tone)),
    labelled(5, label.lag, formatLag(totals.lagSeconds), 0),
    cell(6, `${formatCount(totals.opsPerSecond)} ${opsPerSecond}`),
  ].filter(({ segments }) => segments.length > 0);
  return [segment(' '), ...fitCells(cells, width - 1)];
};

/** The head in `height` lines, one to three, each at most `width` cells. */
export const headerLines = (
  snapshot: EngineSnapshot,
  { width, height, nowMs }: { readonly width: number; readonly height: number; readonly nowMs: number },
  look: Look,
): Line[] => {
  const { label } = look.messages;
  const totals = totalsOf(snapshot);
  const state = [...silence(snapshot, nowMs, look), ...standing(snapshot, totals, look), segment(' ')];
  if (height <= 1) return [oneLine(snapshot, totals, width, nowMs, look)];
  const way = `${printable(snapshot.source.address)} ${look.glyphs.arrow} ${printable(snapshot.target.address)}`;
  // The addresses are the last thing to be cut: the program's own name gives way before them.
  const name: Line =
    lineWidth(state) + cellWidth(way) + 12 <= width ? [segment(' redferry  ', 'accent')] : [segment(' ')];
  const first = spread([...name, segment(way, 'title')], state, width);
  if (height === 2) return [first, progress(totals, width, limitOf(snapshot, look), look)];
  const kinds = ` ${endpoint(snapshot.source, look)} ${look.glyphs.arrow} ${endpoint(snapshot.target, look)}`;
  const run = [
    ...labelled(0, label.memory, formatBytes(snapshot.memory.rss), 0).segments,
    segment('  '),
    ...labelled(0, label.run, formatAge(runSeconds(snapshot, nowMs)), 0).segments,
    segment(' '),
  ];
  return [first, spread([segment(kinds, 'dim')], run, width), progress(totals, width, limitOf(snapshot, look), look)];
};
