// Where the target is a replica of the source, nobody but the servers has to be asked how far it has come: both count the
// same stream. Then a lag of any length is told from a difference, as a run of redferry tells it.
import { setTimeout as delay } from 'node:timers/promises';
import type { WaitForApplied } from './barrier.ts';
import type { Connection } from './connection.ts';
import { type Side, text } from './side.ts';

/** A replica that does not get there within this time is far behind: its keys are looked at again later. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 50;

/** undefined where not every node of the source has a replica among those of the target. */
export async function replicaBarrier(
  source: Side,
  target: Side,
  patienceMs = PATIENCE_MS,
): Promise<WaitForApplied | undefined> {
  const replicas = new Map<string, Connection>();
  for (const node of target.nodes) {
    const { isReplica, replid } = await streamOf(node);
    if (isReplica) replicas.set(replid, node);
  }
  const replicaOf = new Map<string, Connection>();
  if (replicas.size === 0) return undefined;
  for (const node of source.nodes) {
    const replica = replicas.get((await streamOf(node)).replid);
    if (replica === undefined) return undefined;
    replicaOf.set(node.address, replica);
  }
  return async (offsets) => {
    const deadline = performance.now() + patienceMs;
    const waiting = new Map(offsets);
    const passed = new Set<string>();
    for (;;) {
      for (const [address, offset] of waiting) {
        const replica = replicaOf.get(address);
        if (replica === undefined || (await streamOf(replica)).applied < offset) continue;
        waiting.delete(address);
        passed.add(address);
      }
      if (waiting.size === 0 || performance.now() >= deadline) return passed;
      await delay(LOOK_MS);
    }
  };
}

/** INFO replication; `applied` is -1 of what is no replica any more. */
async function streamOf(
  node: Connection,
): Promise<{ readonly isReplica: boolean; readonly replid: string; readonly applied: number }> {
  const told = text(await node.call(['INFO', 'replication']));
  const isReplica = /^role:slave/m.test(told);
  const applied = /^slave_repl_offset:(\d+)/m.exec(told)?.[1];
  return {
    isReplica,
    replid: /^master_replid:(\w+)/m.exec(told)?.[1] ?? '',
    applied: isReplica && applied !== undefined ? Number(applied) : -1,
  };
}
