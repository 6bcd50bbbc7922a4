// Valkey from 8.1 on can be told that an import is under way: in import-mode it removes no key whose time has come, hides it
// from all clients but the import's own, and removes it when the mode is left. Then expiries of keys need not be held. The
// mode is for the whole server: it is confirmed by reading it back, and left at the end by the last run that needs it. A key
// of ours says who turned it on, so that a later run turns off what a killed one has left.
import type { Redis } from 'ioredis';
import { slotTag } from '../../protocol/slot.ts';
import { mapAddress } from '../../topology/address-map.ts';
import { openControl } from '../../topology/control-connection.ts';
import { discoverTopology } from '../../topology/discover.ts';
import { type Endpoint, formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import { ServerInfo } from '../../topology/server-info.ts';
import type { ServerVersion, Topology } from '../../topology/topology.ts';
import { messageOf } from '../errors.ts';
import { runsAt } from '../run/runs-at-target.ts';
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
  /** Masters that were in the mode before, by nobody of ours: they are left so. */
  readonly #foreign = new Set<string>();
  readonly #entered: NodeAddress[] = [];

  constructor(run: string, target: Endpoint, fields: ExpiryCare) {
    this.#run = run;
    this.#target = target;
    this.#fields = fields;
  }

  /**
   * Replicas enter it too: one that is promoted would else remove keys before our connections come to it (seen on 8.1).
   * @returns whether all nodes are in the mode; where one refuses, none stays in it. Never rejects.
   */
  async enter(topology: Topology, tell: Tell): Promise<boolean> {
    try {
      for (const { address, slots } of topology.shards) {
        const marker = markerOf(slots[0]?.first ?? null);
        this.#entered.push(address);
        const replicas = await this.#at(address, async (node) => {
          await this.#enterMaster(node, address, marker, tell);
          return this.#replicasOf(node);
        });
        if (this.#foreign.has(formatAddress(address))) continue;
        for (const replica of replicas) {
          this.#entered.push(replica);
          await this.#at(replica, (node) => turnOn(node));
        }
      }
    } catch (error) {
      tell('info', `The target does not let us use its import-mode (${messageOf(error)}): expiries are held instead.`);
      await this.#leave(topology, () => {});
      return false;
    }
    tell('info', 'The target is in import-mode while the run lasts: it removes no key by itself.');
    return true;
  }

  /** Nothing is entered: only what runs before have left is to be ended by `release`. @throws when a node can not be asked. */
  async takeOver(topology: Topology, tell: Tell): Promise<void> {
    for (const { address, slots } of topology.shards) {
      const marker = markerOf(slots[0]?.first ?? null);
      const on = await this.#at(address, (node) => this.#isOnAlready(node, address, marker, tell));
      if (on && !this.#foreign.has(formatAddress(address))) this.#entered.push(address);
    }
  }

  async release(stopped: () => boolean, tell: Tell): Promise<string | null> {
    // Nodes that have become masters since are in the mode too.
    const topology = await discoverTopology(this.#target).catch(() => null);
    return (await this.#leave(topology, tell)) ?? this.#fields.release(stopped, tell);
  }

  async #enterMaster(node: Redis, address: NodeAddress, marker: string, tell: Tell): Promise<void> {
    if (await this.#isOnAlready(node, address, marker, tell)) return;
    // Before the mode: killed between the two we leave a key, and not a server that never expires anything.
    await node.set(marker, this.#run);
    await turnOn(node);
    // The writers' connections will need it: better refused here, where expiries can be held instead.
    await node.call('CLIENT', 'IMPORT-SOURCE', 'ON');
    await node.call('CLIENT', 'IMPORT-SOURCE', 'OFF');
  }

  async #isOnAlready(node: Redis, address: NodeAddress, marker: string, tell: Tell): Promise<boolean> {
    if (!(await isOn(node))) return false;
    const name = formatAddress(address);
    const owner = await node.get(marker);
    if (owner === null) {
      this.#foreign.add(name);
      tell('warn', `${name} was in import-mode already, and stays so when this run ends.`);
    } else if ((await runsAt(node, this.#run)).length === 0) {
      tell('warn', `${name} was left in import-mode by run ${owner}; it is turned off when this run ends.`);
    }
    return true;
  }

  /** @returns what remains to be done by a person, or null. */
  async #leave(topology: Topology | null, tell: Tell): Promise<string | null> {
    const failures: string[] = [];
    const seen = new Set<string>();
    let shared = false;
    for (const { address } of topology?.shards ?? []) {
      const name = formatAddress(address);
      seen.add(name);
      try {
        const { isShared, replicas } = await this.#at(address, (node) => this.#leaveMaster(node, name, topology));
        shared ||= isShared;
        for (const replica of replicas) {
          seen.add(formatAddress(replica));
          if (!isShared && !this.#foreign.has(name)) await this.#at(replica, turnOff);
        }
      } catch (error) {
        failures.push(`${name} (${messageOf(error)})`);
      }
    }
    for (const address of this.#entered.filter((entered) => !seen.has(formatAddress(entered)))) {
      await this.#at(address, turnOff).catch((error: unknown) => {
        const problem = `${formatAddress(address)} (${messageOf(error)})`;
        if (topology === null) failures.push(problem);
        else tell('warn', `${problem} is not of the target any more, and may still be in import-mode.`);
      });
    }
    if (failures.length > 0)
      return `Import-mode could not be turned off at ${failures.join(', ')}: until CONFIG SET import-mode no is sent there, nothing expires.`;
    if (shared) tell('info', 'Another run still writes to the target: it is taken out of import-mode when that ends.');
    else if (this.#entered.length > 0) tell('info', 'The target is not in import-mode any more.');
    return null;
  }

  async #leaveMaster(
    node: Redis,
    name: string,
    topology: Topology | null,
  ): Promise<{ readonly isShared: boolean; readonly replicas: readonly NodeAddress[] }> {
    const replicas = await this.#replicasOf(node);
    const on = await isOn(node);
    if (this.#foreign.has(name)) return { isShared: false, replicas };
    // Another run's data is still on its way: the last one turns it off.
    if (on && (await runsAt(node, this.#run)).length > 0) return { isShared: true, replicas };
    await turnOff(node);
    for (const marker of markersOf(topology)) {
      // Of a cluster's only those of this node's slots are here.
      const owner = await node.get(marker).catch(() => null);
      if (owner !== null && (on || owner === this.#run)) await node.del(marker);
    }
    return { isShared: false, replicas };
  }

  async #replicasOf(node: Redis): Promise<readonly NodeAddress[]> {
    const replicas = new ServerInfo(await node.info('replication')).replicas();
    return replicas.map((replica) => mapAddress(this.#target.addressMap, replica));
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

async function turnOn(node: Redis): Promise<void> {
  await node.config('SET', 'import-mode', 'yes');
  if (!(await isOn(node))) throw new Error('a node says OK and stays out of it');
}

async function turnOff(node: Redis): Promise<void> {
  if (!(await isOn(node))) return;
  await node.config('SET', 'import-mode', 'no');
  if (await isOn(node)) throw new Error('a node says OK and stays in it');
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
