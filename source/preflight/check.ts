// What a preflight check is: one question to both sides before a byte is copied, its evidence, its verdict and what to
// do. Checks read only.
import type { Redis } from 'ioredis';
import type { ConflictPolicy } from '../engine/contract/conflict.ts';
import type { Endpoint, NodeAddress } from '../topology/endpoint.ts';
import type { ServerInfo } from '../topology/server-info.ts';
import type { Topology } from '../topology/topology.ts';
import type { DatabaseNumbers } from '../transforms/database-map.ts';

/** `refuse` keeps the run from starting, `warn` is told, `ok` is only shown by `redferry check`. */
export type Verdict = 'ok' | 'warn' | 'refuse';

export interface Finding {
  readonly id: string;
  readonly question: string;
  readonly verdict: Verdict;
  /** What was found, in whole sentences with numbers and addresses. */
  readonly evidence: string;
  /** What to do about it, in whole sentences; empty when there is nothing to do. */
  readonly remedy: string;
}

/** A finding without what stands with the check itself. */
export type Answer = Pick<Finding, 'verdict' | 'evidence' | 'remedy'>;

export interface PreflightNode {
  /** `shard-0` for a source; the address says more for a target. */
  readonly name: string;
  readonly address: NodeAddress;
  readonly connection: Redis;
  /** Read once, when the preflight began. */
  readonly info: ServerInfo;
}

export interface PreflightSide {
  readonly endpoint: Endpoint;
  readonly topology: Topology;
  readonly nodes: readonly PreflightNode[];
}

export interface PreflightContext {
  /** Only the chosen shards. */
  readonly source: PreflightSide;
  readonly target: PreflightSide;
  readonly conflictPolicy: ConflictPolicy;
  /** target.exactlyOnce */
  readonly exactlyOnce: boolean;
  /** databases.map */
  readonly databases: DatabaseNumbers;
}

export interface Check {
  readonly id: string;
  readonly question: string;
  run(context: PreflightContext): Promise<Answer>;
}
