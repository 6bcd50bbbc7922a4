// Questions to the nodes of a source cluster while a run goes on: who owns which slot, and whether a node has let go of
// slots, up to which offset of its stream. Keeps a connection to each node that was asked.
import type { Redis } from 'ioredis';
import { mapAddress } from '../../topology/address-map.ts';
import type { ClusterNode } from '../../topology/cluster-node.ts';
import { readClusterNodes, slotOwners } from '../../topology/cluster-topology.ts';
import { openControl } from '../../topology/control-connection.ts';
import { type Endpoint, formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import { usedDatabases } from '../recopy/slot-keys.ts';

/** Every slot has one owner in it, or it would not be one. */
export interface SourceView {
  readonly nodes: readonly ClusterNode[];
  /** Masters that own slots. */
  readonly owners: readonly ClusterNode[];
}

export interface LetGo {
  /** Of those asked for: not the node's any more, and no key of theirs is left on it. */
  readonly slots: readonly number[];
  /** Whatever the node's stream tells of them ends here, in this history. */
  readonly offset: number;
  readonly replid: string;
}

export class SourceNodes {
  readonly #endpoint: Endpoint;
  readonly #connections = new Map<string, Redis>();

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** The cluster as the first of these nodes sees it that sees all of it; null when none does. */
  async view(addresses: readonly NodeAddress[]): Promise<SourceView | null> {
    for (const address of addresses) {
      const view = await this.#asking(address, async (connection) => {
        const nodes = await readClusterNodes(connection, address, this.#endpoint.tls !== null);
        return { nodes, owners: slotOwners(nodes, address) };
      });
      if (view !== null) return view;
    }
    return null;
  }

  /** Where the node is reached. */
  addressOf(node: ClusterNode): NodeAddress {
    return mapAddress(this.#endpoint.addressMap, node);
  }

  /** Which of these slots the node has let go of; null when it does not answer. */
  async letGo(node: ClusterNode, slots: readonly number[]): Promise<LetGo | null> {
    const address = this.addressOf(node);
    return this.#asking(address, async (connection) => {
      // In this order: what is not the node's and empty stays so, and the offset asked for behind that is late enough.
      const nodes = await readClusterNodes(connection, address, this.#endpoint.tls !== null);
      const own = nodes.find(({ id }) => id === node.id)?.slots ?? [];
      const gone = slots.filter((slot) => !own.some(({ first, last }) => first <= slot && slot <= last));
      const empty = await emptySlots(connection, gone);
      const info = await connection.info('replication');
      const replid = /^master_replid:(\w+)/m.exec(info)?.[1] ?? '';
      return { slots: empty, offset: Number(/^master_repl_offset:(\d+)/m.exec(info)?.[1]), replid };
    });
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.disconnect();
    this.#connections.clear();
  }

  /** null when the node can not be asked: it is asked anew the next time. */
  async #asking<T>(address: NodeAddress, question: (connection: Redis) => Promise<T>): Promise<T | null> {
    const place = formatAddress(address);
    try {
      let connection = this.#connections.get(place);
      if (connection === undefined) {
        connection = await openControl(this.#endpoint, address, 'redferry:slots');
        this.#connections.set(place, connection);
      }
      return await question(connection);
    } catch {
      this.#connections.get(place)?.disconnect();
      this.#connections.delete(place);
      return null;
    }
  }
}

async function emptySlots(connection: Redis, slots: readonly number[]): Promise<readonly number[]> {
  let empty = slots;
  for (const database of await usedDatabases(connection)) {
    if (database !== 0) await connection.select(database);
    const counts = await Promise.all(empty.map((slot) => connection.call('CLUSTER', 'COUNTKEYSINSLOT', slot)));
    if (database !== 0) await connection.select(0);
    empty = empty.filter((_, index) => Number(counts[index]) === 0);
  }
  return empty;
}
