// Links beside the writers' to the nodes of a target, one for each node that has been needed, with replies read in full.
import { slotOf } from '../../protocol/slot.ts';
import { BlockLink } from '../../writers/block-link.ts';
import type { TargetNodes } from '../../writers/target-nodes.ts';
import type { ServerDestination, ShardJob } from '../run/shard-job.ts';

export class NodeLinks {
  readonly #job: ShardJob;
  readonly #destination: ServerDestination;
  readonly #nodes: TargetNodes;
  readonly #purpose: string;
  /** By number of the node. */
  readonly #links = new Map<number, BlockLink>();

  /** @param purpose the last part of the connections' names. */
  constructor(job: ShardJob, destination: ServerDestination, nodes: TargetNodes, purpose: string) {
    this.#job = job;
    this.#destination = destination;
    this.#nodes = nodes;
    this.#purpose = purpose;
  }

  /** The number of the node that holds the key. */
  nodeOf(key: Buffer): number {
    return this.#nodes.cluster ? this.#nodes.indexOfSlot(slotOf(key, 0, key.length)) : 0;
  }

  /** A new one in the place of one that broke. @throws FerryError when the node can not be reached. */
  async link(node: number): Promise<BlockLink> {
    const known = this.#links.get(node);
    if (known !== undefined && !known.closed) return known;
    const { endpoint, topology, importMode } = this.#destination;
    const shard = topology.shards[node];
    if (shard === undefined) throw new RangeError(`the target has no node ${node}`);
    const { tls, credentials, connectTimeoutMs } = endpoint;
    const link = new BlockLink(
      { address: shard.address, tls, credentials, connectTimeoutMs },
      `redferry:${this.#job.run}:${this.#job.name}:${shard.id}:${this.#purpose}`,
      importMode,
    );
    await link.open();
    this.#links.set(node, link);
    return link;
  }

  /** Does the work for each node at once, database by database; a link has one block under way at a time. */
  async onEachNode<T>(
    items: readonly T[],
    placeOf: (item: T) => { readonly database: number; readonly key: Buffer },
    work: (link: BlockLink, items: readonly T[]) => Promise<void>,
  ): Promise<void> {
    const byNode = Map.groupBy(items, (item) => this.nodeOf(placeOf(item).key));
    await Promise.all(
      [...byNode].map(async ([node, ofNode]) => {
        const link = await this.link(node);
        for (const [database, ofDatabase] of Map.groupBy(ofNode, (item) => placeOf(item).database)) {
          await link.select(database);
          await work(link, ofDatabase);
        }
      }),
    );
  }

  keepAlive(): void {
    for (const link of this.#links.values()) link.keepAlive();
  }

  destroy(): void {
    for (const link of this.#links.values()) link.destroy();
    this.#links.clear();
  }
}
