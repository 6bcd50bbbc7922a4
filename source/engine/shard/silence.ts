// When a source sends nothing, say so: a shard that hangs without a word is what people lost nights to. A source sends a
// newline every second to a replica that waits for its snapshot, and a PING every ten seconds (repl-ping-replica-period)
// into its stream (replicationCron of Redis 7).
import type { ShardState } from '../contract/shard-snapshot.ts';

/** How long each state may be without a byte before it is worth a word, ms; states that are not named expect none. */
const PATIENCE_MS: Readonly<Partial<Record<ShardState, number>>> = {
  'waiting-snapshot': 15_000,
  'full-sync': 15_000,
  'catching-up': 35_000,
  streaming: 35_000,
};

/** The source is asked for its INFO once a second: when it does not answer for so long, it stands still or is cut off. */
const ANSWER_PATIENCE_MS = 10_000;

/** Seconds in steps of ten: a sentence that changes is a line of its own where there is no screen. */
const inTens = (ms: number): number => Math.floor(ms / 10_000) * 10;

/** @returns one sentence, or null while the silence is nothing special. */
export function explainSilence(state: ShardState, silentMs: number, address: string): string | null {
  const patience = PATIENCE_MS[state];
  if (patience === undefined || silentMs < patience) return null;
  return `the source ${address} has sent nothing for ${inTens(silentMs)} s: is it alive, and is the way to it open?`;
}

/**
 * @param answeredAtMs when the source last answered a question on another connection than the link's; null when it never did.
 * @returns one sentence, or null while there is nothing to say.
 */
export function explainNoAnswer(answeredAtMs: number | null, nowMs: number, address: string): string | null {
  const silentMs = answeredAtMs === null ? 0 : nowMs - answeredAtMs;
  if (silentMs < ANSWER_PATIENCE_MS) return null;
  return `the source ${address} has answered nothing for ${inTens(silentMs)} s: what it has written since is not known`;
}
