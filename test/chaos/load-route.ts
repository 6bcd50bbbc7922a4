// Connections of the load to the source's nodes, which change their roles, die and come back meanwhile: a node's
// connection is opened when it is needed, one batch at a time goes over it, and one that broke or is silent is forgotten.
import type { NodeAddress } from '../../source/topology/endpoint.ts';
import { type Command, Connection } from '../../source/validation/connection.ts';
import { keySlot } from '../../source/validation/key-slot.ts';
import { type Reply, ReplyError } from '../../source/validation/resp-reader.ts';
import { list, text } from '../../source/validation/side.ts';

/** A node that is stopped must not hold the others up: afterwards its connection is given up, and the batch with it. */
const ANSWER_MS = 2000;
/** Between two looks at who owns which slot. */
const LOOK_AGAIN_MS = 200;
const SLOT_RANGE_FIELDS = 3;

export class LoadRoute {
  readonly #nodes: readonly NodeAddress[];
  readonly #cluster: boolean;
  readonly #connections = new Map<string, Connection>();
  readonly #busy = new Set<string>();
  #owners: (string | undefined)[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking = false;

  /** @param nodes all that may ever own a slot, replicas too; of a standalone the one server. */
  constructor(nodes: readonly NodeAddress[], cluster: boolean) {
    this.#nodes = nodes;
    this.#cluster = cluster;
  }

  /** host:port of the key's node; null while nobody is known for it. */
  nodeOf(key: string): string | null {
    if (!this.#cluster) return this.#nodes[0] === undefined ? null : name(this.#nodes[0]);
    return this.#owners[keySlot(Buffer.from(key))] ?? null;
  }

  /** Whether a batch is under way there. */
  busy(node: string): boolean {
    return this.#busy.has(node);
  }

  /** The replies; rejects when the node is silent or gone, and then nobody knows what of it took effect. */
  async send(node: string, commands: readonly Command[], database: number): Promise<Reply[]> {
    this.#busy.add(node);
    try {
      const connection = this.#connections.get(node) ?? (await this.#open(node));
      return await within(ANSWER_MS, connection.batch(commands, database));
    } catch (error) {
      this.#connections.get(node)?.close();
      this.#connections.delete(node);
      throw error;
    } finally {
      this.#busy.delete(node);
    }
  }

  /** Asks the nodes in turn who owns the slots, at most five times a second; never rejects. */
  async look(): Promise<void> {
    if (!this.#cluster || this.#looking || performance.now() - this.#lookedAt < LOOK_AGAIN_MS) return;
    this.#looking = true;
    try {
      for (const address of this.#nodes) if (await this.#lookAt(address)) break;
    } finally {
      this.#lookedAt = performance.now();
      this.#looking = false;
    }
  }

  /** What a node said with MOVED. */
  moved(slot: number, node: string): void {
    this.#owners[slot] = node;
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }

  async #open(node: string): Promise<Connection> {
    const at = node.lastIndexOf(':');
    const opening = Connection.open({ host: node.slice(0, at), port: Number(node.slice(at + 1)) });
    const connection = await within(ANSWER_MS, opening);
    this.#connections.set(node, connection);
    return connection;
  }

  /** A node that is cut off knows less than the others: only one whose cluster is whole is believed. */
  async #lookAt(address: NodeAddress): Promise<boolean> {
    let connection: Connection | null = null;
    try {
      connection = await within(ANSWER_MS, Connection.open(address));
      const [state, ranges] = await within(
        ANSWER_MS,
        connection.batch([
          ['CLUSTER', 'INFO'],
          ['CLUSTER', 'SLOTS'],
        ]),
      );
      if (!text(state ?? null).includes('cluster_state:ok')) return false;
      const owners: string[] = [];
      for (const range of list(ranges ?? null)) readRange(list(range), owners);
      this.#owners = owners;
      return true;
    } catch {
      return false;
    } finally {
      connection?.close();
    }
  }
}

function readRange(range: readonly Reply[], owners: string[]): void {
  const [first, last, master] = range;
  if (range.length < SLOT_RANGE_FIELDS || typeof first !== 'number' || typeof last !== 'number') return;
  const [host, port] = list(master ?? null);
  for (let slot = first; slot <= last; slot++) owners[slot] = `${text(host ?? null)}:${text(port ?? null)}`;
}

function name({ host, port }: NodeAddress): string {
  return `${host}:${port}`;
}

function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Where an error reply sends a command: `MOVED 3999 127.0.0.1:6381`, `ASK ...`; null for any other. */
export function redirection(reply: Reply | undefined): { ask: boolean; slot: number; node: string } | null {
  if (!(reply instanceof ReplyError)) return null;
  const [, word, slot, node] = /^(MOVED|ASK) (\d+) (\S+)$/.exec(reply.message) ?? [];
  return node === undefined ? null : { ask: word === 'ASK', slot: Number(slot), node };
}
