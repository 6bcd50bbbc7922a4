// One node of a cluster, as CLUSTER SHARDS or CLUSTER NODES describes it: what both parsers give and discovery works on.
import type { SlotRange } from './topology.ts';

/** A slot on its way from one master to another. */
export interface OpenSlot {
  readonly slot: number;
  readonly direction: 'migrating' | 'importing';
  /** Node id of the other side. */
  readonly peer: string;
}

export interface ClusterNode {
  readonly id: string;
  /** Empty where the cluster does not say: the node that was asked, by the host it was asked at. */
  readonly host: string;
  readonly port: number;
  readonly role: 'master' | 'replica';
  /** For a replica the id of its master. */
  readonly masterId: string | null;
  /** The cluster holds it for failed or it is still loading: not to be used. */
  readonly failed: boolean;
  readonly slots: readonly SlotRange[];
  /** Only CLUSTER NODES tells, and only of the node that was asked. */
  readonly openSlots: readonly OpenSlot[];
}
