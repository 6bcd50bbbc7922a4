// The comparer against real servers: every planted fault is found and named, nothing else is, and equal stores whose
// bytes differ count as equal. Standalone to standalone, standalone to cluster, cluster to cluster.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Command } from '../../source/validation/connection.ts';
import { compareAll } from '../../source/validation/full-compare.ts';
import type { CompareSide } from '../../source/validation/side.ts';
import { useServers as serversOfThisFile } from '../support/servers.ts';
import { EQUAL_BUT_UNLIKE, PLANTED } from './planted.ts';
import { emptyStore, openCluster, openStandalone, write } from './stores.ts';

const servers = serversOfThisFile();
let one: CompareSide;
let other: CompareSide;
let cluster: CompareSide;
let otherCluster: CompareSide;

beforeAll(async () => {
  [one, other, cluster, otherCluster] = await Promise.all([
    openStandalone(servers),
    openStandalone(servers),
    openCluster(servers),
    openCluster(servers),
  ]);
});

beforeEach(async () => {
  for (const store of [one, other, cluster, otherCluster]) await emptyStore(store);
});

const PAIRS: [string, () => CompareSide, () => CompareSide][] = [
  ['standalone to standalone', () => one, () => other],
  ['standalone to cluster', () => one, () => cluster],
  ['cluster to cluster', () => cluster, () => otherCluster],
];

describe.each(PAIRS)('%s', (_, getSource, getTarget) => {
  test('every planted fault is found, with all its aspects, and nothing else', async () => {
    const source = getSource();
    const target = getTarget();
    const equal: Command[] = Array.from({ length: 3000 }, (_value, index) => ['SET', `equal:${index}`, index]);
    await write(source, [...equal, ...PLANTED.flatMap((fault) => fault.source)]);
    await write(target, [...equal, ...PLANTED.flatMap((fault) => fault.target)]);

    const report = await compareAll({ source, target });

    const found = new Map(report.differences.map((difference) => [difference.key.toString(), difference]));
    expect([...found.keys()].sort()).toEqual(PLANTED.map((fault) => fault.key).sort());
    for (const fault of PLANTED) {
      const difference = found.get(fault.key);
      expect(difference?.aspects, fault.key).toEqual(fault.aspects);
      expect(difference?.detail, fault.key).toContain(fault.says);
    }
    const having = (aspect: string): number =>
      PLANTED.filter((fault) => fault.aspects.some((a) => a === aspect)).length;
    expect(report).toMatchObject({
      checked: 3000 + PLANTED.length,
      equal: 3000,
      missing: having('missing'),
      extra: having('extra'),
      type: having('type'),
      value: having('value'),
      ttl: having('ttl'),
      expiring: 0,
    });
  });

  test('equal stores are equal, however their encodings differ', async () => {
    const source = getSource();
    const target = getTarget();
    await write(source, [['SET', 'redferry:lease', 'ours'], ...EQUAL_BUT_UNLIKE.flatMap((pair) => pair.source)]);
    await write(
      target,
      EQUAL_BUT_UNLIKE.flatMap((pair) => pair.target),
    );

    const report = await compareAll({ source, target });

    expect(report.differences).toEqual([]);
    expect(report).toMatchObject({ checked: EQUAL_BUT_UNLIKE.length, equal: EQUAL_BUT_UNLIKE.length });
  });
});

test('a key in the wrong database is missing in one and extra in the other', async () => {
  await write(one, [['SET', 'k', 'v']], 2);
  await write(other, [['SET', 'k', 'v']], 5);
  const report = await compareAll({ source: one, target: other });
  expect(report).toMatchObject({ checked: 2, equal: 0, missing: 1, extra: 1 });
  expect(report.differences.map((difference) => [difference.database, ...difference.aspects])).toEqual([
    [2, 'missing'],
    [5, 'extra'],
  ]);
});

test('databases that a cluster cannot have are missing there, and seen from the other side extra', async () => {
  await write(one, [['SET', 'k', 'v']], 3);
  expect(await compareAll({ source: one, target: cluster })).toMatchObject({ checked: 1, missing: 1 });
  expect(await compareAll({ source: cluster, target: one })).toMatchObject({ checked: 1, extra: 1 });
});

test('keys about to expire are neither equal nor different', async () => {
  await write(one, [
    ['SET', 'going', 'v', 'PX', 1500],
    ['SET', 'stays', 'v', 'PX', 600_000],
  ]);
  const report = await compareAll({ source: one, target: other });
  expect(report).toMatchObject({ checked: 2, equal: 0, expiring: 1, missing: 1 });
});

test("a group's entries-read is a note by default and a difference when asked for", async () => {
  const made: Command[] = [
    ['XADD', 's', '1-1', 'a', 'b'],
    ['XGROUP', 'CREATE', 's', 'g', '1-1', 'ENTRIESREAD', 1],
  ];
  await write(one, made);
  await write(other, [...made, ['XGROUP', 'SETID', 's', 'g', '1-1', 'ENTRIESREAD', 5]]);
  const lenient = await compareAll({ source: one, target: other });
  expect(lenient).toMatchObject({ equal: 1, value: 0 });
  expect(lenient.notes.join()).toContain('entries-read');
  const strict = await compareAll({ source: one, target: other, entriesRead: true });
  expect(strict).toMatchObject({ equal: 0, value: 1 });
});

test('a stream and its pending entries beyond one window are compared to the end', async () => {
  const entries: Command[] = Array.from({ length: 3000 }, (_value, i) => [
    'XADD',
    's',
    `${i + 1}-1`,
    'n',
    'x'.repeat(600),
  ]);
  const made: Command[] = [
    ...entries,
    ['XGROUP', 'CREATE', 's', 'g', '3000-1'],
    ...Array.from({ length: 1200 }, (_value, i): Command => {
      return [
        'XCLAIM',
        's',
        'g',
        'c',
        '0',
        `${i + 1}-1`,
        'TIME',
        '1700000000000',
        'RETRYCOUNT',
        '1',
        'FORCE',
        'JUSTID',
      ];
    }),
  ];
  await write(one, made);
  await write(other, made);
  expect(await compareAll({ source: one, target: other })).toMatchObject({ equal: 1 });
  const again = (deliveries: string): Command[] => [
    ['XCLAIM', 's', 'g', 'c', '0', '1199-1', 'TIME', '1700000000000', 'RETRYCOUNT', deliveries, 'JUSTID'],
  ];
  await write(other, again('2'));
  const report = await compareAll({ source: one, target: other });
  expect(report).toMatchObject({ equal: 0, value: 1 });
  expect(report.differences[0]?.detail).toContain('1199-1 c 1');
});

test('all differences are counted, the first of them kept', async () => {
  await write(
    one,
    Array.from({ length: 30 }, (_value, index): Command => ['SET', `k${index}`, 'v']),
  );
  const report = await compareAll({ source: one, target: other, maxDifferences: 5 });
  expect(report.missing).toBe(30);
  expect(report.differences).toHaveLength(5);
});

test('an aborted comparison throws, and an address without a server is named', async () => {
  await write(one, [['SET', 'k', 'v']]);
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(compareAll({ source: one, target: other, signal })).rejects.toThrow('enough');
  const nowhere: CompareSide = { addresses: [{ host: '127.0.0.1', port: 1 }], cluster: false };
  await expect(compareAll({ source: one, target: nowhere })).rejects.toThrow('127.0.0.1:1');
});
