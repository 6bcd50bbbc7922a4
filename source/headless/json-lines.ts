// The run as JSON lines, the contract of the design's section 7: scripts depend on every name here. Fields may be added,
// never renamed; what is not known is null.
import type { ConflictCounts } from '../engine/contract/conflict.ts';
import type { Engine } from '../engine/contract/engine.ts';
import type { EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import type { Notice } from '../engine/contract/notice.ts';
import type { EngineResult } from '../engine/contract/result.ts';
import type { ShardSnapshot } from '../engine/contract/shard-snapshot.ts';
import { createNoticeReader } from './every-notice.ts';

/** Version of the lines' shape. */
const conflictsOf = ({ rewritten, ignored, alreadyThere, dropped }: ConflictCounts): ConflictCounts => ({
  rewritten,
  ignored,
  alreadyThere,
  dropped,
});

const VERSION = 1;

/** At most one status line in this time. */
const STATUS_EVERY_MS = 1000;

/** Writes one whole line, line end included. */
export type WriteLine = (text: string) => void;

const verifiedOf = ({ verified }: ShardSnapshot): object | null => {
  if (verified === null) return null;
  const { atMs, checked, different, fraction, stale } = verified;
  return { at: new Date(atMs).toISOString(), checked, different, fraction, stale };
};

const statusShard = (shard: ShardSnapshot): object => ({
  name: shard.name,
  address: shard.address,
  state: shard.state,
  paused: shard.paused,
  waitingFor: shard.waitingFor,
  throttled: shard.throttled,
  budget: shard.budget,
  etaSeconds: shard.etaSeconds,
  keys: { done: shard.keys.done, total: shard.keys.total },
  bytes: { done: shard.bytes.done, total: shard.bytes.total },
  offset: { received: shard.offset.received, applied: shard.offset.applied },
  lagBytes: shard.lagBytes,
  lagSeconds: shard.lagSeconds,
  opsPerSecond: shard.opsPerSecond,
  conflicts: conflictsOf(shard.conflicts),
  errors: shard.errors,
  diverged: shard.diverged,
  leftovers: shard.leftovers,
  slotsArriving: shard.slotsArriving,
  spoolBytes: shard.spoolBytes,
  queued: shard.queued,
  held: shard.held,
  verified: verifiedOf(shard),
});

const resultBody = (result: EngineResult): object => ({
  outcome: result.outcome,
  exitCode: result.exitCode,
  message: result.message,
  seconds: result.seconds,
  keys: result.keys,
  commands: result.commands,
  bytes: result.bytes,
  conflicts: conflictsOf(result.conflicts),
  refused: result.refused,
  refusals: result.refusals,
  shards: result.shards,
});

const jsonLine = (run: string, event: string, timeMs: number, body: object): string =>
  `${JSON.stringify({ v: VERSION, run, event, time: new Date(timeMs).toISOString(), ...body })}\n`;

/** One picture as the `status` event, line end included. */
export const statusLine = (snapshot: EngineSnapshot): string =>
  jsonLine(snapshot.run, 'status', snapshot.takenAtMs, {
    shards: snapshot.shards.map(statusShard),
    memory: { rss: snapshot.memory.rss },
  });

/** The end of a run as the `result` event, line end included. */
export const resultLine = (snapshot: EngineSnapshot, result: EngineResult): string =>
  jsonLine(snapshot.run, 'result', snapshot.takenAtMs, resultBody(result));

/** Writes the run's lines until it has ended; the last one is the result. */
export const runJson = async (engine: Engine, write: WriteLine): Promise<EngineResult> => {
  const freshNotices = createNoticeReader();
  const writeNotices = (snapshot: EngineSnapshot): void => {
    for (const { timeMs, level, shard, message } of freshNotices(snapshot) satisfies readonly Notice[]) {
      write(jsonLine(snapshot.run, 'notice', timeMs, { level, shard, message }));
    }
  };
  let statusAtMs = Number.NEGATIVE_INFINITY;
  const report = (): void => {
    const snapshot = engine.snapshot();
    writeNotices(snapshot);
    // A wall clock that was set back must not silence us until it is as late again.
    const sinceMs = snapshot.takenAtMs - statusAtMs;
    if (sinceMs >= 0 && sinceMs < STATUS_EVERY_MS) return;
    statusAtMs = snapshot.takenAtMs;
    write(statusLine(snapshot));
  };
  const unsubscribe = engine.subscribe(report);
  report();
  const result = await engine.ended;
  unsubscribe();
  const last = engine.snapshot();
  writeNotices(last);
  write(resultLine(last, result));
  return result;
};
