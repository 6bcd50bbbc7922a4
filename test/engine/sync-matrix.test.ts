// The four kinds of way, each with data of every type and live writes of every command family during the full sync.
import { describe, expect, it } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import { compare, endpointOf, migrate, type Place } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';

const KEYS = 20_000;
const RATE = 2_000;
const SEED = 7;

interface Side {
  readonly nodes: readonly Place[];
  readonly cluster: boolean;
}

async function side(cluster: boolean, masters = 3): Promise<Side> {
  return cluster
    ? { nodes: (await testCluster({ masters })).masters, cluster }
    : { nodes: [await testServer()], cluster };
}

async function moveUnderLoad(starting: Promise<Side>, other: Promise<Side>): Promise<void> {
  const [source, target] = await Promise.all([starting, other]);
  const databases = source.cluster || target.cluster ? [0] : [0, 3, 9];
  const sample = { keys: KEYS, cluster: source.cluster, seed: SEED, databases };
  await fillSample(source.nodes, sample);
  const load = await startLoad(source.nodes, { ...sample, ratePerSecond: RATE });
  const [from, to] = [source.nodes[0], target.nodes[0]];
  if (from === undefined || to === undefined) throw new Error('a side has no node');
  const migration = migrate(endpointOf(from), endpointOf(to));
  await migration.streaming();
  const before = load.stats().commands;
  await expect.poll(() => load.stats().commands, { timeout: 20_000 }).toBeGreaterThan(before + RATE);
  const stats = await load.stop();
  expect(stats.errors, stats.lastError ?? '').toBe(0);
  await migration.caughtUp();
  const report = await compare(source.nodes, target.nodes, {
    sourceCluster: source.cluster,
    targetCluster: target.cluster,
  });
  const result = await migration.stop();
  expect(result.refusals.slice(0, 5)).toEqual([]);
  expect(report.differences.slice(0, 5)).toEqual([]);
  expect(report.checked).toBeGreaterThan(KEYS / 2);
  expect(result.outcome).toBe('completed');
  expect(result.exitCode).toBe(0);
}

describe('a full sync under live writes ends with equal data', () => {
  it('standalone to standalone, three databases', async () => {
    await moveUnderLoad(side(false), side(false));
  });
  it('standalone to cluster', async () => {
    await moveUnderLoad(side(false), side(true));
  });
  it('cluster to standalone', async () => {
    await moveUnderLoad(side(true), side(false));
  });
  it('cluster to cluster', async () => {
    await moveUnderLoad(side(true), side(true));
  });
  it('five shards to three', async () => {
    await moveUnderLoad(side(true, 5), side(true, 3));
  });
  it('two shards to six', async () => {
    await moveUnderLoad(side(true, 2), side(true, 6));
  });
});
