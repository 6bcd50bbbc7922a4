// How far the target has come, for who compares both sides while the run goes on: waits until the shards have applied what
// their sources had.
import { setTimeout as delay } from 'node:timers/promises';
import type { ShardSnapshot } from '../contract/shard-snapshot.ts';

/** A shard that does not get there within this time is paused, or far behind: its keys are looked at again later. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 20;

/** Resolves with the addresses of those sources whose shard has applied the offset given for it. */
export async function waitForApplied(
  offsets: ReadonlyMap<string, number>,
  shards: () => readonly ShardSnapshot[],
  patienceMs = PATIENCE_MS,
): Promise<ReadonlySet<string>> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const passed = new Set<string>();
    let hopeful = false;
    const now = shards();
    for (const [address, offset] of offsets) {
      const shard = now.find((candidate) => candidate.address === address);
      if (shard === undefined) continue;
      if ((shard.offset.applied ?? -1) >= offset) passed.add(address);
      else if (!shard.paused && shard.state !== 'failed' && shard.state !== 'done') hopeful = true;
    }
    if (!hopeful || performance.now() >= deadline) return passed;
    await delay(LOOK_MS);
  }
}
