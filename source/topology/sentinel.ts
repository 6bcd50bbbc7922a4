// Asks sentinels for the master of a name, and for its replicas. Sentinel commands as of Redis 5 and newer.
import type { Redis } from 'ioredis';
import { FerryError } from '../engine/errors.ts';
import { mapAddress } from './address-map.ts';
import { asking, firstAnswer } from './ask.ts';
import { openSentinel } from './control-connection.ts';
import { type Endpoint, formatAddress, type NodeAddress } from './endpoint.ts';

export interface SentinelAnswer {
  /** Reachable, after the address map. */
  readonly master: NodeAddress;
  /** As announced; those that the sentinel holds for down are left out. */
  readonly replicas: readonly NodeAddress[];
}

/** What the first sentinel that answers knows about the endpoint's master. */
export async function askSentinels(endpoint: Endpoint): Promise<SentinelAnswer> {
  return firstAnswer(endpoint.nodes, (address) =>
    asking(endpoint, address, (sentinel) => readMaster(endpoint, sentinel, address), openSentinel),
  );
}

/** For a plain address that turned out to be a sentinel: the only master it watches may be meant without its name. */
export async function askUnnamedSentinel(
  endpoint: Endpoint,
  sentinel: Redis,
  address: NodeAddress,
): Promise<SentinelAnswer> {
  const names = await masterNames(sentinel);
  if (names.length === 1) return readMaster({ ...endpoint, masterName: names[0] ?? null }, sentinel, address);
  const place = formatAddress(address);
  throw new FerryError(
    `${place} is a Sentinel that watches ${names.length} masters (${names.join(', ')}): write redis-sentinel://${place}/NAME.`,
    { code: 'topology' },
  );
}

async function readMaster(endpoint: Endpoint, sentinel: Redis, address: NodeAddress): Promise<SentinelAnswer> {
  const name = endpoint.masterName ?? '';
  const reply: unknown = await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name);
  const announced = hostAndPort(reply);
  if (announced === null) {
    const known = (await masterNames(sentinel)).join(', ');
    throw new FerryError(
      `The sentinel ${formatAddress(address)} knows no master called ${name}: it watches ${known === '' ? 'none' : known}.`,
      { code: 'topology' },
    );
  }
  return {
    master: mapAddress(endpoint.addressMap, announced),
    replicas: endpoint.preferReplica ? await readReplicas(sentinel, name) : [],
  };
}

async function masterNames(sentinel: Redis): Promise<readonly string[]> {
  return recordsOf(await sentinel.call('SENTINEL', 'MASTERS')).map((record) => record.get('name') ?? '?');
}

async function readReplicas(sentinel: Redis, name: string): Promise<readonly NodeAddress[]> {
  const found: NodeAddress[] = [];
  for (const record of recordsOf(await sentinel.call('SENTINEL', 'REPLICAS', name))) {
    const address = hostAndPort([record.get('ip'), record.get('port')]);
    const down = /s_down|o_down|disconnected/.test(record.get('flags') ?? '');
    if (address !== null && !down) found.push(address);
  }
  return found;
}

function hostAndPort(reply: unknown): NodeAddress | null {
  if (!Array.isArray(reply)) return null;
  const [host, port]: readonly unknown[] = reply;
  return typeof host === 'string' && host !== '' && Number(port) > 0 ? { host, port: Number(port) } : null;
}

/** An array of flat name and value lists. */
function recordsOf(reply: unknown): readonly ReadonlyMap<string, string>[] {
  if (!Array.isArray(reply)) return [];
  return reply.filter(Array.isArray).map((flat: readonly unknown[]) => {
    const record = new Map<string, string>();
    for (let index = 0; index + 1 < flat.length; index += 2) record.set(String(flat[index]), String(flat[index + 1]));
    return record;
  });
}
