// Where values that are written by commands grow: temporary keys in the slot of the key they become, and one link to
// each node that has had any.
import { slotOf, slotTag } from '../protocol/slot.ts';
import { BlockLink } from '../writers/block-link.ts';
import type { NativeKey } from '../writers/native-writer.ts';
import type { TargetNodes } from '../writers/target-nodes.ts';
import type { ServerDestination, ShardJob } from './shard-job.ts';

export class NativePlaces {
  readonly #job: ShardJob;
  readonly #destination: ServerDestination;
  readonly #nodes: TargetNodes;
  /** By number of the node. */
  readonly #links = new Map<number, BlockLink>();
  #count = 0;

  constructor(job: ShardJob, destination: ServerDestination, nodes: TargetNodes) {
    this.#job = job;
    this.#destination = destination;
    this.#nodes = nodes;
  }

  /** @param expiresAtMs, fieldExpiry as they are to be written. */
  place(database: number, key: Buffer, expiresAtMs: number, fieldExpiry: (expiresAtMs: number) => number): NativeKey {
    const tag = slotTag(slotOf(key, 0, key.length));
    const name = `redferry:${this.#job.run}:{${tag}}:${this.#job.name}:value-${this.#job.attempt}-${this.#count++}`;
    return { database, key, temporaryKey: Buffer.from(name), expiresAtMs, fieldExpiry };
  }

  /** @throws FerryError when the node can not be reached. */
  async link(key: Buffer): Promise<BlockLink> {
    const node = this.#nodes.cluster ? this.#nodes.indexOfSlot(slotOf(key, 0, key.length)) : 0;
    const known = this.#links.get(node);
    if (known !== undefined) return known;
    const { endpoint, topology, importMode } = this.#destination;
    const shard = topology.shards[node];
    if (shard === undefined) throw new RangeError(`the target has no node ${node}`);
    const { tls, credentials, connectTimeoutMs } = endpoint;
    const link = new BlockLink(
      { address: shard.address, tls, credentials, connectTimeoutMs },
      `redferry:${this.#job.run}:${this.#job.name}:${shard.id}:values`,
      importMode,
    );
    await link.open();
    this.#links.set(node, link);
    return link;
  }

  destroy(): void {
    for (const link of this.#links.values()) link.destroy();
    this.#links.clear();
  }
}
