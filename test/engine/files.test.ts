// Whole runs from and to files, each proven by a server that holds the data at the end.
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseFileAddress } from '../../source/config/address.ts';
import type { FilePlace } from '../../source/config/place.ts';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import type { EngineResult } from '../../source/engine/contract/result.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate, TEST_LIMITS } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { writeTypedData } from '../support/typed-data.ts';
import { waitFor } from '../support/wait.ts';

const STANDALONE = { sourceCluster: false, targetCluster: false };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'redferry-files-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function file(address: string, more: Partial<FilePlace> = {}): FilePlace {
  const parsed = parseFileAddress(address);
  if (parsed === null) throw new Error(`${address} names no file`);
  return { ...parsed, untilMs: null, overwrite: false, rdbVersion: null, ...more };
}

const completed = { message: null, outcome: 'completed', exitCode: 0, refused: 0 };

async function sync(
  source: Parameters<typeof migrate>[0],
  target: Parameters<typeof migrate>[1],
  more: Parameters<typeof migrate>[2] = {},
): Promise<EngineResult> {
  return migrate(source, target, more).engine.ended;
}

describe('a snapshot goes through a file and is the same', () => {
  for (const format of ['rdb', 'jsonl', 'aof'] as const) {
    for (const valueInMemory of [TEST_LIMITS.valueInMemory, 8192]) {
      it(`${format}, values above ${valueInMemory} bytes in pieces`, async () => {
        const [source, target] = await Promise.all([testServer(), testServer()]);
        await writeTypedData(source, { elements: 8000 });
        await client(source).select(3);
        await client(source).set('other', 'database');
        const limits = { ...TEST_LIMITS, valueInMemory };
        const path = join(folder(), `dump.${format}`);
        const written = await sync(endpointOf(source), file(`${format}:${path}`), { limits, snapshotOnly: true });
        expect(written).toMatchObject(completed);
        expect(existsSync(`${path}.part`)).toBe(false);
        const read = await sync(file(`${format}:${path}`), endpointOf(target), { limits });
        expect(read).toMatchObject({ ...completed, keys: written.keys });
        expect((await compare([source], [target], STANDALONE)).differences).toEqual([]);
      });
    }
  }
});

it('an AOF takes the stream until the run is stopped, and a server starts with it', async () => {
  const source = await testServer();
  const sample = { keys: 3000, cluster: false, seed: 5, databases: [0, 2] };
  await fillSample([source], sample);
  const path = join(folder(), 'appendonly.aof');
  const run = migrate(endpointOf(source), file(`aof:${path}`));
  await run.streaming();
  const load = await startLoad([source], { ...sample, ratePerSecond: 2000 });
  await waitFor(() => load.stats().commands > 4000, { deadlineMs: 30_000, what: '4000 writes' });
  await load.stop();
  await run.caughtUp();
  expect(await run.stop()).toMatchObject(completed);
  const target = await testServer();
  expect(await sync(file(`aof:${path}`), endpointOf(target))).toMatchObject(completed);
  expect((await compare([source], [target], STANDALONE)).differences).toEqual([]);
});

describe('files as source', () => {
  it('several RDB files, plain and compressed, are a shard each', async () => {
    const directory = folder();
    const cluster = await testCluster({ masters: 3 });
    await fillSample(cluster.masters, { keys: 3000, cluster: true, seed: 9, databases: [0] });
    const [entry] = cluster.masters;
    if (entry === undefined) throw new Error('the cluster has no master');
    const written = await sync(endpointOf(entry), file(`rdb:${directory}/part.rdb`), { snapshotOnly: true });
    expect(written).toMatchObject(completed);
    const last = join(directory, 'part-2.rdb');
    writeFileSync(`${last}.gz`, gzipSync(readFileSync(last)));
    rmSync(last);
    const target = await testServer();
    const read = await sync(file(`rdb:${directory}/part-*`), endpointOf(target));
    expect(read).toMatchObject({ ...completed, keys: written.keys });
    expect(read.shards.map(({ address }) => address)).toEqual(['part-0.rdb', 'part-1.rdb', 'part-2.rdb.gz']);
    const report = await compare(cluster.masters, [target], { sourceCluster: true, targetCluster: false });
    expect(report.differences).toEqual([]);
  });

  it('one that is cut gives what stands before, and fails with its place', async () => {
    const source = await testServer();
    await fillSample([source], { keys: 2000, cluster: false, seed: 3, databases: [0] });
    const path = join(folder(), 'dump.rdb');
    await sync(endpointOf(source), file(`rdb:${path}`), { snapshotOnly: true });
    const half = Math.floor(readFileSync(path).length / 2);
    truncateSync(path, half);
    const target = await testServer();
    const result = await sync(file(`rdb:${path}`), endpointOf(target));
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 1 });
    expect(result.message).toContain(`dump.rdb ends in the middle, at byte ${half}`);
    const keys = await client(target).dbsize();
    expect(keys).toBeGreaterThan(100);
    expect(result.keys).toBe(keys);
  });

  it('an AOF that ends inside a transaction gives all before it, with a word about it', async () => {
    const path = join(folder(), 'appendonly.aof');
    const commands = '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n';
    writeFileSync(path, commands);
    const target = await testServer();
    const run = migrate(file(`aof:${path}`), endpointOf(target));
    expect(await run.engine.ended).toMatchObject(completed);
    expect(await client(target).get('a')).toBe('1');
    expect(run.notices.map(({ message }) => message).join('\n')).toContain('inside a transaction');
  });

  it('an AOF is read up to the stop time', async () => {
    const path = join(folder(), 'appendonly.aof');
    const set = (value: number): string => `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n${value}\r\n`;
    writeFileSync(path, `#TS:1700000000\r\n${set(1)}#TS:1700000100\r\n${set(2)}`);
    const target = await testServer();
    const result = await sync(file(`aof:${path}`, { untilMs: 1_700_000_050_000 }), endpointOf(target));
    expect(result).toMatchObject(completed);
    expect(await client(target).get('k')).toBe('1');
  });
});

describe('what can not be is told before anything is written', () => {
  it('commands into an RDB', async () => {
    const directory = folder();
    writeFileSync(join(directory, 'a.aof'), '*1\r\n$4\r\nPING\r\n');
    const result = await sync(file(`aof:${directory}/a.aof`), file(`rdb:${directory}/b.rdb`));
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 2 });
    expect(result.message).toContain('can not take the commands of an AOF');
  });

  it('a file that is there', async () => {
    const source = await testServer();
    const path = join(folder(), 'dump.rdb');
    writeFileSync(path, 'mine');
    const result = await sync(endpointOf(source), file(`rdb:${path}`), { snapshotOnly: true });
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 1 });
    expect(readFileSync(path, 'utf8')).toBe('mine');
    const again = await sync(endpointOf(source), file(`rdb:${path}`, { overwrite: true }), { snapshotOnly: true });
    expect(again).toMatchObject(completed);
  });

  it('a file that is none of its kind', async () => {
    const target = await testServer();
    const path = join(folder(), 'dump.rdb');
    writeFileSync(path, 'not an rdb at all');
    const result = await sync(file(`rdb:${path}`), endpointOf(target));
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 2 });
    expect(result.message).toContain('instead of REDIS or VALKEY');
  });
});
