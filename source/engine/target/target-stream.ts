// The stream on the nodes of a server target: where its markers begin, how it goes on after trouble, on which nodes, and what
// of it is kept for a later process. ExactStream writes the markers, StreamRecovery says when to go back; this asks the target.
import { mapAddress } from '../../topology/address-map.ts';
import { formatAddress } from '../../topology/endpoint.ts';
import type { SlotRange } from '../../topology/topology.ts';
import type { BufferPool } from '../../writers/batch.ts';
import type { NodeWriter } from '../../writers/node-writer.ts';
import { ReplayFilter } from '../../writers/replay-filter.ts';
import type { StreamRouter } from '../../writers/stream-router.ts';
import type { TargetNodes } from '../../writers/target-nodes.ts';
import type { SlotMove } from '../../writers/target-replies.ts';
import type { WriterOwner } from '../../writers/writer-owner.ts';
import { FerryError } from '../errors.ts';
import type { ServerDestination, ShardCheckpoint, ShardJob, ShardResume } from '../run/shard-job.ts';
import type { TargetHost } from '../shard/shard-target.ts';
import type { OwnedSlots } from '../source/owned-slots.ts';
import { ExactStream } from './exact-stream.ts';
import { type ReplayPlan, StreamRecovery } from './stream-recovery.ts';
import { askNodeId, deleteAsking, discoverTarget, openSlotsOf } from './target-questions.ts';
import { planReplay } from './target-reconnect.ts';
import { makeWriter } from './target-writers.ts';

export interface TargetStreamParts {
  readonly job: ShardJob;
  readonly destination: ServerDestination;
  /** Of a cluster's node: those that the pipeline carries. */
  readonly slots: OwnedSlots | null;
  readonly nodes: TargetNodes;
  readonly router: StreamRouter;
  readonly owner: WriterOwner;
  readonly pool: BufferPool;
  readonly host: TargetHost;
}

export class TargetStream {
  readonly #parts: TargetStreamParts;
  readonly #recovery: StreamRecovery;
  /** Of a stream that takes effect exactly once. */
  #exact: ExactStream | null = null;
  /** The markers with which the stream begins are on the target. */
  #marked = false;
  /** The position at which they were sent. */
  #beganAt = 0;

  constructor(parts: TargetStreamParts) {
    this.#parts = parts;
    const { nodes, router, host } = parts;
    this.#recovery = new StreamRecovery({
      nodes,
      router,
      places: host,
      follow: (moves) => this.#follow(moves),
      stillOpen: (slots) => this.#stillOpen(slots),
      reconnect: (settled, unanswered) => this.#reconnect(settled, unanswered),
      outOfOrder: () => host.outOfOrder(),
      notice: (level, message) => host.notice(level, message),
      giveUp: (reason) =>
        host.lost(
          new FerryError(`The stream can not go on where the target stands: ${reason}.`, { code: 'target-lost' }),
        ),
    });
  }

  /** Nothing is taken: something is being found out, or too much of it waits for open slots. */
  get saturated(): boolean {
    return this.#recovery.busy || this.#parkedTooMuch;
  }

  get outOfOrder(): boolean {
    return this.#recovery.outOfOrder;
  }

  get replaying(): boolean {
    return this.#recovery.busy || this.#parts.router.replaying;
  }

  /** Nothing waits to be sent again. */
  get idle(): boolean {
    return !this.#recovery.busy && this.#parts.router.parked.size === 0;
  }

  /** Everything before this position has taken effect, whatever the writers say. */
  get floor(): number {
    return this.#recovery.floor;
  }

  /** Why nothing is taken, as part of a sentence, or null. */
  get waiting(): string | null {
    return this.#recovery.reason;
  }

  /** What of it waits while the rest goes on, as part of a sentence, or null. */
  get parkedSentence(): string | null {
    const { size } = this.#parts.router.parked;
    if (size === 0) return null;
    return `${size === 1 ? 'a slot' : `${size} slots`} of the target ${size === 1 ? 'is' : 'are'} between two nodes: their commands wait, others go on`;
  }

  /** For a later process; null while there is nothing to go on from. */
  get checkpoint(): Omit<ShardCheckpoint, 'kept'> | null {
    const { host, router, slots } = this.#parts;
    const { history } = host;
    if (this.#exact === null || history === null || !this.#marked) return null;
    const offset = host.offsetAt(host.settledPosition);
    return {
      history,
      offset,
      db: router.databases.at(offset),
      nodes: this.#exact.knownNodes(),
      slots: slots?.rangesAt(offset) ?? null,
    };
  }

  /** The stream's commands come now. What is exact begins when the source has named its history. */
  begin(): void {
    const { job, destination, nodes, router, host } = this.#parts;
    const { history } = host;
    if (history === null || job.snapshotOnly || !destination.exactlyOnce || this.#exact !== null) return;
    const { origin, resume } = job;
    this.#exact = new ExactStream(
      {
        run: job.run,
        shard: job.name,
        nodes,
        router,
        places: host,
        flowing: () => !this.#recovery.busy,
        slots: origin.kind === 'server' && origin.slots.length > 0 ? slotsOf(origin.slots) : null,
      },
      history.replid,
    );
    this.#exact.wrap();
    this.#beganAt = host.position;
    if (resume !== null) this.#resume(this.#exact, resume);
    if (resume === null || resume.unmarked) this.#exact.begin(host.offset);
  }

  /** Replies came in. */
  answered(): void {
    this.#recovery.replied();
    // Under a load that never ends there is always something outstanding.
    if (!this.#marked && this.#exact !== null) this.#marked = this.#parts.nodes.settledPosition > this.#beganAt;
  }

  /** A writer has met something that has to go again. */
  troubled(): void {
    this.#recovery.troubled();
  }

  /** A link is gone. */
  lost(error: FerryError): void {
    if (this.#exact === null) this.#parts.host.lost(error);
    else this.#recovery.lost(error);
  }

  /** Sends what takes redferry's own keys off the target; false: there are none. */
  removeMarkers(): boolean {
    this.#exact?.remove();
    return this.#exact !== null;
  }

  /**
   * Those that are still there when it is answered: a slot that is open keeps them on the node that it goes to.
   * @returns false when some may be left. @throws FerryError
   */
  async removeMarkersInOpenSlots(): Promise<boolean> {
    const names = this.#exact?.leftInOpenSlots() ?? [];
    if (names.length === 0) return true;
    const { destination, nodes } = this.#parts;
    const addresses = nodes.writers.map(({ address }) => address);
    return deleteAsking(destination.endpoint, addresses, names);
  }

  stop(): void {
    this.#recovery.stop();
    this.#exact?.stop();
  }

  /** An earlier process has written a part of what comes now: its markers say which. */
  #resume(exact: ExactStream, { offset, skipUntil, db, nodeMarkers, databases, unmarked }: ShardResume): void {
    const { router } = this.#parts;
    exact.know(nodeMarkers, offset, skipUntil);
    router.database = db;
    for (const database of databases) router.databases.seen.add(database);
    if (skipUntil !== null) router.filter = new ReplayFilter(skipUntil, []);
    this.#marked = !unmarked;
  }

  /** A slot that stays open must not make the history grow without end. */
  get #parkedTooMuch(): boolean {
    const { router, host, job } = this.#parts;
    return router.parked.size > 0 && host.position - router.parked.position > job.limits.history;
  }

  /**
   * Other nodes own these slots now. To a master that is known a slot brings all that it had. Any other one may have been a
   * replica just now, and lack what its master had answered for: its markers have to be read.
   * @throws FerryError for such a node, and when one can not be reached.
   */
  async #follow(moves: readonly SlotMove[]): Promise<void> {
    const { destination, nodes, host } = this.#parts;
    for (const { slot, address } of moves) {
      const reachable = mapAddress(destination.endpoint.addressMap, address);
      const known = nodes.at(formatAddress(reachable));
      if (this.#exact !== null && (known === null || nodes.slotsOf(known).length === 0)) {
        throw new FerryError(`Slots of the target have gone to ${formatAddress(reachable)}, which had none before.`, {
          code: 'target-replaced',
          retriable: true,
        });
      }
      nodes.assign(slot, known ?? (await this.#openWriter(reachable)));
    }
    this.#exact?.wrap();
    host.once('info', 'Slots move between the nodes of the target: their commands follow them; said once.');
  }

  async #openWriter(address: SlotMove['address']): Promise<NodeWriter> {
    const { job, destination, owner, pool } = this.#parts;
    const nodeId = await askNodeId(destination.endpoint, address);
    const writer = makeWriter(job, destination, { address, nodeId, fence: false }, owner, pool);
    await writer.open();
    writer.setKind('stream');
    return writer;
  }

  async #stillOpen(slots: readonly number[]): Promise<readonly number[]> {
    const { destination, nodes } = this.#parts;
    const open = await openSlotsOf(
      destination.endpoint,
      nodes.writers.map((writer) => writer.address),
    );
    return slots.filter((slot) => open.has(slot));
  }

  async #reconnect(settled: number, unanswered: ReadonlyMap<number, readonly number[]>): Promise<ReplayPlan | string> {
    const { job, destination, nodes, router, owner, pool, host } = this.#parts;
    const { history } = host;
    const exact = this.#exact;
    if (exact === null || history === null) return 'nothing tells what the target has';
    if (!(await host.mayWrite())) {
      throw new FerryError('Whether another process has taken this shard over is not known yet.', { code: 'lease' });
    }
    const known = {
      run: job.run,
      shard: job.name,
      history,
      settled,
      db: router.databases.at(settled),
      replid: history.replid,
      earliest: host.offsetAt(host.historyStart),
      nodes: exact.knownNodes(),
      slots: exact.slots,
      asked: null,
      unanswered,
    };
    const topology = await discoverTarget(destination);
    const found = topology.shards.map(({ address, nodeId, slots }) => ({
      address,
      slots,
      writer: makeWriter(job, destination, { address, nodeId, fence: true }, owner, pool),
    }));
    const writers = found.map(({ writer }) => writer);
    try {
      await Promise.all(writers.map((writer) => writer.open()));
      const nodesNow = found.map(({ address, slots, writer }) => ({
        address,
        slots,
        nodeId: writer.nodeId,
        ...writer.identity,
      }));
      const plan = await planReplay(destination.endpoint, known, nodesNow, nodes.cluster);
      for (const writer of writers) writer.setKind('stream');
      nodes.replace(topology, writers);
      exact.follow(history.replid);
      exact.wrap();
      return plan;
    } catch (error) {
      for (const writer of writers) writer.destroy();
      throw error;
    }
  }
}

function slotsOf(ranges: readonly SlotRange[]): number[] {
  return ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
}
