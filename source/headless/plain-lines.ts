// The run as plain lines for log files, pipes and screen readers: one when something changes, a summary now and then, and
// the result. Words only: no colours, no bars, nothing that is overwritten.

import type { Engine } from '../engine/contract/engine.ts';
import type { EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import type { EngineResult } from '../engine/contract/result.ts';
import type { ShardSnapshot } from '../engine/contract/shard-snapshot.ts';
import { printable } from '../ui/cell-width.ts';
import {
  formatByteRate,
  formatBytes,
  formatCount,
  formatDuration,
  formatLag,
  formatPercent,
  formatTime,
} from '../ui/format.ts';
import { type Language, type Messages, messagesFor } from '../ui/messages.ts';
import { troubleText } from '../ui/shard-words.ts';
import { snapshotShare, totalsOf } from '../ui/totals.ts';
import { createNoticeReader } from './every-notice.ts';
import type { WriteLine } from './json-lines.ts';
import { resultLines } from './result-lines.ts';

/** A summary of all shards each time this has passed. */
const SUMMARY_EVERY_MS = 10_000;

export interface PlainOptions {
  readonly write: WriteLine;
  readonly language: Language;
}

/** What a change of which is worth a line. */
const standing = (shard: ShardSnapshot): string =>
  JSON.stringify([shard.state, shard.paused, shard.throttled, shard.waitingFor]);

const stateLine = (shard: ShardSnapshot, messages: Messages): string => {
  const words = [`${shard.name} ${messages.state[shard.state]}`];
  if (shard.paused) words.push(messages.paused);
  if (shard.throttled !== null) words.push(`${messages.throttled}: ${printable(shard.throttled)}`);
  const hasFailed = shard.state === 'failed' || shard.state === 'retrying';
  const why = hasFailed ? troubleText(shard, ', ') : (shard.waitingFor ?? '');
  if (why !== '') words.push(printable(why));
  return words.join(', ');
};

const figures = (shard: ShardSnapshot, { label, opsPerSecond }: Messages): string => {
  const parts = [
    `${formatPercent(snapshotShare(shard))}`,
    `${formatCount(shard.keys.done)} ${label.keys}`,
    `${formatCount(shard.opsPerSecond)} ${opsPerSecond}`,
    formatByteRate(shard.bytesPerSecond),
    `${label.lag} ${formatLag(shard.lagSeconds)} ${formatBytes(shard.lagBytes)}`,
  ];
  if (shard.queued > 0) parts.push(`${label.queued} ${formatBytes(shard.queued)}`);
  if (shard.errors > 0) parts.push(`${label.refused} ${formatCount(shard.errors)}`);
  if (snapshotShare(shard) !== 1 && shard.etaSeconds !== null)
    parts.push(`${label.eta} ${formatDuration(shard.etaSeconds)}`);
  return parts.join(', ');
};

const summary = (snapshot: EngineSnapshot, messages: Messages): string[] => {
  const totals = totalsOf(snapshot);
  const { label, opsPerSecond } = messages;
  const run = [
    messages.streaming(totals.following, totals.shards),
    ...(totals.failed > 0 ? [messages.failed(totals.failed)] : []),
    formatPercent(totals.share),
    `${formatCount(totals.opsPerSecond)} ${opsPerSecond}`,
    formatByteRate(totals.bytesPerSecond),
    `${label.lag} ${formatLag(totals.lagSeconds)}`,
    `${label.memory} ${formatBytes(snapshot.memory.rss)}`,
  ];
  return [
    run.join(', '),
    ...snapshot.shards.map((shard) => `${stateLine(shard, messages)}, ${figures(shard, messages)}`),
  ];
};

const opening = ({ source, target }: EngineSnapshot): string =>
  `redferry: ${printable(source.address)} -> ${printable(target.address)}`;

/** One picture as lines without line ends: the way, the whole run, and each shard. */
export const statusLines = (snapshot: EngineSnapshot, messages: Messages): readonly string[] => [
  opening(snapshot),
  ...summary(snapshot, messages),
];

/** Writes the run's lines until it has ended; the result stands last. */
export const runPlain = async (engine: Engine, { write, language }: PlainOptions): Promise<EngineResult> => {
  const messages = messagesFor(language);
  const freshNotices = createNoticeReader();
  const known = new Map<number, string>();
  const line = (timeMs: number, text: string): void => write(`${formatTime(timeMs)} ${text}\n`);

  const first = engine.snapshot();
  line(first.takenAtMs, opening(first));
  let summaryAtMs = first.takenAtMs;

  const report = (): void => {
    const snapshot = engine.snapshot();
    for (const { timeMs, level, shard, message } of freshNotices(snapshot)) {
      const who = shard === null ? '' : `${shard}: `;
      line(timeMs, `${messages.level[level]}: ${who}${printable(message)}`);
    }
    for (const shard of snapshot.shards) {
      const now = standing(shard);
      if (known.get(shard.id) === now) continue;
      known.set(shard.id, now);
      line(snapshot.takenAtMs, stateLine(shard, messages));
    }
    // A wall clock that was set back must not silence us until it is as late again.
    const sinceMs = snapshot.takenAtMs - summaryAtMs;
    if (snapshot.shards.length > 0 && (sinceMs >= SUMMARY_EVERY_MS || sinceMs < 0)) {
      summaryAtMs = snapshot.takenAtMs;
      for (const text of summary(snapshot, messages)) line(snapshot.takenAtMs, text);
    }
  };

  const unsubscribe = engine.subscribe(report);
  report();
  const result = await engine.ended;
  unsubscribe();
  report();
  for (const text of resultLines(result, messages)) write(`${text}\n`);
  return result;
};
