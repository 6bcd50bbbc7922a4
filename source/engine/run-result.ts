// How the run ended, from how its shards ended: the outcome, the exit code, one sentence when it did not complete.
import { addConflicts, NO_CONFLICTS } from './conflict-contract.ts';
import type { EngineResult, Outcome, Refusal } from './contract.ts';
import { EXIT, type ExitCode } from './errors.ts';
import type { ShardEnd } from './shard-job.ts';
import type { ShardRecord } from './shard-record.ts';
import { steadyMs } from './steady-clock.ts';

/** The worst end of a shard decides, in this order. */
const PRECEDENCE: readonly {
  readonly reason: ShardEnd['reason'];
  readonly outcome: Outcome;
  readonly exitCode: ExitCode;
}[] = [
  { reason: 'conflict', outcome: 'conflict', exitCode: EXIT.conflict },
  { reason: 'failed', outcome: 'failed', exitCode: EXIT.failed },
  { reason: 'interrupted', outcome: 'interrupted', exitCode: EXIT.interrupted },
];

/**
 * @param seconds how long the run took.
 * @param leftOver what is still to be done on the target though every shard has ended, or null.
 */
export function resultOf(
  records: readonly ShardRecord[],
  refusals: readonly Refusal[],
  seconds: number,
  leftOver: string | null,
): EngineResult {
  const shards = records.map((record) => record.result());
  const snapshots = records.map((record) => record.snapshot(steadyMs()));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const refused = sum(shards.map((shard) => shard.refused));
  const worst = PRECEDENCE.find(({ reason }) => records.some((record) => record.end?.reason === reason));
  const culprit = worst === undefined ? null : (records.find((record) => record.end?.reason === worst.reason) ?? null);
  return {
    outcome: worst?.outcome ?? (leftOver === null ? 'completed' : 'failed'),
    exitCode: worst?.exitCode ?? (leftOver !== null ? EXIT.failed : refused > 0 ? EXIT.refusals : EXIT.completed),
    seconds,
    keys: sum(shards.map((shard) => shard.keys)),
    commands: sum(shards.map((shard) => shard.commands)),
    bytes: sum(records.map((record) => record.bytesReceived)),
    conflicts: snapshots.map(({ conflicts }) => conflicts).reduce(addConflicts, NO_CONFLICTS),
    refused,
    refusals,
    shards,
    message: culprit === null ? leftOver : `${culprit.job.name}: ${culprit.end?.message ?? ''}`,
  };
}

/** The result of a run that never began. */
export function refusedResult(outcome: Outcome, exitCode: number, seconds: number, message: string): EngineResult {
  return {
    outcome,
    exitCode,
    seconds,
    keys: 0,
    commands: 0,
    bytes: 0,
    conflicts: NO_CONFLICTS,
    refused: 0,
    refusals: [],
    shards: [],
    message,
  };
}
