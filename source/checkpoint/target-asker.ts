// Questions to a target's masters, wherever they are now: a key's owner is found anew when it has moved or is gone.
import type { Redis } from 'ioredis';
import { messageOf } from '../engine/errors.ts';
import { slotOf } from '../protocol/slot.ts';
import { callAsking, readAsk } from '../topology/ask-redirection.ts';
import { openControl } from '../topology/control-connection.ts';
import { discoverTopology } from '../topology/discover.ts';
import { type Endpoint, formatAddress, type NodeAddress } from '../topology/endpoint.ts';
import type { Topology, TopologyShard } from '../topology/topology.ts';
import type { AskedNode } from './node-request.ts';

/** Replies after which another node is to be asked. */
const ELSEWHERE = /^(MOVED|READONLY|CLUSTERDOWN|MASTERDOWN|LOADING)/;

export class TargetAsker {
  readonly #endpoint: Endpoint;
  readonly #connections = new Map<string, Promise<Redis>>();
  #topology: Topology;

  /** @param topology as it was found at last. */
  constructor(endpoint: Endpoint, topology: Topology) {
    this.#endpoint = endpoint;
    this.#topology = topology;
  }

  /** The node that has the key's slot, at the time of each question. */
  home(key: string): AskedNode {
    const owner = (): TopologyShard => ownerOf(this.#topology, key);
    return {
      get address() {
        return formatAddress(owner().address);
      },
      request: async (args) => {
        try {
          return await this.#ask(owner().address, args);
        } catch (thrown) {
          const taking = readAsk(this.#endpoint, messageOf(thrown));
          if (taking !== null) return this.#ask(taking, args, true);
          if (isAnswer(thrown) && !ELSEWHERE.test(messageOf(thrown))) throw thrown;
          this.#topology = await discoverTopology(this.#endpoint);
          return this.#ask(owner().address, args);
        }
      },
    };
  }

  /** All masters that are known. */
  get nodes(): readonly AskedNode[] {
    return this.#topology.shards.map(({ address }) => ({
      address: formatAddress(address),
      request: (args) => this.#ask(address, args),
    }));
  }

  close(): void {
    for (const connection of this.#connections.values()) {
      void connection.then((open) => open.disconnect()).catch(() => {});
    }
    this.#connections.clear();
  }

  /** @param asking the node is taking the key's slot over. */
  async #ask(address: NodeAddress, question: readonly string[], asking = false): Promise<unknown> {
    const [command = '', ...args] = question;
    const name = formatAddress(address);
    let opening = this.#connections.get(name);
    if (opening === undefined) {
      opening = openControl(this.#endpoint, address, 'redferry:lease');
      this.#connections.set(name, opening);
    }
    try {
      const connection = await opening;
      return await (asking ? callAsking(connection, question) : connection.call(command, ...args));
    } catch (thrown) {
      if (!isAnswer(thrown)) {
        // The link is gone; the next question gets another.
        this.#connections.delete(name);
        void opening.then((open) => open.disconnect()).catch(() => {});
      }
      throw thrown;
    }
  }
}

function ownerOf({ kind, shards }: Topology, key: string): TopologyShard {
  const bytes = Buffer.from(key);
  const slot = kind === 'cluster' ? slotOf(bytes, 0, bytes.length) : null;
  const owner = shards.find(
    ({ slots }) => slot === null || slots.some(({ first, last }) => first <= slot && slot <= last),
  );
  if (owner === undefined) throw new Error(`no master of the target has the slot of ${key}`);
  return owner;
}

/** The server's own words, not a failure of the link. */
function isAnswer(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'ReplyError';
}
