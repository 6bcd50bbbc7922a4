// Which replica to read from: of those that answer and are in touch with their master the one that has come furthest,
// else the master itself. Offsets are asked here: what a cluster or a sentinel announces is seconds old.
import { mapAddress } from './address-map.ts';
import { asking, readInfo } from './ask.ts';
import type { Endpoint, NodeAddress } from './endpoint.ts';
import type { ServerInfo } from './server-info.ts';

export interface ReplicaPosition {
  readonly address: NodeAddress;
  readonly offset: number;
}

/** The address to read from, after the address map; `announced` are the replicas, `master` is already mapped. */
export async function chooseReplica(
  endpoint: Endpoint,
  announced: readonly NodeAddress[],
  master: NodeAddress,
): Promise<NodeAddress> {
  const positions = await Promise.all(
    announced.map((address) => positionOf(endpoint, mapAddress(endpoint.addressMap, address))),
  );
  return furthest(positions.filter((position) => position !== null)) ?? master;
}

/** Compared as numbers: as text 9 would come before 10. */
export function furthest(positions: readonly ReplicaPosition[]): NodeAddress | null {
  return positions.toSorted((a, b) => b.offset - a.offset)[0]?.address ?? null;
}

async function positionOf(endpoint: Endpoint, address: NodeAddress): Promise<ReplicaPosition | null> {
  try {
    return usablePosition(address, await asking(endpoint, address, readInfo));
  } catch {
    // A replica that cannot be reached is no error: there is always the master.
    return null;
  }
}

function usablePosition(address: NodeAddress, info: ServerInfo): ReplicaPosition | null {
  const usable = info.text('role') === 'slave' && info.text('master_link_status') === 'up' && !info.flag('loading');
  return usable ? { address, offset: info.number('slave_repl_offset') ?? 0 } : null;
}
