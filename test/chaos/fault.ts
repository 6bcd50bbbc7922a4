// What a fault is: done to one shard of one side, or to the engine, held for a while, and repaired.
import type { Random } from '../../source/demo/random.ts';
import type { EngineUnderTest } from './engine.ts';
import type { Side } from './side.ts';

export interface FaultContext {
  readonly source: Side;
  readonly target: Side;
  readonly engine: EngineUnderTest;
  readonly shard: number;
  /** The fault's own choices. */
  readonly random: Random;
  /** Adds what was chosen to the fault's line in the log. */
  readonly tell: (detail: Readonly<Record<string, unknown>>) => void;
}

/** Undoes the fault, and resolves when the servers are themselves again. */
export type Repair = () => Promise<void>;

export interface Fault {
  /** What has to be there: a process to crash, a cluster, replicas in it. */
  readonly needs: 'nothing' | 'process' | 'cluster' | 'replicas';
  /** null: it is the engine's. */
  readonly side: 'source' | 'target' | null;
  /** How long it lasts, milliseconds, from least to most. */
  readonly holdMs: readonly [least: number, most: number];
  /** How often it is drawn where a scenario takes all faults. */
  readonly weight: number;
  inject(context: FaultContext): Promise<Repair>;
}

export const NOTHING_TO_REPAIR: Repair = async () => {};
