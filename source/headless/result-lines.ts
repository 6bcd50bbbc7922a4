// The end of a run in plain words, printed after the screen has gone and at the end of the plain lines.
import type { EngineResult } from '../engine/contract/result.ts';
import { printable } from '../ui/cell-width.ts';
import { formatBytes, formatDuration, formatExact } from '../ui/format.ts';
import type { Messages } from '../ui/messages.ts';

/** Refusals printed one by one; the log file has all. */
const REFUSALS_PRINTED = 10;

/** The result as lines without line ends; the first says everything that matters. */
export const resultLines = (result: EngineResult, messages: Messages): string[] => {
  const words = messages.result;
  const lines = [
    words.headline(messages.outcome[result.outcome], result.exitCode, formatDuration(result.seconds)),
    ...(result.message === null ? [] : [`  ${printable(result.message)}`]),
  ];
  // A run that was refused has moved nothing: lines of zeros would hide the reason.
  if (result.outcome === 'refused') return lines;
  lines.push(words.amounts(formatExact(result.keys), formatExact(result.commands), formatBytes(result.bytes)));
  const { rewritten, ignored, alreadyThere, dropped } = result.conflicts;
  if (rewritten + ignored + alreadyThere > 0)
    lines.push(words.conflicts(formatExact(rewritten), formatExact(ignored), formatExact(alreadyThere)));
  if (dropped > 0) lines.push(words.dropped(formatExact(dropped)));
  if (result.refused > 0) {
    lines.push(words.refused(formatExact(result.refused)));
    const shown = result.refusals.slice(0, REFUSALS_PRINTED);
    for (const { shard, database, command, key, reason } of shown) {
      lines.push(
        words.refusal(shard, database, printable(command), key === null ? null : printable(key), printable(reason)),
      );
    }
    const more = result.refused - shown.length;
    if (more > 0) lines.push(words.moreRefusals(formatExact(more)));
  }
  for (const shard of result.shards) {
    const state = messages.state[shard.state];
    lines.push(
      words.shard(shard.name, printable(shard.address), state, formatExact(shard.keys), formatExact(shard.commands)),
    );
    if (shard.error !== null) lines.push(words.shardError(shard.name, printable(shard.error)));
  }
  return lines;
};
