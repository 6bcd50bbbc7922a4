// The demo's data and its live load on real servers: every type and encoding is there, nothing is refused, and the same
// seed gives the same data.

import { beforeAll, describe, expect, test } from 'vitest';
import { fillSample, sampleKey } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import { compareAll } from '../../source/validation/full-compare.ts';
import { type CompareSide, count, list, openSide, text } from '../../source/validation/side.ts';
import { useServers as serversOfThisFile } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { openCluster, openStandalone } from '../validation/stores.ts';

const servers = serversOfThisFile();
let standalone: CompareSide;
let cluster: CompareSide;

beforeAll(async () => {
  [standalone, cluster] = await Promise.all([openStandalone(servers), openCluster(servers)]);
});

/** How many keys there are of each type and encoding, and with an expiry; a tenth of the keys is enough. */
async function census(store: CompareSide): Promise<Map<string, number>> {
  const side = await openSide(store);
  const found = new Map<string, number>();
  const seen = (name: string): void => void found.set(name, (found.get(name) ?? 0) + 1);
  for (const node of side.nodes) {
    for (const database of (await side.databases()).keys()) {
      let cursor = '0';
      do {
        const [next, keys] = list(await node.call(['SCAN', cursor, 'COUNT', 500], database));
        cursor = text(next ?? null);
        const names = list(keys ?? null).map((key) => Buffer.from(text(key), 'latin1'));
        const types = await node.batch(
          names.map((name) => ['TYPE', name]),
          database,
        );
        const encodings = await node.batch(
          names.map((name) => ['OBJECT', 'ENCODING', name]),
          database,
        );
        const expiries = await node.batch(
          names.map((name) => ['PTTL', name]),
          database,
        );
        for (const index of names.keys()) {
          seen(`${text(types[index] ?? null)} ${text(encodings[index] ?? null)}`);
          seen(Number(expiries[index]) > 0 ? 'expiring' : 'lasting');
          seen(`database ${database}`);
        }
      } while (cursor !== '0');
    }
  }
  side.close();
  return found;
}

async function countKeys(store: CompareSide): Promise<number> {
  const side = await openSide(store);
  let keys = 0;
  for (const found of (await side.databases()).values()) keys += found;
  side.close();
  return keys;
}

// As 7.0 names them; later versions have more.
const ENCODINGS = [
  'string int',
  'string embstr',
  'string raw',
  'list quicklist',
  'set intset',
  'set hashtable',
  'hash listpack',
  'hash hashtable',
  'zset listpack',
  'zset skiplist',
  'stream stream',
];

describe.each([
  ['standalone', () => standalone],
  ['cluster', () => cluster],
])('%s', (_, getStore) => {
  test('the sample holds every type and encoding, and the load is never refused', async () => {
    const store = getStore();
    const { addresses, cluster: isCluster } = store;
    const options = { keys: 8000, cluster: isCluster, seed: 5, databases: [0, 3, 9] };
    const progress: number[] = [];
    const filled = await fillSample(addresses, options, (done) => progress.push(done));
    expect(filled.keys).toBe(8000);
    expect(progress.at(-1)).toBe(8000);

    const found = await census(store);
    for (const encoding of ENCODINGS) expect(found.get(encoding), encoding).toBeGreaterThan(0);
    const expiring = found.get('expiring') ?? 0;
    expect(expiring / (expiring + (found.get('lasting') ?? 0))).toBeCloseTo(0.2, 1);
    // Not counted by the census: SCAN may give a key twice.
    expect(await countKeys(store)).toBe(8000);
    expect(found.has('database 9')).toBe(!isCluster);

    const load = await startLoad(addresses, { ...options, ratePerSecond: 8000, seed: 11, sampleSeed: 5 });
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const stats = await load.stop();
    expect(stats.lastError).toBeNull();
    expect(stats.errors).toBe(0);
    expect(stats.commands).toBeGreaterThan(15_000);
    // Every operation this server knows has had its turn.
    expect(stats.operations.size).toBeGreaterThan(95);
    expect(stats.operations.get('eval')).toBeGreaterThan(0);
  });
});

test('the same seed gives the same names and another one others', () => {
  const options = { keys: 10, cluster: true, seed: 5 };
  expect(sampleKey(4, options)).toEqual(sampleKey(4, options));
  const names = (seed: number): string =>
    Array.from({ length: 50 }, (_, i) => sampleKey(i, { ...options, seed })).join();
  expect(names(5)).not.toBe(names(6));
});

test('filled twice with one seed, two stores differ in nothing but times', async () => {
  const again = await openStandalone(servers);
  const side = await openSide(standalone);
  await side.nodes[0]?.call(['FLUSHALL']);
  side.close();
  const options = { keys: 3000, cluster: false, seed: 9 };
  await fillSample(standalone.addresses, options);
  await fillSample(again.addresses, options);
  const report = await compareAll({
    source: standalone,
    target: again,
    toleranceMs: 60_000,
    maxDifferences: 5000,
  });
  expect(report).toMatchObject({ checked: 3000, missing: 0, extra: 0, type: 0, ttl: 0 });
  // Pending entries carry the time of their delivery; nothing else may differ.
  expect(report.differences.filter((difference) => !difference.detail.includes('pending entry'))).toEqual([]);
});

test('what the load writes, a native replica has too, and the comparer says so', async () => {
  const source = await openStandalone(servers);
  const [master] = source.addresses;
  const replica = await openStandalone(servers, ['--replicaof', `${master?.host} ${master?.port}`]);
  const options = { keys: 3000, cluster: false, seed: 9, databases: [0, 1] };
  await fillSample(source.addresses, options);
  const load = await startLoad(source.addresses, { ...options, ratePerSecond: 5000, seed: 3, sampleSeed: 9 });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await load.stop();
  await waitFor(async () => (await replicated(source)) >= 1, { what: 'the replica to have everything' });
  const report = await compareAll({ source, target: replica });
  expect(report.differences).toEqual([]);
  expect(report.checked).toBeGreaterThan(3000);
  expect(report.equal + report.expiring).toBe(report.checked);
});

/** How many replicas have confirmed all that was written before. */
async function replicated(store: CompareSide): Promise<number> {
  const side = await openSide(store);
  try {
    // WAIT speaks of this connection's own writes, so it makes one.
    const [, confirmed] =
      (await side.nodes[0]?.batch([
        ['SET', 'redferry:nothing', ''],
        ['WAIT', 1, 1000],
      ])) ?? [];
    return count(confirmed);
  } finally {
    side.close();
  }
}
