// How the run ended, from how its shards ended: the outcome, the exit code, one sentence when it did not complete.
import { addConflicts, NO_CONFLICTS } from '../contract/conflict.ts';
import type { EngineResult, Outcome, Refusal } from '../contract/result.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { steadyMs } from '../steady-clock.ts';
import type { ShardEnd } from './shard-job.ts';
import type { ShardRecord } from './shard-record.ts';

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
  // What a person has skipped decides nothing, but the run is not as complete as one without a word.
  const counted = records.filter(({ skipped }) => !skipped);
  const worst = PRECEDENCE.find(({ reason }) => counted.some((record) => record.end?.reason === reason));
  const culprit = worst === undefined ? null : (counted.find((record) => record.end?.reason === worst.reason) ?? null);
  const skippedNames = records.filter(({ skipped }) => skipped).map(({ job }) => job.name);
  const isLacking = refused > 0 || skippedNames.length > 0;
  const lack = skippedNames.length === 0 ? null : `Skipped, and missing on the target: ${skippedNames.join(', ')}.`;
  return {
    outcome: worst?.outcome ?? (leftOver === null ? 'completed' : 'failed'),
    exitCode: worst?.exitCode ?? (leftOver !== null ? EXIT.failed : isLacking ? EXIT.refusals : EXIT.completed),
    seconds,
    keys: sum(shards.map((shard) => shard.keys)),
    commands: sum(shards.map((shard) => shard.commands)),
    bytes: sum(records.map((record) => record.bytesReceived)),
    conflicts: snapshots.map(({ conflicts }) => conflicts).reduce(addConflicts, NO_CONFLICTS),
    refused,
    refusals,
    shards,
    message: culprit === null ? (leftOver ?? lack) : `${culprit.job.name}: ${culprit.end?.message ?? ''}`,
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
