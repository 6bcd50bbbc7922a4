// The offset barrier: a source node's offset is noted, and the target is read only when everything up to it has been applied.
// What differs then, on a source that has not changed meanwhile, is no lag. Who applies (the engine of a run) says how far
// it has come; without such a run there is no barrier, and suspects.ts waits for quiet instead.
import { type Side, text } from './side.ts';

/**
 * Resolves with the source nodes (`host:port`) whose writes up to the given offset the target has. A node that does not get
 * there in good time is left out: it must not hold up the others.
 */
export type WaitForApplied = (offsets: ReadonlyMap<string, number>) => Promise<ReadonlySet<string>>;

/** The numbers of those nodes of the source of which the target has everything that they had at the call. */
export async function passBarrier(
  source: Side,
  numbers: ReadonlySet<number>,
  waitForApplied: WaitForApplied,
): Promise<ReadonlySet<number>> {
  const offsets = new Map<string, number>();
  const byAddress = new Map<string, number>();
  await Promise.all(
    [...numbers].map(async (number) => {
      const node = source.nodes[number];
      if (node === undefined) return;
      const replication = text(await node.call(['INFO', 'replication']));
      const offset = /^master_repl_offset:(\d+)/m.exec(replication)?.[1];
      if (offset === undefined) return;
      offsets.set(node.address, Number(offset));
      byAddress.set(node.address, number);
    }),
  );
  const passed = new Set<number>();
  for (const address of await waitForApplied(offsets)) {
    const number = byAddress.get(address);
    if (number !== undefined) passed.add(number);
  }
  return passed;
}
