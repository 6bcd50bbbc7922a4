// What stands behind an address: the kind of installation, its masters and the slots of each. Plain data.
import type { NodeAddress } from './endpoint.ts';

export const SLOT_COUNT = 16384;

/** Both ends included. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
}

export interface ServerVersion {
  readonly product: 'Redis' | 'Valkey';
  /** Of the product: 8.1.1 for Valkey 8.1.1, although its redis_version says 7.2.4. */
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** `Redis 7.0.15` */
  readonly text: string;
}

export interface TopologyShard {
  /** Stable within the run: ordered by lowest slot, 0 for a standalone. */
  readonly id: number;
  /** The node to use: the master, or the replica that was chosen to read from; after the address map. */
  readonly address: NodeAddress;
  /** The cluster's node id of the master; null outside a cluster. */
  readonly nodeId: string | null;
  /** Node ids of the master's replicas: one of them may be the master in a moment. Empty outside a cluster. */
  readonly replicaIds: readonly string[];
  /** Empty for a standalone. */
  readonly slots: readonly SlotRange[];
}

export interface Topology {
  readonly kind: 'standalone' | 'cluster' | 'sentinel';
  readonly version: ServerVersion;
  readonly shards: readonly TopologyShard[];
}
