// Which master of a source cluster each shard of the run copies from, while replicas are promoted and masters join and leave.
import type { ClusterNode } from '../../topology/cluster-node.ts';
import type { SourceView } from './source-nodes.ts';

export interface Promotion {
  readonly shard: number;
  readonly node: ClusterNode;
}

export class ShardMasters {
  /** By shard: its master's node id. */
  readonly #nodeOf = new Map<number, string>();
  /** By replica: its master, as last seen. */
  readonly #masterOf = new Map<string, string>();
  /** Masters that this run does not copy from. */
  readonly #strangers = new Set<string>();
  #looked = false;

  /** @param replicaIds one of them may have taken over before the first view. */
  set(shard: number, nodeId: string, replicaIds: readonly string[] = []): void {
    this.#nodeOf.set(shard, nodeId);
    for (const id of replicaIds) this.#masterOf.set(id, nodeId);
  }

  /** Its node is one of those that may join again. */
  forget(shard: number): void {
    this.#nodeOf.delete(shard);
  }

  nodeIdOf(shard: number): string | undefined {
    return this.#nodeOf.get(shard);
  }

  /** By node id: its shard. */
  shards(): ReadonlyMap<string, number> {
    return new Map([...this.#nodeOf].map(([shard, nodeId]) => [nodeId, shard] as const));
  }

  /** A promoted replica is its shard's node from now on. @returns those that this view tells of. */
  follow({ nodes, owners }: SourceView): readonly Promotion[] {
    const promotions: Promotion[] = [];
    for (const [shard, nodeId] of this.#nodeOf) {
      // One that died is listed as a master for as long as nobody tells it otherwise, but without slots.
      if (owners.some(({ id }) => id === nodeId)) continue;
      const node = owners.find(({ id }) => this.#masterOf.get(id) === nodeId);
      if (node === undefined) continue;
      this.#nodeOf.set(shard, node.id);
      promotions.push({ shard, node });
    }
    for (const { id, masterId } of nodes) if (masterId !== null) this.#masterOf.set(id, masterId);
    for (const { id } of owners) this.#masterOf.delete(id);
    return promotions;
  }

  /** Masters that have joined since the first view. What was there then and was not chosen is another process's. */
  newcomers({ owners }: SourceView): readonly ClusterNode[] {
    const known = new Set(this.#nodeOf.values());
    const unknown = owners.filter(({ id }) => !known.has(id) && !this.#strangers.has(id));
    // What joins masters of another process is that process's too.
    const areOurs = this.#looked && this.#strangers.size === 0;
    if (!areOurs) for (const { id } of unknown) this.#strangers.add(id);
    this.#looked = true;
    return areOurs ? unknown : [];
  }

  /** Whether the shard's node is a master still. */
  isMaster(shard: number, { nodes }: SourceView): boolean {
    return nodes.some(({ id, role }) => id === this.#nodeOf.get(shard) && role === 'master');
  }
}
