// Follows the slots of a source cluster that move between its masters while the run goes on. A slot changes hands in this
// order: its old node no longer owns it and has no key of it left; the old pipeline has applied its stream up to where
// that was so; only then does the new pipeline copy the slot's keys and let their commands pass. Late commands of the one
// can so never meet newer values of the other. Masters that join become shards of the run, those that leave are finished.
import type { Endpoint, NodeAddress } from '../../topology/endpoint.ts';
import { formatSlots, normalizeSlots } from '../../topology/slots.ts';
import { SLOT_COUNT, type SlotRange } from '../../topology/topology.ts';
import type { NoticeLevel } from '../contract/notice.ts';
import type { ShardJob, ToWorker } from './shard-job.ts';
import { ShardMasters } from './shard-masters.ts';
import type { ShardRecord } from './shard-record.ts';
import { SourceNodes, type SourceView } from './source-nodes.ts';

export interface WatchHost {
  readonly records: readonly ShardRecord[];
  send(message: ToWorker & { readonly shard: number }): void;
  /** A master that was not there before: a new shard of the run. */
  join(node: { readonly address: NodeAddress; readonly nodeId: string }): ShardRecord;
  notice(level: NoticeLevel, shard: string | null, message: string): void;
}

/** A slot whose old node has let go of it, and where that was in the old node's stream. */
interface Handover {
  readonly from: number;
  readonly to: number;
  readonly offset: number;
  readonly replid: string;
}

const POLL_MS = 1000;
/** No shard of this run. */
const NOBODY = -1;

export class SourceWatch {
  readonly #host: WatchHost;
  readonly #endpoint: Endpoint;
  readonly #nodes: SourceNodes;
  /** By slot: the shard that carries it. */
  readonly #carriers = new Int16Array(SLOT_COUNT).fill(NOBODY);
  /** By slot: the shard whose node owns it, as last seen. */
  readonly #owners = new Int16Array(SLOT_COUNT).fill(NOBODY);
  readonly #masters = new ShardMasters();
  readonly #handovers = new Map<number, Handover>();
  /** By slot: the shard that is copying it. */
  readonly #taking = new Map<number, number>();
  /** Slots whose copying was cut off, by shard. */
  #again: { readonly shard: number; readonly slots: readonly number[] }[] = [];
  readonly #leaving = new Set<number>();
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  /** @param endpoint of the source. */
  constructor(endpoint: Endpoint, host: WatchHost) {
    this.#endpoint = endpoint;
    this.#host = host;
    this.#nodes = new SourceNodes(endpoint);
    for (const { job, slots } of host.records) {
      if (job.origin.kind === 'server' && job.origin.nodeId !== null) {
        this.#masters.set(job.id, job.origin.nodeId, job.origin.replicaIds);
      }
      for (const { first, last } of slots) {
        this.#carriers.fill(job.id, first, last + 1);
        this.#owners.fill(job.id, first, last + 1);
      }
    }
  }

  start(): void {
    this.#timer = setTimeout(() => void this.#poll(), POLL_MS);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#nodes.close();
  }

  /** A shard has copied these slots, or could not. */
  taken(shard: number, slots: readonly number[], done: boolean): void {
    if (!done) {
      this.#again.push({ shard, slots });
      return;
    }
    for (const slot of slots) if (this.#taking.get(slot) === shard) this.#taking.delete(slot);
    this.#host.notice('info', this.#record(shard)?.job.name ?? null, `${count(slots)} carried by this shard now.`);
  }

  /** The job of a shard that begins anew, with the slots that it carries; those that it was copying follow. */
  carried(job: ShardJob): ShardJob {
    if (job.origin.kind === 'file') return job;
    const taking = [...this.#taking].filter(([, shard]) => shard === job.id).map(([slot]) => slot);
    if (taking.length > 0) this.#again.push({ shard: job.id, slots: taking });
    const slots = this.#carriedBy(job.id, (slot) => !this.#taking.has(slot));
    return { ...job, origin: { ...job.origin, slots } };
  }

  async #poll(): Promise<void> {
    const view = await this.#nodes.view(this.#addresses());
    if (this.#stopped) return;
    if (view !== null) {
      this.#masters.follow(view);
      this.#welcome(view);
      this.#see(view);
      await this.#measure(view);
      if (this.#stopped) return;
      this.#retire(view);
    }
    this.#handOver();
    this.#takeAgain();
    for (const record of this.#host.records) record.slotsArriving = this.#arriving(record.job.id);
    this.start();
  }

  #addresses(): readonly NodeAddress[] {
    const working = this.#host.records.filter(({ final }) => !final).flatMap(({ node }) => node ?? []);
    return [...working, ...this.#endpoint.nodes];
  }

  #welcome(view: SourceView): void {
    for (const node of this.#masters.newcomers(view)) {
      const record = this.#host.join({ address: this.#nodes.addressOf(node), nodeId: node.id });
      this.#masters.set(record.job.id, node.id);
      this.#host.notice(
        'info',
        record.job.name,
        `A master has joined the source: it is ${record.job.name} of this run.`,
      );
    }
  }

  #see({ owners }: SourceView): void {
    const shardOf = this.#masters.shards();
    for (const { id, slots } of owners) {
      const shard = shardOf.get(id) ?? NOBODY;
      for (const { first, last } of slots) this.#owners.fill(shard, first, last + 1);
    }
  }

  /** Asks the nodes that slots have left up to where their streams may still tell of them. */
  async #measure({ nodes }: SourceView): Promise<void> {
    const moved = new Map<number, number[]>();
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const from = this.#carriers[slot] as number;
      const handover = this.#handovers.get(slot);
      if (handover !== undefined && handover.to !== this.#owners[slot]) this.#handovers.delete(slot);
      if (from === this.#owners[slot] || this.#handovers.has(slot)) continue;
      if (this.#taking.has(slot)) continue;
      const list = moved.get(from);
      if (list === undefined) moved.set(from, [slot]);
      else list.push(slot);
    }
    for (const [from, slots] of moved) {
      const record = this.#record(from);
      if (record === null || record.final) {
        for (const slot of slots) this.#begin(slot, from, 0, '');
        continue;
      }
      const node = nodes.find(({ id }) => id === this.#masters.nodeIdOf(from));
      if (node?.role !== 'master') continue;
      const letGo = await this.#nodes.letGo(node, slots);
      for (const slot of letGo?.slots ?? []) this.#begin(slot, from, letGo?.offset ?? 0, letGo?.replid ?? '');
    }
  }

  #begin(slot: number, from: number, offset: number, replid: string): void {
    this.#handovers.set(slot, { from, to: this.#owners[slot] as number, offset, replid });
  }

  /** Slots whose old pipeline has applied everything that its node had to tell of them. */
  #handOver(): void {
    const ready = new Map<string, { from: number; to: number; sweep: boolean; slots: number[] }>();
    for (const [slot, { from, to, offset, replid }] of this.#handovers) {
      const record = this.#record(from);
      const gone = record === null || record.final;
      if (!gone && record.replid !== replid) {
        // It has begun another history since: measured anew.
        this.#handovers.delete(slot);
        continue;
      }
      if (!gone && (record.appliedOffset ?? -1) < offset) continue;
      this.#handovers.delete(slot);
      const key = `${from} ${to}`;
      const group = ready.get(key) ?? { from, to, sweep: gone || deletesUnsaid(record), slots: [] };
      group.slots.push(slot);
      ready.set(key, group);
    }
    for (const group of ready.values()) this.#move(group.from, group.to, group.slots, group.sweep);
  }

  #move(from: number, to: number, slots: readonly number[], sweep: boolean): void {
    for (const slot of slots) this.#carriers[slot] = to;
    for (const shard of [from, to]) this.#record(shard)?.carry(this.#carriedBy(shard));
    if (this.#record(from)?.final === false) this.#host.send({ type: 'lose-slots', shard: from, slots });
    const [name, other] = [this.#record(from)?.job.name ?? 'another master', this.#record(to)?.job.name ?? null];
    if (other === null) {
      this.#host.notice(
        'warn',
        this.#record(from)?.job.name ?? null,
        `${count(slots)} with a master that this run does not copy from now: what is written there does not reach the target.`,
      );
      return;
    }
    this.#host.notice('info', other, `${count(slots)} on the way from ${name} to ${other}, as they are on the source.`);
    for (const slot of slots) this.#taking.set(slot, to);
    this.#host.send({ type: 'take-slots', shard: to, slots, sweep });
  }

  /** What was cut off by a new full sync of the shard: the target may have a part of it. */
  #takeAgain(): void {
    const again = this.#again;
    this.#again = [];
    for (const { shard, slots } of again) {
      if (this.#record(shard)?.final === false) this.#host.send({ type: 'take-slots', shard, slots, sweep: true });
    }
  }

  /** A master that has left the cluster, or has become a replica of another: its stream is applied to its end. */
  #retire(view: SourceView): void {
    for (const record of this.#host.records) {
      const { id, name } = record.job;
      if (record.final || this.#leaving.has(id) || this.#masters.isMaster(id, view)) continue;
      this.#leaving.add(id);
      this.#host.notice('info', name, 'Its master owns no slots of the source any more: the shard is finished.');
      record.leave();
      this.#host.send({ type: 'leave', shard: id });
    }
  }

  #arriving(shard: number): number {
    let arriving = 0;
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const underWay = this.#carriers[slot] !== shard || this.#taking.get(slot) === shard;
      if (this.#owners[slot] === shard && underWay) arriving++;
    }
    return arriving;
  }

  #carriedBy(shard: number, but: (slot: number) => boolean = () => true): readonly SlotRange[] {
    const slots: SlotRange[] = [];
    this.#carriers.forEach((carrier, slot) => {
      if (carrier === shard && but(slot)) slots.push({ first: slot, last: slot });
    });
    return normalizeSlots(slots);
  }

  #record(shard: number): ShardRecord | null {
    return this.#host.records.find(({ job }) => job.id === shard) ?? null;
  }
}

/** Redis 8.4 moves slots as a whole, and its old node forgets their keys without a DEL for each in its stream. */
function deletesUnsaid({ job }: ShardRecord): boolean {
  if (job.origin.kind === 'file') return false;
  const { product, major, minor } = job.origin.version;
  return product === 'Redis' && (major > 8 || (major === 8 && minor >= 4));
}

/** `3 slots (5-7) are` */
function count(slots: readonly number[]): string {
  const text = formatSlots(normalizeSlots(slots.map((slot) => ({ first: slot, last: slot }))));
  const which = text.length > 60 ? `${text.slice(0, 60)}...` : text;
  return slots.length === 1 ? `Slot ${which} is` : `${slots.length} slots (${which}) are`;
}
