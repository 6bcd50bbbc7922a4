// notify-keyspace-events on the source's nodes, as long as a run changes it: what is missing is added, and at the end each
// node gets back what it had. What was changed is written down first, so that a later run finds what a killed one left.
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makePrivateFolder, writeDurably } from '../../checkpoint/durable-file.ts';
import { isGone, thisProcess } from '../../checkpoint/process-identity.ts';
import { stateRoot } from '../../checkpoint/state-directory.ts';
import { sufficientFlags } from '../../readers/scan/keyspace-flags.ts';
import { openControl } from '../../topology/control-connection.ts';
import { type Endpoint, formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import type { CommandOutcome } from '../contract/command.ts';
import type { NoticeLevel } from '../contract/notice.ts';
import { messageOf } from '../errors.ts';

export interface KeyspaceNode {
  readonly shard: number;
  readonly address: NodeAddress;
}

export interface KeyspaceOrder {
  readonly run: string;
  readonly endpoint: Endpoint;
  /** Of the shards at the beginning. */
  readonly nodes: readonly KeyspaceNode[];
  /** What is missing is added without being asked for. */
  readonly sets: boolean;
  /** Where is written down what was changed. */
  readonly folder: string;
  /** The nodes get back what they had. */
  readonly restores: boolean;
}

type Tell = (level: NoticeLevel, message: string) => void;

const recordSchema = z.object({
  v: z.literal(1),
  run: z.string(),
  address: z.string(),
  /** What the node had before, and what it was set to. */
  before: z.string(),
  set: z.string(),
  process: z.object({ host: z.string(), place: z.string(), pid: z.int(), started: z.string() }),
});
type KeyspaceRecord = Readonly<z.infer<typeof recordSchema>>;

const NAME = 'notify-keyspace-events';
const shown = (flags: string): string => (flags === '' ? '(empty)' : flags);

export class KeyspaceSettings {
  readonly #order: KeyspaceOrder;
  #nodes: readonly KeyspaceNode[];
  /** By address: what a node is to get back. */
  readonly #changed = new Map<string, { readonly node: KeyspaceNode; readonly before: string; readonly set: string }>();

  constructor(order: KeyspaceOrder) {
    this.#order = order;
    this.#nodes = order.nodes;
  }

  /** Says what a killed run has left on these nodes, and takes it over: it is put back at the end of this one. */
  async takeLeftovers(tell: Tell): Promise<void> {
    const own = await thisProcess();
    for (const node of this.#nodes) {
      const address = formatAddress(node.address);
      const record = await this.#read(address);
      if (record === null || !(await isGone(record.process, own))) continue;
      const now = await this.#get(node).catch(() => null);
      if (now !== record.set) {
        await this.#forget(address);
        continue;
      }
      tell(
        'warn',
        `The run ${record.run} was killed before it put back ${NAME} of ${address}: it is ${shown(now)} and was ${shown(record.before)}. This run puts it back at its end.`,
      );
      this.#changed.set(address, { node, before: record.before, set: record.set });
    }
  }

  /** Where what is missing is added without being asked for: adds it. @returns one sentence; null elsewhere. */
  async begin(): Promise<CommandOutcome | null> {
    return this.#order.sets ? this.enable(this.#nodes.map(({ shard }) => shard)) : null;
  }

  /** Adds to the setting of these shards' nodes what is missing. @returns one sentence with old and new values. */
  async enable(shards: readonly number[]): Promise<CommandOutcome> {
    return this.#onEach(shards, async (node, address) => {
      const before = await this.#get(node);
      const set = sufficientFlags(before);
      if (set === before) return `${address} has ${shown(before)} already`;
      const known = this.#changed.get(address);
      // What it had before the first change is what it gets back.
      const first = known?.before ?? before;
      await this.#write({ address, before: first, set });
      const now = await this.#set(node, set);
      this.#changed.set(address, { node, before: first, set: now });
      await this.#write({ address, before: first, set: now });
      return `${address}: ${shown(before)} -> ${shown(now)}`;
    });
  }

  /**
   * That node is the shard's from now on. The setting does not travel with a failover: it is made here too where it was made
   * on the node before. @returns one sentence with old and new value; null when there was nothing to do.
   */
  async follow(shard: number, address: NodeAddress): Promise<CommandOutcome | null> {
    const former = this.#nodes.find((node) => node.shard === shard);
    if (former !== undefined && formatAddress(former.address) === formatAddress(address)) return null;
    this.#nodes = [...this.#nodes.filter((node) => node !== former), { shard, address }];
    const wasSet = former !== undefined && this.#changed.has(formatAddress(former.address));
    return this.#order.sets || wasSet ? this.enable([shard]) : null;
  }

  /** Gives the nodes of these shards back what they had. */
  async disable(shards: readonly number[]): Promise<CommandOutcome> {
    return this.#onEach(
      shards,
      async (node, address) => (await this.#putBack(node, address)) ?? `${address} was not changed`,
    );
  }

  /** The run ends: every node gets back what it had, unless told otherwise. Never rejects. */
  async release(tell: Tell): Promise<void> {
    for (const [address, { node, before, set }] of [...this.#changed]) {
      if (!this.#order.restores) {
        await this.#forget(address);
        tell(
          'info',
          `${NAME} of ${address} stays ${shown(set)}, as source.scan.restoreEvents says; it was ${shown(before)}.`,
        );
        continue;
      }
      try {
        const sentence = await this.#putBack(node, address);
        if (sentence !== null) tell('info', `${NAME} was put back: ${sentence}.`);
      } catch (error) {
        tell(
          'error',
          `${NAME} of ${address} could not be put back (${messageOf(error)}): run CONFIG SET ${NAME} "${before}" there.`,
        );
      }
    }
  }

  async #putBack(node: KeyspaceNode, address: string): Promise<string | null> {
    const changed = this.#changed.get(address);
    if (changed === undefined) return null;
    const now = await this.#get(node);
    if (now !== changed.set) {
      this.#changed.delete(address);
      await this.#forget(address);
      return `${address} was set to ${shown(now)} by somebody else and is left so`;
    }
    await this.#set(node, changed.before);
    this.#changed.delete(address);
    await this.#forget(address);
    return `${address}: ${shown(now)} -> ${shown(changed.before)}`;
  }

  async #onEach(
    shards: readonly number[],
    act: (node: KeyspaceNode, address: string) => Promise<string>,
  ): Promise<CommandOutcome> {
    const nodes = this.#nodes.filter(({ shard }) => shards.includes(shard));
    if (nodes.length === 0) return { accepted: false, message: 'There is no such shard.' };
    const sentences: string[] = [];
    let accepted = true;
    for (const node of nodes) {
      const address = formatAddress(node.address);
      try {
        sentences.push(await act(node, address));
      } catch (error) {
        accepted = false;
        sentences.push(
          `${address} refuses (${messageOf(error)}): set it in its console or redis.conf, as docs/scan.md says for the known services`,
        );
      }
    }
    return { accepted, message: `${NAME}: ${sentences.join('; ')}.` };
  }

  async #get(node: KeyspaceNode): Promise<string> {
    const connection = await openControl(this.#order.endpoint, node.address, 'redferry:keyspace-events');
    try {
      const reply: unknown = await connection.config('GET', NAME);
      return Array.isArray(reply) ? String(reply[1] ?? '') : '';
    } finally {
      connection.disconnect();
    }
  }

  /** @returns the setting as the server writes it. */
  async #set(node: KeyspaceNode, flags: string): Promise<string> {
    const connection = await openControl(this.#order.endpoint, node.address, 'redferry:keyspace-events');
    try {
      await connection.config('SET', NAME, flags);
    } finally {
      connection.disconnect();
    }
    return this.#get(node);
  }

  async #write(change: Pick<KeyspaceRecord, 'address' | 'before' | 'set'>): Promise<void> {
    await makePrivateFolder(this.#order.folder);
    const record: KeyspaceRecord = { v: 1, run: this.#order.run, ...change, process: await thisProcess() };
    await writeDurably(this.#path(change.address), JSON.stringify(record));
  }

  async #read(address: string): Promise<KeyspaceRecord | null> {
    try {
      const parsed = recordSchema.safeParse(JSON.parse(await readFile(this.#path(address), 'utf8')));
      return parsed.success && parsed.data.address === address ? parsed.data : null;
    } catch {
      return null;
    }
  }

  #forget(address: string): Promise<void> {
    return rm(this.#path(address), { force: true });
  }

  #path(address: string): string {
    return join(this.#order.folder, `${createHash('sha256').update(address).digest('hex').slice(0, 16)}.json`);
  }
}

/** Where it is written down what was changed on whose source. */
export function keyspaceFolder(environment: Readonly<Record<string, string | undefined>>, home: string): string {
  return join(stateRoot(environment, home), 'keyspace-events');
}
