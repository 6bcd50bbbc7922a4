// The comparison behind `redferry validate` against real servers: planted faults of every kind are found and named, nothing
// else is; it goes on where it was stopped; what changes all the time is neither equal nor different.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Command } from '../../source/validation/connection.ts';
import { type CompareSide, openSide, text } from '../../source/validation/side.ts';
import type { Validated, ValidateOptions } from '../../source/validation/validate-options.ts';
import { Validation } from '../../source/validation/validation.ts';
import { useServers as serversOfThisFile, testServer } from '../support/servers.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';
import { EQUAL_BUT_UNLIKE, PLANTED } from './planted.ts';
import { emptyStore, openCluster, openStandalone, write } from './stores.ts';

/** At rest nobody has to wait long to see that nothing changes. */
const QUICKLY = { pausesMs: [20, 60, 120], quietMs: 50 };

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

function validate(options: Partial<ValidateOptions> & Pick<ValidateOptions, 'source' | 'target'>): Promise<Validated> {
  return new Validation({ sample: null, settle: QUICKLY, ...options }).run();
}

const strings = (count: number): Command[] =>
  Array.from({ length: count }, (_, index) => ['SET', `equal:${index}`, `value ${index}`]);

const PAIRS: [string, () => CompareSide, () => CompareSide][] = [
  ['standalone to standalone', () => one, () => other],
  ['standalone to cluster', () => one, () => cluster],
  ['cluster to standalone', () => cluster, () => other],
  ['cluster to cluster', () => cluster, () => otherCluster],
];

describe.each(PAIRS)('%s', (_, getSource, getTarget) => {
  test.each(['full', 'a sample of everything'])('%s finds every planted fault, and nothing else', async (mode) => {
    const source = getSource();
    const target = getTarget();
    const own: Command = ['SET', 'redferry:run:{1}:0', 'marker'];
    await write(source, [...strings(3000), ...PLANTED.flatMap((fault) => fault.source)]);
    await write(target, [...strings(3000), own, ...PLANTED.flatMap((fault) => fault.target)]);

    const sample = mode === 'full' ? null : ({ kind: 'keys', keys: 1_000_000 } as const);
    const { result, differences } = await validate({ source, target, sample });

    const found = new Map(differences.map((difference) => [difference.key.toString(), difference]));
    expect([...found.keys()].sort()).toEqual(PLANTED.map((fault) => fault.key).sort());
    for (const fault of PLANTED) {
      const difference = found.get(fault.key);
      expect(difference?.aspects, fault.key).toEqual(fault.aspects);
      expect(difference?.detail, fault.key).toContain(fault.says);
    }
    const having = (aspect: string): number =>
      PLANTED.filter((fault) => fault.aspects.some((a) => a === aspect)).length;
    expect(result).toMatchObject({
      outcome: 'different',
      checked: 3000 + PLANTED.length,
      equal: 3000,
      different: PLANTED.length,
      missing: having('missing'),
      extra: having('extra'),
      type: having('type'),
      value: having('value'),
      ttl: having('ttl'),
      unstable: 0,
      expiring: 0,
      skipped: 0,
    });
  });

  test('equal stores are equal, however their encodings differ', async () => {
    await write(getSource(), [['SET', 'redferry:lease', 'x'], ...EQUAL_BUT_UNLIKE.flatMap((pair) => pair.source)]);
    await write(
      getTarget(),
      EQUAL_BUT_UNLIKE.flatMap((pair) => pair.target),
    );
    const { result, differences } = await validate({ source: getSource(), target: getTarget() });
    expect(differences).toEqual([]);
    expect(result).toMatchObject({
      outcome: 'equal',
      checked: EQUAL_BUT_UNLIKE.length,
      bound: { confidence: 1, keys: 0, fraction: 0 },
    });
  });
});

test('batches of small strings are compared without asking for sizes, and other keys among them are found all the same', async () => {
  const others: Command[] = Array.from({ length: 40 }, (_, index): Command[] => [
    ['HSET', `other:hash:${index}`, 'field', index],
    ['SET', `other:empty:${index}`, ''],
    ['SET', `other:big:${index}`, 'x'.repeat(70_000)],
    ['SET', `other:lasting:${index}`, 'x', 'PXAT', 4_000_000_000_000],
  ]).flat();
  const data = [...strings(20_000), ...others];
  await write(one, [...data, ['SET', 'only:source', 'x'], ['SET', 'was:string', 'x'], ['HSET', 'was:hash', 'a', 'b']]);
  await write(other, [...data, ['HSET', 'was:string', 'a', 'b'], ['SET', 'was:hash', 'x'], ['SET', 'equal:17', '']]);
  await write(other, [
    ['SET', 'equal:18', 'value 1_'],
    ['APPEND', 'other:big:3', 'x'],
    ['PEXPIREAT', 'equal:19', 4_000_000_000_000],
    ['PERSIST', 'other:lasting:5'],
  ]);
  const side = await openSide(other);
  await side.nodes[0]?.call(['CONFIG', 'RESETSTAT']);
  const { result, differences } = await validate({ source: one, target: other, keysPerSecond: null });
  expect(differences.map(({ key }) => String(key)).sort()).toEqual([
    'equal:17',
    'equal:18',
    'equal:19',
    'only:source',
    'other:big:3',
    'other:lasting:5',
    'was:hash',
    'was:string',
  ]);
  expect(result).toMatchObject({ equal: 20_000 + 160 - 5, different: 8, unstable: 0, skipped: 0 });
  for (const [, key = ''] of others) await side.nodes[0]?.call(['DEL', key]);
  const plain = await validate({ source: other, target: other });
  expect(plain.result).toMatchObject({ outcome: 'equal', equal: 20_002 });
  const stats = text((await side.nodes[0]?.call(['INFO', 'commandstats'])) ?? null);
  side.close();
  expect(Number(/^cmdstat_getrange:calls=(\d+)/m.exec(stats)?.[1])).toBeGreaterThan(1000);
});

test.each([null, { kind: 'share', share: 1 } as const])("redferry's own keys count nowhere (%j)", async (sample) => {
  const own = Array.from({ length: 300 }, (_, index): Command => ['SET', `redferry:run:${index}`, index]);
  await write(one, strings(50));
  await write(other, [...strings(50), ...own]);
  const { result } = await validate({ source: one, target: other, sample });
  expect(result).toMatchObject({ outcome: 'equal', checked: 50, extra: 0, targetChecked: 50 });
});

test("redferry's own keys on the target do not loosen the bound that was wanted", async () => {
  const own = Array.from({ length: 3000 }, (_, index): Command => ['SET', `redferry:run:${index}`, index]);
  await write(one, strings(3000));
  await write(other, [...strings(3000), ...own]);
  const sample = { kind: 'bound', fraction: 0.01, confidence: 0.95 } as const;
  const { result } = await validate({ source: one, target: other, sample });
  expect(result.outcome).toBe('equal');
  expect(result.bound.fraction).toBeLessThanOrEqual(0.01);
});

test('the verdict of a sample of equal stores gives the bound that was wanted', async () => {
  await write(one, strings(20_000));
  await write(other, strings(20_000));
  const sample = { kind: 'bound', fraction: 0.01, confidence: 0.95 } as const;
  const { result } = await validate({ source: one, target: other, sample, seed: 7 });
  expect(result.outcome).toBe('equal');
  expect(result.bound.fraction).toBeLessThanOrEqual(0.01);
  expect(result.bound.fraction).toBeGreaterThan(0.008);
  expect(result.checked).toBeGreaterThan(290);
  expect(result.checked).toBeLessThan(400);
  expect(result.verdict).toMatch(
    /^\d+ of 20,000 keys checked, all equal; with 95 % confidence at most \d+ keys \(\S+ %\) differ\.$/,
  );
  expect(result.types['string']?.fraction).toBeLessThan(0.012);
});

test('a sample finds what is common, on both sides, and bounds it from above', async () => {
  await write(cluster, strings(10_000));
  await write(otherCluster, [
    ...strings(9000),
    ...strings(500).map(([name, key]): Command => [name ?? '', `more:${key}`, 1]),
  ]);
  const sample = { kind: 'keys', keys: 400 } as const;
  const { result } = await validate({ source: cluster, target: otherCluster, sample });
  expect(result.missing).toBeGreaterThan(10);
  expect(result.extra).toBeGreaterThan(3);
  expect(result.bound.keys).toBeGreaterThanOrEqual(1500);
  expect(result.shards).toHaveLength(6);
});

test('keys of a wrong database are missing in one and extra in the other', async () => {
  await write(one, [['SET', 'k', 'v']], 2);
  await write(other, [['SET', 'k', 'v']], 5);
  const { result, differences } = await validate({ source: one, target: other });
  expect(result).toMatchObject({ checked: 2, equal: 0, missing: 1, extra: 1 });
  expect(differences.map(({ database, aspects }) => [database, ...aspects]).sort()).toEqual([
    [2, 'missing'],
    [5, 'extra'],
  ]);
  const toCluster = await validate({ source: one, target: cluster });
  expect(toCluster.result).toMatchObject({ checked: 1, missing: 1 });
  const sourceOnly = await validate({ source: one, target: other, sourceOnly: true });
  expect(sourceOnly.result).toMatchObject({ checked: 1, missing: 1, extra: 0, targetChecked: null });
});

test('expiries are compared to the millisecond, and keys about to expire are set aside', async () => {
  const at = Date.now() + 600_000;
  await write(one, [
    ['SET', 'same', 'v', 'PXAT', at],
    ['SET', 'off', 'v', 'PXAT', at],
    ['SET', 'going', 'v', 'PX', 1500],
  ]);
  await write(other, [
    ['SET', 'same', 'v', 'PXAT', at],
    ['SET', 'off', 'v', 'PXAT', at + 3],
  ]);
  expect((await validate({ source: one, target: other })).result).toMatchObject({ equal: 1, ttl: 1, expiring: 1 });
  const lenient = await validate({ source: one, target: other, toleranceMs: 5 });
  expect(lenient.result).toMatchObject({ outcome: 'equal', equal: 2, expiring: 1 });
});

test('a key that never holds still is unstable, not different', async () => {
  await write(one, [...strings(50), ['SET', 'hot', 'x']]);
  await write(other, strings(50));
  const side = await openSide(one);
  let number = 0;
  const writing = setInterval(() => void side.nodes[0]?.batch([['SET', 'hot', ++number]]).catch(() => {}), 5);
  onTestFinished(() => {
    clearInterval(writing);
    side.close();
  });
  const { result } = await validate({ source: one, target: other });
  expect(result).toMatchObject({ outcome: 'equal', equal: 50, missing: 0, unstable: 1 });
  expect(result.bound.keys).toBe(1);
  expect(result.verdict).toContain('1 kept changing');
});

test('with a barrier a difference that waits behind it is none, and what stays is confirmed by a second look', async () => {
  await write(one, [...strings(10), ['SET', 'late', 'new'], ['SET', 'wrong', 'a']]);
  await write(other, [...strings(10), ['SET', 'late', 'old'], ['SET', 'wrong', 'b']]);
  let barriers = 0;
  const settle = {
    pausesMs: [10_000],
    quietMs: 60_000,
    waitForApplied: async (offsets: ReadonlyMap<string, number>) => {
      barriers += 1;
      await write(other, [['SET', 'late', 'new']]);
      return new Set(offsets.keys());
    },
  };
  const { result, differences } = await validate({ source: one, target: other, settle });
  expect(result).toMatchObject({ equal: 11, value: 1 });
  expect(differences.map(({ key }) => String(key))).toEqual(['wrong']);
  expect(barriers).toBe(2);
});

test('what has not passed the barrier is unstable, however long it stays', async () => {
  await write(one, [...strings(10), ['SET', 'late', 'new']]);
  await write(other, [...strings(10), ['SET', 'late', 'old']]);
  const settle = { pausesMs: [20, 20], quietMs: 0, waitForApplied: async () => new Set<string>() };
  expect((await validate({ source: one, target: other, settle })).result).toMatchObject({
    outcome: 'equal',
    equal: 10,
    unstable: 1,
  });
});

test('a replica of the source may be behind for as long as it likes: its own offset is the barrier', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const proxy = await startTcpProxy(source);
  onTestFinished(() => proxy.stop());
  const sideOf = ({ host, port }: typeof source): CompareSide => ({ addresses: [{ host, port }], cluster: false });
  const replica = await openSide(sideOf(target));
  onTestFinished(() => replica.close());
  const [node] = replica.nodes;
  await node?.call(['CONFIG', 'SET', 'replica-read-only', 'no']);
  await node?.call(['REPLICAOF', proxy.host, proxy.port]);
  await waitFor(async () => text((await node?.call(['INFO', 'replication'])) ?? null).includes('link_status:up'), {
    what: 'the replica to be in step',
  });
  await node?.call(['SET', 'extra', 'x']);
  proxy.stall('down');
  await write(sideOf(source), strings(20));
  setTimeout(() => proxy.resume(), 1000);
  const settle = { pausesMs: [20, 20], quietMs: 0 };
  const { result, differences } = await validate({ source: sideOf(source), target: sideOf(target), settle });
  expect(differences.map(({ key }) => String(key))).toEqual(['extra']);
  expect(result).toMatchObject({ equal: 20, different: 1, unstable: 0 });
});

test('a full comparison goes on where it was stopped, and comes to the same', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'redferry-state-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const stateFile = join(directory, 'state.json');
  await write(one, [...strings(30_000), ['SET', 'only', 'here']]);
  await write(other, [...strings(29_990), ['SET', 'extra', 'there']]);
  const told = new Set<string>();
  let stops = 0;
  for (;;) {
    const stop = new AbortController();
    // Slow enough to be stopped half-way some times.
    const timer = setTimeout(() => stop.abort(new Error('enough')), 700);
    try {
      const { result } = await validate({
        source: one,
        target: other,
        stateFile,
        keysPerSecond: stops < 3 ? 15_000 : null,
        signal: stop.signal,
        onDifference: ({ key }) => told.add(String(key)),
      });
      expect(result).toMatchObject({ checked: 30_002, equal: 29_990, missing: 11, extra: 1, targetChecked: 29_991 });
      expect(told.size).toBe(12);
      break;
    } catch (error) {
      expect(String(error)).toContain('enough');
      expect(existsSync(stateFile)).toBe(true);
      stops += 1;
      expect(stops).toBeLessThan(20);
    } finally {
      clearTimeout(timer);
    }
  }
  expect(stops).toBeGreaterThanOrEqual(2);
  expect(existsSync(stateFile)).toBe(false);
});

test('a state of other servers is refused', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'redferry-state-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const stateFile = join(directory, 'state.json');
  await write(one, strings(5000));
  await expect(
    validate({ source: one, target: other, stateFile, keysPerSecond: 1000, signal: AbortSignal.timeout(300) }),
  ).rejects.toThrow();
  await expect(validate({ source: other, target: one, stateFile })).rejects.toThrow('can not be gone on with');
  expect((await validate({ source: one, target: other, stateFile })).result.missing).toBe(5000);
});

/** How often the nodes of a side have been sent this command since the last time it was asked. */
async function callsOf(command: string, description: CompareSide): Promise<number> {
  const side = await openSide(description);
  let calls = 0;
  for (const node of side.nodes) {
    const stats = text(await node.call(['INFO', 'commandstats']));
    calls += Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
    await node.call(['CONFIG', 'RESETSTAT']);
  }
  side.close();
  return calls;
}

test.each(PAIRS)('%s: the target is walked once, and again only when it may have own keys', async (_, from, to) => {
  const source = from();
  const target = to();
  const lists = (command: string, ...words: string[]) =>
    Array.from({ length: 20 }, (_, i): Command => [command, `list:${i}`, ...words]);
  // Not equal at first sight, and lying among the others in no order.
  const streams = Array.from({ length: 20 }, (_, i): Command => ['XADD', `stream:${i}`, '1-1', 'field', 'value']);
  const equal = [...strings(3000), ...lists('RPUSH', 'one'), ...streams];
  await write(source, [...equal, ...EQUAL_BUT_UNLIKE.flatMap((pair) => pair.source)]);
  await write(target, [...equal, ...EQUAL_BUT_UNLIKE.flatMap((pair) => pair.target), ['SET', 'redferry:own', 'x']]);
  const all = 3040 + EQUAL_BUT_UNLIKE.length;
  await callsOf('scan', target);
  expect((await validate({ source, target })).result).toMatchObject({ equal: all, targetChecked: all });
  const once = await callsOf('scan', target);
  await write(target, lists('LSET', '0', 'another'));
  const differing = { equal: all - 20, different: 20, extra: 0, targetChecked: all };
  expect((await validate({ source, target })).result).toMatchObject(differing);
  expect(await callsOf('scan', target)).toBe(once);
  await callsOf('exists', source);
  await write(target, [['SET', 'extra', 'x']]);
  expect((await validate({ source, target })).result).toMatchObject({
    different: 21,
    extra: 1,
    targetChecked: all + 1,
  });
  expect(await callsOf('scan', target)).toBeGreaterThan(once);
  // The few of its account, and those about which something was found.
  expect(await callsOf('exists', source)).toBeLessThan(300);
});

test('the rate holds it back, a pause stops it, progress is told', async () => {
  await write(one, strings(6000));
  await write(other, strings(6000));
  const seen: number[] = [];
  const validation = new Validation({
    source: one,
    target: other,
    sample: null,
    settle: QUICKLY,
    keysPerSecond: 4000,
    onProgress: ({ done, total }) => {
      seen.push(done);
      expect(total).toBe(12_000);
    },
  });
  validation.pause();
  const running = validation.run();
  setTimeout(() => validation.resume(), 1200);
  const { result } = await running;
  expect(result.outcome).toBe('equal');
  expect(result.seconds).toBeGreaterThan(3);
  expect(seen[0]).toBe(0);
  expect(seen.at(-1)).toBeGreaterThan(3000);
});

test('a side that is not there is named', async () => {
  const nowhere: CompareSide = { addresses: [{ host: '127.0.0.1', port: 1 }], cluster: false };
  await expect(validate({ source: one, target: nowhere })).rejects.toThrow('127.0.0.1:1');
});
