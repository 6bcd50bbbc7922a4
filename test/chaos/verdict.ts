// The end of a run: everything the source holds has reached the target, and then every key is equal or is named.

import { setTimeout as delay } from 'node:timers/promises';
import { compareAll } from '../../source/validation/full-compare.ts';
import type { CompareReport, Difference } from '../../source/validation/report.ts';
import { waitFor } from '../support/wait.ts';
import { ask, askAll } from './ask.ts';
import type { EngineUnderTest } from './engine.ts';
import type { Side } from './side.ts';

const CATCH_UP_MS = 60_000;
/** Held expiries are settled, and keys that are read again are written, only when the lag is small. */
const SETTLE_MS = 15_000;
const COMPARE_AGAIN_MS = 300;
const TOLD = 20;

let barriers = 0;

/**
 * Waits until a write to every shard of the source has arrived and the engine says that nothing is left.
 * @throws Error naming what did not arrive.
 */
export async function caughtUp(source: Side, target: Side, engine: EngineUnderTest): Promise<void> {
  const sinceMs = Date.now();
  const word = `barrier-${++barriers}`;
  const keys = await Promise.all(source.groups.map((_, shard) => source.keyOn(shard, 'chaos:barrier:')));
  for (const [shard, key] of keys.entries()) {
    const master = await source.master(shard);
    await ask(master.server, 'SET', key, word);
    await waitFor(async () => engine.failure !== null || (await valueOn(target, key)) === word, {
      what: `a write to shard ${shard} of the source to reach the target`,
      deadlineMs: CATCH_UP_MS,
      intervalMs: 50,
    });
  }
  await waitFor(async () => engine.failure !== null || (await engine.settled(sinceMs)), {
    what: 'the engine to say that nothing is left',
    deadlineMs: CATCH_UP_MS,
    intervalMs: 100,
  });
  if (engine.failure !== null) throw new Error(engine.failure);
}

async function valueOn(target: Side, key: string): Promise<string | null> {
  for (const { server } of await target.masters()) {
    const [reply] = await askAll(server, [['GET', key]]);
    if (Buffer.isBuffer(reply)) return reply.toString();
  }
  return null;
}

/** All keys of both sides; repeated for some seconds while they differ, since the source is at rest. */
export async function compareSides(source: Side, target: Side, settleMs = SETTLE_MS): Promise<CompareReport> {
  const deadline = Date.now() + settleMs;
  for (;;) {
    const report = await compareAll({
      source: { addresses: await addresses(source), cluster: source.cluster },
      target: { addresses: await addresses(target), cluster: target.cluster },
    });
    if (differing(report) === 0 || Date.now() >= deadline) return report;
    await delay(COMPARE_AGAIN_MS);
  }
}

async function addresses(side: Side): Promise<readonly { readonly host: string; readonly port: number }[]> {
  return (await side.masters()).map(({ server: { host, port } }) => ({ host, port }));
}

/** Keys that are neither equal nor about to expire. */
export function differing(report: CompareReport): number {
  return report.checked - report.equal - report.expiring;
}

/** The first differences, for people. */
export function differenceLines(report: CompareReport): readonly string[] {
  return report.differences.slice(0, TOLD).map(differenceLine);
}

function differenceLine({ database, key, aspects, detail }: Difference): string {
  return `db ${database} ${key.toString()}: ${aspects.join(', ')}: ${detail}`;
}
