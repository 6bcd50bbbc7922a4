// Moves slots between masters of a real cluster as `redis-cli --cluster reshard` does, and writes to it meanwhile.
import { Cluster, Redis } from 'ioredis';
import type { Place } from './migration.ts';

export class SlotMover {
  readonly #clients = new Map<number, Redis>();

  at({ host, port }: Place): Redis {
    const known = this.#clients.get(port);
    if (known !== undefined) return known;
    const redis = new Redis({ host, port });
    this.#clients.set(port, redis);
    return redis;
  }

  /** @param all every master, which are told of the new owner. */
  async move(slot: number, from: Place, to: Place, all: readonly Place[]): Promise<void> {
    await this.open(slot, from, to);
    await this.assign(slot, from, to, all);
  }

  /** The first half of it: the keys are there, and the slot has not changed hands yet. */
  async open(slot: number, from: Place, to: Place): Promise<void> {
    const [source, target] = [this.at(from), this.at(to)];
    const [fromId, toId] = [await source.call('CLUSTER', 'MYID'), await target.call('CLUSTER', 'MYID')].map(String);
    await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId ?? '');
    await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId ?? '');
    for (;;) {
      const keys = await source.callBuffer('CLUSTER', 'GETKEYSINSLOT', slot, 100);
      if (!Array.isArray(keys) || keys.length === 0) break;
      await source.callBuffer('MIGRATE', to.host, to.port, '', 0, 5000, 'KEYS', ...(keys as Buffer[]));
    }
  }

  /** The second half. */
  async assign(slot: number, from: Place, to: Place, all: readonly Place[]): Promise<void> {
    const toId = String(await this.at(to).call('CLUSTER', 'MYID'));
    for (const node of [to, from, ...all]) {
      try {
        await this.at(node).call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
      } catch (error) {
        // It has lost its last slot, and follows the new owner already.
        if (!/only with masters/.test(String(error))) throw error;
      }
    }
  }

  close(): void {
    for (const client of this.#clients.values()) client.disconnect();
  }
}

export interface SlotLoad {
  readonly commands: number;
  stop(): Promise<void>;
}

const TICK_MS = 20;

/**
 * Writes about 2,000 commands a second whose doubled or lost effect shows, over a thousand keys of each kind.
 * @param first a node of the cluster.
 */
export function writeToSlots(first: Place): SlotLoad {
  const cluster = new Cluster([first], { redisOptions: { maxRetriesPerRequest: 3, commandTimeout: 5000 } });
  let commands = 0;
  let stopped = false;
  const pending = new Set<Promise<unknown>>();
  const send = (promise: Promise<unknown>): void => {
    commands++;
    // A slot that is open refuses commands with several keys for a while; nothing took effect then.
    const settled = promise.catch(() => {}).finally(() => pending.delete(settled));
    pending.add(settled);
  };
  const timer = setInterval(() => {
    if (pending.size > 2000) return;
    for (let i = 0; i < 6; i++) {
      const n = Math.floor(Math.random() * 1000);
      send(cluster.incr(`counter:${n}`));
      send(cluster.append(`text:${n}`, 'x'));
      send(cluster.rpush(`list:${n}`, `${commands}`));
      send(cluster.hincrby(`hash:{${n}}`, 'field', 3));
      send(n % 3 === 0 ? cluster.del(`list:${n}`) : cluster.sadd(`set:${n}`, `${commands % 7}`));
      send(cluster.rename(`hash:{${n}}`, `hash:{${n}}:${commands % 2}`));
      send(n % 2 === 0 ? cluster.pexpire(`text:${n}`, 3_600_000) : cluster.persist(`text:${n}`));
    }
  }, TICK_MS);
  return {
    get commands() {
      return commands;
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      clearInterval(timer);
      await Promise.all(pending);
      cluster.disconnect();
    },
  };
}
