// Asks the target's nodes once a second how they are, for the automatic throttle: how long a PING takes, how full they are,
// how busy. Fields: INFO of Redis 5.0 to 8.0 and Valkey 7.2 to 9.
import type { Redis } from 'ioredis';
import { openControl } from '../../topology/control-connection.ts';
import { type Endpoint, formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import type { TargetReading } from '../rate/target-strain.ts';
import type { Throttle } from '../rate/throttle.ts';
import { steadyMs } from '../steady-clock.ts';
import type { RunPlan } from './run-plan.ts';

const PROBE_MS = 1000;
/** The middle of these counts: one may have waited for this process itself. */
const PINGS = 3;

export class TargetProbe {
  readonly #nodes: readonly NodeProbe[];
  readonly #onReadings: (readings: readonly TargetReading[]) => void;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  /** @param onReadings gets what those nodes said that answered. */
  constructor(
    endpoint: Endpoint,
    addresses: readonly NodeAddress[],
    onReadings: (readings: readonly TargetReading[]) => void,
  ) {
    this.#nodes = addresses.map((address) => new NodeProbe(endpoint, address));
    this.#onReadings = onReadings;
  }

  start(): void {
    void this.#round();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const node of this.#nodes) node.close();
  }

  async #round(): Promise<void> {
    const readings = await Promise.all(this.#nodes.map((node) => node.read()));
    if (this.#stopped) return;
    this.#onReadings(readings.filter((reading) => reading !== null));
    this.#timer = setTimeout(() => void this.#round(), PROBE_MS);
  }
}

/** A probe of the plan's target for the throttle; null where nothing of it is limited, or the target is a file. */
export function strainProbe({ jobs }: RunPlan, throttle: Throttle): TargetProbe | null {
  const destination = jobs[0]?.job.destination;
  if (destination?.kind !== 'server' || !throttle.strain.isConfigured) return null;
  const addresses = destination.topology.shards.map(({ address }) => address);
  return new TargetProbe(destination.endpoint, addresses, (readings) => throttle.look(readings));
}

class NodeProbe {
  readonly #endpoint: Endpoint;
  readonly #address: NodeAddress;
  #connection: Redis | null = null;
  #cpu: { readonly seconds: number; readonly atMs: number } | null = null;
  #isClosed = false;

  constructor(endpoint: Endpoint, address: NodeAddress) {
    this.#endpoint = endpoint;
    this.#address = address;
  }

  close(): void {
    this.#isClosed = true;
    this.#connection?.disconnect();
  }

  /** null when the node does not answer: its writers tell what is wrong with it. */
  async read(): Promise<TargetReading | null> {
    try {
      this.#connection ??= await openControl(this.#endpoint, this.#address, 'redferry:strain');
      if (this.#isClosed) {
        this.#connection.disconnect();
        return null;
      }
      const latencyMs = await latencyOf(this.#connection);
      const info = await this.#connection.info('memory', 'cpu').catch(() => this.#connection?.info() ?? '');
      const { memoryPercent, cpuSeconds } = parseStrain(info);
      const cpuPercent = this.#cpuPercent(cpuSeconds, steadyMs());
      return { node: formatAddress(this.#address), latencyMs, memoryPercent, cpuPercent };
    } catch {
      this.#connection?.disconnect();
      this.#connection = null;
      this.#cpu = null;
      return null;
    }
  }

  /** Between this look and the one before. */
  #cpuPercent(seconds: number | null, atMs: number): number | null {
    const before = this.#cpu;
    this.#cpu = seconds === null ? null : { seconds, atMs };
    if (seconds === null || before === null || atMs <= before.atMs) return null;
    return ((seconds - before.seconds) / ((atMs - before.atMs) / 1000)) * 100;
  }
}

async function latencyOf(connection: Redis): Promise<number> {
  const times: number[] = [];
  for (let ping = 0; ping < PINGS; ping++) {
    const sentAtMs = steadyMs();
    await connection.ping();
    times.push(steadyMs() - sentAtMs);
  }
  return times.sort((a, b) => a - b)[Math.floor(PINGS / 2)] ?? 0;
}

/** Reads the fields out of INFO's text. */
export function parseStrain(info: string): { memoryPercent: number | null; cpuSeconds: number | null } {
  const number = (name: string): number | null => {
    const value = new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1];
    return value === undefined ? null : Number(value);
  };
  const used = number('used_memory');
  const limit = number('maxmemory') || number('total_system_memory');
  const system = number('used_cpu_sys');
  const user = number('used_cpu_user');
  return {
    memoryPercent: used === null || !limit ? null : (used / limit) * 100,
    cpuSeconds: system === null || user === null ? null : system + user,
  };
}
