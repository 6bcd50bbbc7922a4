// How a run that was gone on with is judged: both sides are equal and nothing of redferry is left, and how often the source
// was copied for it.
import { expect } from 'vitest';
import { client } from './client.ts';
import { compare, type Place } from './migration.ts';
import type { SyncProcess } from './sync-process.ts';

/** How many full syncs each of these nodes has given so far. */
export async function fullSyncs(nodes: readonly Place[]): Promise<number[]> {
  const infos = await Promise.all(nodes.map((node) => client(node).info('stats')));
  return infos.map((info) => Number(/sync_full:(\d+)/.exec(info)?.[1] ?? 0));
}

/** Lets the run catch up and stops it: then both sides are equal, and the target has no key of redferry's. */
export async function expectEqualEnd(
  run: SyncProcess,
  source: readonly Place[],
  target: readonly Place[],
): Promise<void> {
  await run.caughtUp();
  const report = await compare(source, target, { sourceCluster: source.length > 1, targetCluster: target.length > 1 });
  expect(report.differences.slice(0, 5)).toEqual([]);
  expect(await run.kill('SIGTERM')).toBe(0);
  for (const node of target) expect(await client(node).keys('redferry:*')).toEqual([]);
}
