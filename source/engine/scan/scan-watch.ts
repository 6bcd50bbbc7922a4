// Follows the masters of a source cluster that is scanned: a replica that was promoted is the shard's node from then on, a
// master that joins becomes a shard of the run, one that owns nothing any more is finished. Slots that move between shards
// need no more than that: their new node's shard fetches their keys (scan-changes.ts).
import type { Endpoint, NodeAddress } from '../../topology/endpoint.ts';
import type { NoticeLevel } from '../contract/notice.ts';
import type { JoinedNode } from '../run/run-plan.ts';
import type { ToWorker } from '../run/shard-job.ts';
import { ShardMasters } from '../run/shard-masters.ts';
import type { ShardRecord } from '../run/shard-record.ts';
import { SourceNodes, type SourceView } from '../run/source-nodes.ts';

export interface ScanWatchHost {
  records(): readonly ShardRecord[];
  send(message: ToWorker & { readonly shard: number }): void;
  join(node: JoinedNode): ShardRecord;
  /** Resolves when the shard's new node tells of its changes, if the one before did. Never rejects. */
  keyspaceFollows(shard: number, address: NodeAddress): Promise<void>;
  notice(level: NoticeLevel, shard: string | null, message: string): void;
}

const POLL_MS = 1000;

export class ScanWatch {
  readonly #host: ScanWatchHost;
  readonly #endpoint: Endpoint;
  readonly #nodes: SourceNodes;
  readonly #masters = new ShardMasters();
  readonly #left = new Set<number>();
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  /** @param endpoint of the source. */
  constructor(endpoint: Endpoint, host: ScanWatchHost) {
    this.#endpoint = endpoint;
    this.#host = host;
    this.#nodes = new SourceNodes(endpoint);
    for (const { job } of host.records())
      if (job.origin.kind === 'server' && job.origin.nodeId !== null)
        this.#masters.set(job.id, job.origin.nodeId, job.origin.replicaIds);
  }

  start(): void {
    void this.#poll();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#nodes.close();
  }

  async #poll(): Promise<void> {
    const working = this.#host
      .records()
      .filter(({ final }) => !final)
      .flatMap(({ node }) => node ?? []);
    const view = await this.#nodes.view([...working, ...this.#endpoint.nodes]);
    if (this.#stopped) return;
    if (view !== null) this.#take(view);
    this.#timer = setTimeout(() => void this.#poll(), POLL_MS);
  }

  #take(view: SourceView): void {
    const host = this.#host;
    for (const { shard, node } of this.#masters.follow(view)) void this.#move(shard, this.#nodes.addressOf(node));
    for (const node of this.#masters.newcomers(view)) {
      const address = this.#nodes.addressOf(node);
      const { id, name } = host.join({ address, nodeId: node.id }).job;
      void host.keyspaceFollows(id, address);
      this.#masters.set(id, node.id);
      host.notice('info', name, `A master has joined the source: it is ${name} of this run.`);
    }
    for (const record of host.records()) {
      const { id, name } = record.job;
      if (record.final || this.#left.has(id) || this.#masters.isMaster(id, view)) continue;
      this.#masters.forget(id);
      this.#left.add(id);
      host.notice('info', name, 'Its master owns no slots of the source any more: the shard is finished.');
      record.leave();
      host.send({ type: 'leave', shard: id });
    }
  }

  /** First the setting: nothing is missed that way. */
  async #move(shard: number, address: NodeAddress): Promise<void> {
    await this.#host.keyspaceFollows(shard, address);
    if (!this.#stopped) this.#host.send({ type: 'source-moved', shard, address });
  }
}
