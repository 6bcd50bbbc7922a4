// When a source sends nothing, say so: a shard that hangs without a word is what people lost nights to. A source sends a
// newline every second to a replica that waits for its snapshot, and a PING every ten seconds (repl-ping-replica-period)
// into its stream (replicationCron of Redis 7).
import type { ShardState } from './contract.ts';

/** How long each state may be without a byte before it is worth a word, ms; states that are not named expect none. */
const PATIENCE_MS: Readonly<Partial<Record<ShardState, number>>> = {
  'waiting-snapshot': 15_000,
  'full-sync': 15_000,
  'catching-up': 35_000,
  streaming: 35_000,
};

/** @returns one sentence, or null while the silence is nothing special. */
export function explainSilence(state: ShardState, silentMs: number, address: string): string | null {
  const patience = PATIENCE_MS[state];
  if (patience === undefined || silentMs < patience) return null;
  return `the source ${address} has sent nothing for ${Math.round(silentMs / 1000)} s: is it alive, and is the way to it open?`;
}
