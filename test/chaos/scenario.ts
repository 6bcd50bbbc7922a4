// What a chaos scenario is: data, so that one runner serves all of them and a seed repeats any.
import type { FaultName } from './faults.ts';

export interface SideShape {
  readonly kind: 'standalone' | 'cluster';
  /** Of a cluster. */
  readonly masters?: number | undefined;
  /** For each master. */
  readonly replicas?: number | undefined;
  readonly args?: readonly string[] | undefined;
  readonly binary?: string | undefined;
}

/** Who is to keep the target equal: the program, the servers' own replication, or one that is wrong on purpose. */
export type EngineName = 'redferry' | 'native' | 'mirror' | 'doubling' | 'losing';

export interface LoadShape {
  readonly ratePerSecond: number;
  readonly tags: number;
  /** 0 to 1. */
  readonly constantShare: number;
  readonly kinds?: readonly string[] | undefined;
  readonly databases?: readonly number[] | undefined;
  readonly alternate?: boolean | undefined;
}

/** One fault as the seed has drawn it, before anything runs. */
export interface PlannedFault {
  readonly name: FaultName;
  /** Which shard of the side it is about. */
  readonly shard: number;
  /** How long the fault lasts before it is repaired. */
  readonly holdMs: number;
  /** What passes between the repair before and this fault. */
  readonly gapMs: number;
  /** Whether the engine has to stream again before the next one, or is met by it wherever it stands. */
  readonly waitAfter: boolean;
  /** The engine is killed while this lasts, and started again before it is repaired. */
  readonly crashInside: boolean;
  /** The fault's own choices: which slot, how old the snapshot. */
  readonly seed: number;
}

/** What has to hold beside the keys being equal; only where the source has no replicas, who sync too. */
export interface Bounds {
  /** Snapshots that the source may make after the first. */
  readonly fullSyncs: number;
  /** From a new start of the engine until every shard of the source has answered its PSYNC. */
  readonly resumeMs: number;
}

export interface Scenario {
  readonly name: string;
  readonly engine: EngineName;
  readonly source: SideShape;
  readonly target: SideShape;
  readonly load: LoadShape;
  /** Drawn from by weight; empty for a load alone. */
  readonly faults: Readonly<Partial<Record<FaultName, number>>>;
  /** Instead of drawing: exactly these, in this order. */
  readonly script?: readonly PlannedFault[] | undefined;
  /** Faults of a run that names no number. */
  readonly faultCount: number;
  /** redferry's settings beside the two sides, as its configuration file has them. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
  /** The load before the first fault and after the last, milliseconds. */
  readonly calmMs: number;
  readonly bounds?: Bounds | undefined;
  /** Part of `npm test`. */
  readonly short: boolean;
}
