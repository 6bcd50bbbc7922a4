// Runs the engine in the test's own process, from addresses to the result, and compares both sides afterwards with the
// comparer that shares no code with it.
import { tmpdir } from 'node:os';
import { prepareRun, type RunSetup } from '../../source/commands/prepare-run.ts';
import { validationSetup } from '../../source/commands/validation-setup.ts';
import type { Place as RunPlace } from '../../source/config/place.ts';
import { defaultSettings } from '../../source/config/schema.ts';
import type { ConflictRecord } from '../../source/engine/contract/conflict.ts';
import type { Notice } from '../../source/engine/contract/notice.ts';
import type { EngineResult, Refusal } from '../../source/engine/contract/result.ts';
import { FerryEngine } from '../../source/engine/ferry-engine.ts';
import { NO_THROTTLE, type ThrottleSettings } from '../../source/engine/rate/throttle.ts';
import type { RunLimits } from '../../source/engine/run/run-plan.ts';
import type { Endpoint } from '../../source/topology/endpoint.ts';
import { compareAll } from '../../source/validation/full-compare.ts';
import type { CompareReport } from '../../source/validation/report.ts';
import { TEST_WORKER } from './global-setup.ts';
import { major } from './server-version.ts';
import { noteSourceOffsets } from './source-offsets.ts';
import { waitFor } from './wait.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
}

const MIB = 1024 * 1024;

export const TEST_LIMITS: RunLimits = {
  memory: 16 * MIB,
  spool: 256 * MIB,
  spoolDirectory: tmpdir(),
  valueInMemory: 32 * MIB,
  transaction: MIB,
  inFlight: 4 * MIB,
  history: 4 * MIB,
  batch: 64 * 1024,
  flushDelayMs: 0,
  snapshotsAtOnce: 2,
  threads: 2,
};

export function endpointOf(place: Place, more: Partial<Endpoint> = {}): Endpoint {
  return {
    scheme: 'redis',
    nodes: [{ host: place.host, port: place.port }],
    masterName: null,
    credentials: { username: null, password: null },
    sentinelCredentials: { username: null, password: null },
    tls: null,
    preferReplica: false,
    addressMap: {},
    connectTimeoutMs: 3000,
    ...more,
  };
}

export interface Migration {
  readonly engine: FerryEngine;
  readonly notices: readonly Notice[];
  readonly refusals: readonly Refusal[];
  /** Every settled conflict that was told. */
  readonly conflicts: readonly ConflictRecord[];
  /** Resolves when every shard streams; rejects with the result's message when the run ends before. */
  streaming(): Promise<unknown>;
  /** Resolves when everything the source has written is applied; the writes must have stopped. */
  caughtUp(): Promise<unknown>;
  stop(): Promise<EngineResult>;
}

let runs = 0;

export type MigrationSetup = Partial<RunSetup> & {
  /** Waited for between the plan and its first step. */
  readonly planned?: () => Promise<void>;
};

/** Begins a run from `source` to `target`. @param workerFile what its threads run. */
export function migrate(
  source: RunPlace,
  target: RunPlace,
  { planned, ...more }: MigrationSetup = {},
  workerFile = TEST_WORKER,
  throttle: ThrottleSettings = NO_THROTTLE,
): Migration {
  const notices: Notice[] = [];
  const refusals: Refusal[] = [];
  const conflicts: ConflictRecord[] = [];
  const setup: RunSetup = {
    run: `test-${process.pid}-${++runs}`,
    source,
    target,
    conflictPolicy: 'panic',
    exactlyOnce: true,
    asksOnConflict: false,
    keyless: { flush: 'refuse', swapdb: 'refuse', publish: 'ignore', script: 'forward', function: 'forward' },
    limits: TEST_LIMITS,
    snapshotOnly: false,
    resume: null,
    shards: null,
    ...more,
  };
  const defaults = defaultSettings();
  const scanned =
    setup.scan == null ? {} : { reader: 'scan' as const, scan: { ...defaults.source.scan, ...setup.scan } };
  const engine = new FerryEngine({
    run: setup.run,
    source: 'source',
    target: 'target',
    prepare: async (tell, stopped) => {
      const plan = await prepareRun(setup, tell, stopped);
      await planned?.();
      return plan;
    },
    onNotice: (notice) => notices.push(notice),
    onRefusals: (told) => refusals.push(...told),
    onConflicts: (told) => conflicts.push(...told),
    validation: validationSetup(
      { run: setup.run, names: { source: 'source', target: 'target' }, places: () => ({ source, target }) },
      { ...defaults, databases: { map: setup.databases ?? {} }, source: { ...defaults.source, ...scanned } },
    ),
    workerFile,
    throttle,
  });
  engine.start();
  /** Waits, at most a minute; a run that has ended keeps nobody waiting. */
  const until = async (what: string, condition: () => boolean): Promise<void> => {
    await waitFor(() => engine.snapshot().result !== null || condition(), { deadlineMs: 60_000, what });
    const { result } = engine.snapshot();
    if (result !== null) throw new Error(`the run ended: ${result.outcome}, ${result.message}`);
  };
  return {
    engine,
    notices,
    refusals,
    conflicts,
    streaming: () =>
      until('every shard to stream', () => {
        const { shards } = engine.snapshot();
        return shards.length > 0 && shards.every((shard) => shard.state === 'streaming');
      }),
    caughtUp: async () => {
      const begunAtMs = Date.now();
      const hasAll = await noteSourceOffsets(engine.snapshot().shards);
      return until('the lag to be 0', () => {
        const { shards, takenAtMs } = engine.snapshot();
        return hasAll(shards, takenAtMs - begunAtMs);
      });
    },
    stop: async () => {
      await engine.dispatch({ type: 'stop' });
      return engine.ended;
    },
  };
}

/**
 * How far expiries may lie apart where the source's are relative (before 7.0): they are made absolute by when the source
 * was seen to have come so far, which a machine that is busy with other tests sees late. Newer ones are exact.
 */
const RELATIVE_TOLERANCE_MS = 3000;

/** Compares all keys of both sides. */
export async function compare(
  source: readonly Place[],
  target: readonly Place[],
  kinds: { readonly sourceCluster: boolean; readonly targetCluster: boolean },
): Promise<CompareReport> {
  return compareAll({
    source: { addresses: source, cluster: kinds.sourceCluster },
    target: { addresses: target, cluster: kinds.targetCluster },
    ...(major < 7 ? { toleranceMs: RELATIVE_TOLERANCE_MS } : {}),
  });
}
