// Everything between the settings and the first byte: find the shards on both sides, check that the run can be right,
// plan it. Throws a FerryError with one sentence when it can not.
import type { ConflictPolicy, NoticeLevel } from '../engine/contract.ts';
import { EXIT, FerryError } from '../engine/errors.ts';
import { planRun, type RunLimits, type RunPlan } from '../engine/run-plan.ts';
import type { KeylessRules } from '../engine/shard-job.ts';
import { runPreflight } from '../preflight/preflight.ts';
import { openControl } from '../topology/control-connection.ts';
import { discoverTopology } from '../topology/discover.ts';
import type { Endpoint } from '../topology/endpoint.ts';
import type { Topology } from '../topology/topology.ts';

export interface RunSetup {
  readonly run: string;
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly conflictPolicy: ConflictPolicy;
  readonly keyless: KeylessRules;
  readonly limits: RunLimits;
  readonly snapshotOnly: boolean;
  readonly shards: readonly number[] | null;
}

/** @param tell what the person should know before the run begins. */
export async function prepareRun(
  setup: RunSetup,
  tell: (level: NoticeLevel, message: string) => void,
): Promise<RunPlan> {
  const [sourceTopology, targetTopology] = await Promise.all([
    discoverTopology(setup.source),
    discoverTopology(setup.target),
  ]);
  checkShards(setup.shards, sourceTopology);
  const { source, target, conflictPolicy, shards } = setup;
  const report = await runPreflight({
    source,
    sourceTopology,
    target,
    targetTopology,
    conflictPolicy,
    ...(shards === null ? {} : { shards }),
  });
  for (const { verdict, evidence, remedy } of report.findings) {
    if (verdict === 'refuse')
      throw new FerryError(`${evidence} ${remedy}`.trim(), { code: 'preflight', exitCode: EXIT.preflight });
    if (verdict === 'warn') tell('warn', `${evidence} ${remedy}`.trim());
  }
  const { commands, largestValue } = await askTarget(target, targetTopology);
  return planRun({
    ...setup,
    sourceTopology,
    targetTopology,
    targetCommands: commands,
    limits: { ...setup.limits, valueInMemory: Math.min(setup.limits.valueInMemory, largestValue) },
  });
}

function checkShards(shards: readonly number[] | null, topology: Topology): void {
  const unknown = shards?.find((id) => !topology.shards.some((shard) => shard.id === id));
  if (unknown === undefined) return;
  throw new FerryError(
    `There is no source shard ${unknown}: the source has ${topology.shards.length}, numbered from 0.`,
    { code: 'usage', exitCode: EXIT.usage },
  );
}

/** Type byte, version and checksum around a value in a RESTORE. */
const PAYLOAD_FRAME_BYTES = 11;

interface TargetFacts {
  /** The answer to COMMAND; null where the user may not ask. */
  readonly commands: unknown;
  /** Bytes of the largest value that one command can carry; a larger one would cost the whole connection. */
  readonly largestValue: number;
}

async function askTarget(target: Endpoint, topology: Topology): Promise<TargetFacts> {
  const first = topology.shards[0];
  if (first === undefined) return { commands: null, largestValue: Number.POSITIVE_INFINITY };
  const connection = await openControl(target, first.address, 'redferry:facts');
  try {
    const commands: unknown = await connection.call('COMMAND').catch(() => null);
    const bulk: unknown = await connection.config('GET', 'proto-max-bulk-len').catch(() => null);
    const bytes = Array.isArray(bulk) ? Number(bulk[1]) : Number.NaN;
    return { commands, largestValue: bytes > 0 ? bytes - PAYLOAD_FRAME_BYTES : Number.POSITIVE_INFINITY };
  } finally {
    connection.disconnect();
  }
}
