// Valkey from 8.1 on can be told that an import is under way: in import-mode it removes no key whose time has come, hides it
// from all clients but the import's own, and removes it when the mode is left. Then expiries of keys need not be held. The
// mode is for the whole server: it is confirmed by reading it back, and left at the end by the last run that needs it. A key
// of ours says who turned it on, so that a later run turns off what a killed one has left.
import type { Redis } from 'ioredis';
import { slotTag } from '../protocol/slot.ts';
import { openControl } from '../topology/control-connection.ts';
import { discoverTopology } from '../topology/discover.ts';
import { type Endpoint, formatAddress, type NodeAddress } from '../topology/endpoint.ts';
import type { ServerVersion, Topology } from '../topology/topology.ts';
import { messageOf } from './errors.ts';
import type { ExpiryCare, Tell } from './expiry-care.ts';

/** Valkey 8.1 and newer. */
export function hasImportMode({ product, major, minor }: ServerVersion): boolean {
  return product === 'Valkey' && (major > 8 || (major === 8 && minor >= 1));
}

export class ImportMode implements ExpiryCare {
  readonly #run: string;
  readonly #target: Endpoint;
  /** What is done about the fields of hashes, which the mode does not cover (seen on Valkey 9.0). */
  readonly #fields: ExpiryCare;
  /** Nodes that were in the mode before, by nobody of ours: they are left so. */
  readonly #foreign = new Set<string>();
  readonly #entered: NodeAddress[] = [];

  constructor(run: string, target: Endpoint, fields: ExpiryCare) {
    this.#run = run;
    this.#target = target;
    this.#fields = fields;
  }

  /** @returns whether all nodes are in the mode; where one refuses, none stays in it. Never rejects. */
  async enter(topology: Topology, tell: Tell): Promise<boolean> {
    try {
      for (const { address, slots } of topology.shards) {
        const first = slots[0]?.first ?? null;
        this.#entered.push(address);
        await this.#at(address, (node) => this.#enterNode(node, address, markerOf(first), tell));
      }
    } catch (error) {
      tell('info', `The target does not let us use its import-mode (${messageOf(error)}): expiries are held instead.`);
      await this.#leaveAll(this.#entered, topology, () => {});
      return false;
    }
    tell('info', 'The target is in import-mode while the run lasts: it removes no key by itself.');
    return true;
  }

  async release(stopped: () => boolean, tell: Tell): Promise<string | null> {
    // Nodes that have become masters since are in the mode too: our connections saw to that.
    const topology = await discoverTopology(this.#target).catch(() => null);
    const now = topology?.shards.map(({ address }) => address) ?? [];
    const all = new Map([...this.#entered, ...now].map((address) => [formatAddress(address), address]));
    const left = await this.#leaveAll([...all.values()], topology, tell);
    return left ?? this.#fields.release(stopped, tell);
  }

  async #enterNode(node: Redis, address: NodeAddress, marker: string, tell: Tell): Promise<void> {
    if (await isOn(node)) {
      const owner = await node.get(marker);
      const others = await otherRuns(node, this.#run);
      if (owner === null) {
        this.#foreign.add(formatAddress(address));
        tell('warn', `${formatAddress(address)} was in import-mode already, and stays so when this run ends.`);
      } else if (others === 0) {
        tell(
          'warn',
          `${formatAddress(address)} was left in import-mode by run ${owner}; it is turned off when this run ends.`,
        );
      }
      return;
    }
    // Before the mode: killed between the two we leave a key, and not a server that never expires anything.
    await node.set(marker, this.#run);
    await node.config('SET', 'import-mode', 'yes');
    if (!(await isOn(node))) throw new Error(`${formatAddress(address)} says OK and stays as it was`);
  }

  /** @returns what remains to be done by a person, or null. */
  async #leaveAll(addresses: readonly NodeAddress[], topology: Topology | null, tell: Tell): Promise<string | null> {
    const failures: string[] = [];
    for (const address of addresses) {
      const name = formatAddress(address);
      if (this.#foreign.has(name)) continue;
      try {
        await this.#at(address, (node) => this.#leaveNode(node, topology));
      } catch (error) {
        failures.push(`${name} (${messageOf(error)})`);
      }
    }
    if (failures.length === 0) {
      if (this.#entered.length > 0) tell('info', 'The target is not in import-mode any more.');
      return null;
    }
    return `Import-mode could not be turned off at ${failures.join(', ')}: until CONFIG SET import-mode no is sent there, nothing expires.`;
  }

  async #leaveNode(node: Redis, topology: Topology | null): Promise<void> {
    const on = await isOn(node);
    // Another run's data is still on its way: the last one turns it off.
    if (on && (await otherRuns(node, this.#run)) > 0) return;
    if (on) {
      await node.config('SET', 'import-mode', 'no');
      if (await isOn(node)) throw new Error('it says OK and stays as it was');
    }
    for (const marker of markersOf(topology)) {
      // Of a cluster's only those of this node's slots are here.
      const owner = await node.get(marker).catch(() => null);
      if (owner !== null && (on || owner === this.#run)) await node.del(marker);
    }
  }

  async #at<T>(address: NodeAddress, work: (node: Redis) => Promise<T>): Promise<T> {
    const node = await openControl(this.#target, address, `redferry:${this.#run}:import-mode`);
    try {
      return await work(node);
    } finally {
      node.disconnect();
    }
  }
}

/** In redferry's own names; in a cluster on the node of that slot. */
function markerOf(slot: number | null): string {
  return slot === null ? 'redferry:import-mode' : `redferry:{${slotTag(slot)}}:import-mode`;
}

function markersOf(topology: Topology | null): readonly string[] {
  return (topology?.shards ?? []).map(({ slots }) => markerOf(slots[0]?.first ?? null));
}

async function isOn(node: Redis): Promise<boolean> {
  const [, value] = (await node.config('GET', 'import-mode')) as string[];
  return value === 'yes';
}

/** Runs other than this one with connections for data here, by their names (redferry:<run>:<shard>:<node>). */
async function otherRuns(node: Redis, run: string): Promise<number> {
  const list = String(await node.client('LIST'));
  const names = [...list.matchAll(/ name=redferry:([^: ]+):shard-/g)].map(([, name]) => name);
  return new Set(names.filter((name) => name !== run)).size;
}
