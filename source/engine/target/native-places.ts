// Where values that are written by commands grow: temporary keys in the slot of the key they become, and one link to
// each node that has had any.
import { slotOf, slotTag } from '../../protocol/slot.ts';
import type { BlockLink } from '../../writers/block-link.ts';
import type { NativeKey } from '../../writers/native-writer.ts';
import type { TargetNodes } from '../../writers/target-nodes.ts';
import type { ServerDestination, ShardJob } from '../run/shard-job.ts';
import { NodeLinks } from './node-links.ts';

export class NativePlaces {
  readonly #job: ShardJob;
  readonly #links: NodeLinks;
  #count = 0;

  constructor(job: ShardJob, destination: ServerDestination, nodes: TargetNodes) {
    this.#job = job;
    this.#links = new NodeLinks(job, destination, nodes, 'values');
  }

  /** @param expiresAtMs, fieldExpiry as they are to be written. */
  place(
    database: number,
    key: Buffer,
    expiresAtMs: number,
    fieldExpiry: (expiresAtMs: number) => number,
    isOwn: boolean,
  ): NativeKey {
    const tag = slotTag(slotOf(key, 0, key.length));
    const name = `redferry:${this.#job.run}:{${tag}}:${this.#job.name}:value-${this.#job.attempt}-${this.#count++}`;
    return { database, key, temporaryKey: Buffer.from(name), expiresAtMs, fieldExpiry, isOwn };
  }

  /** @throws FerryError when the node can not be reached. */
  link(key: Buffer): Promise<BlockLink> {
    return this.#links.link(this.#links.nodeOf(key));
  }

  keepAlive(): void {
    this.#links.keepAlive();
  }

  destroy(): void {
    this.#links.destroy();
  }
}
