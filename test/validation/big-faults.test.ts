// Faults in long values among many equal keys, at rest and under 10,000 writes a second, in full mode: all found, no false
// alarm, memory bounded. Replication is the copy; its target is written to afterwards. Small by default; the long
// form takes a million equal keys and values of a million elements, from each version to the next (some minutes).
import { expect, onTestFinished, test } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import type { Command, Connection } from '../../source/validation/connection.ts';
import { type CompareSide, openSide, text } from '../../source/validation/side.ts';
import { Validation } from '../../source/validation/validation.ts';
import { LONG, shortOrLong } from '../support/long.ts';
import { SERVER_KINDS, type ServerKind } from '../support/other-servers.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const EQUAL = shortOrLong(20_000, 1_000_000);
const ELEMENTS = EQUAL;
const BATCH = 1000;
const LIVE_KEYS = 5000;
const WRITES_PER_SECOND = 10_000;
/** A value of a million elements is 60 to 100 MB. */
const MOST_GROWTH_BYTES = 150e6;

interface BigValue {
  readonly key: string;
  readonly command: string;
  readonly element: (index: number) => (string | number)[];
  /** What is done to the target's copy. */
  readonly fault: Command;
}

const LATE = Math.floor(ELEMENTS * 0.77);

const BIG: readonly BigValue[] = [
  { key: 'big:list', command: 'RPUSH', element: (i) => [`element-${i}`], fault: ['LSET', 'big:list', LATE, 'other'] },
  { key: 'big:list-end', command: 'RPUSH', element: (i) => [`element-${i}`], fault: ['RPOP', 'big:list-end'] },
  {
    key: 'big:set',
    command: 'SADD',
    element: (i) => [`member-${i}`],
    fault: ['SMOVE', 'big:set', 'elsewhere', `member-${LATE}`],
  },
  {
    key: 'big:hash',
    command: 'HSET',
    element: (i) => [`field-${i}`, i],
    fault: ['HINCRBY', 'big:hash', `field-${LATE}`, 1],
  },
  {
    key: 'big:zset',
    command: 'ZADD',
    element: (i) => [String(1 + i / 3), `member-${i}`],
    // The next double after 1: one unit in the last place.
    fault: ['ZADD', 'big:zset', String(1 + Number.EPSILON), 'member-0'],
  },
];

const FAULTS: readonly Command[] = [
  ...BIG.map(({ fault }) => fault),
  ['DEL', 'key:17'],
  ['SET', 'not-there', 'x'],
  ['PEXPIRE', 'key:18', 100_000_000],
  ['APPEND', 'key:19', 'x'],
];
/** `elsewhere` is the set that a member was moved to. */
const DIFFERENT = [...BIG.map(({ key }) => key), 'elsewhere', 'key:17', 'key:18', 'key:19', 'not-there'].sort();

async function fill(node: Connection): Promise<void> {
  for (let key = 0; key < EQUAL; key += BATCH) {
    await node.batch(Array.from({ length: BATCH }, (_, i) => ['SET', `key:${key + i}`, `value ${key + i}`.repeat(20)]));
  }
  for (const { key, command, element } of BIG) {
    for (let at = 0; at < ELEMENTS; at += BATCH) {
      await node.call([command, key, ...Array.from({ length: BATCH }, (_, i) => element(at + i)).flat()]);
    }
  }
}

/** A replica may be newer than its master, so that replication copies across versions too. */
const WAYS = [
  ['redis-6.0', 'own'],
  ['own', 'redis-8.0'],
  ['own', 'valkey-8.1'],
] as const;
const kindOf = (label: string): ServerKind | undefined => SERVER_KINDS.find((kind) => kind.label === label);
const OWN = SERVER_KINDS.filter(({ label }) => label === 'own');
const PAIRS: readonly (readonly [string, ServerKind, ServerKind])[] = [
  ...OWN.map((own) => ['own to own', own, own] as const),
  ...(LONG ? WAYS : []).flatMap(([from, to]) => {
    const [source, target] = [kindOf(from), kindOf(to)];
    return source === undefined || target === undefined ? [] : [[`${from} to ${to}`, source, target] as const];
  }),
];

const TITLE = 'one wrong element of many, among many equal keys, at rest and under writes, %s';
test.each(PAIRS)(TITLE, { timeout: 1_200_000 }, async (pair, older, newer) => {
  const [source, target] = await Promise.all([testServer(older), testServer(newer)]);
  const sideOf = ({ host, port }: typeof source): CompareSide => ({ addresses: [{ host, port }], cluster: false });
  const [ours, theirs] = await Promise.all([openSide(sideOf(source)), openSide(sideOf(target))]);
  const [from] = ours.nodes;
  const [to] = theirs.nodes;
  if (from === undefined || to === undefined) throw new Error('a server without a connection');
  await fill(from);
  await fillSample([source], { keys: LIVE_KEYS, cluster: false, seed: 9 });
  await to.call(['CONFIG', 'SET', 'replica-read-only', 'no']);
  await to.call(['REPLICAOF', source.host, source.port]);
  await waitFor(async () => text(await to.call(['INFO', 'replication'])).includes('master_link_status:up'), {
    what: 'the replica to be in step',
    deadlineMs: 300_000,
  });
  for (const fault of FAULTS) await to.call(fault);

  for (const ratePerSecond of [0, WRITES_PER_SECOND]) {
    const load =
      ratePerSecond === 0
        ? null
        : await startLoad([source], { cluster: false, ratePerSecond, seed: 3, keys: LIVE_KEYS });
    onTestFinished(async () => void (await load?.stop()));
    const before = process.memoryUsage.rss();
    let peakBytes = before;
    const watching = setInterval(() => {
      peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
    }, 100);
    const sides = { source: sideOf(source), target: sideOf(target) };
    const { result, differences } = await new Validation({ ...sides, sample: null }).run();
    clearInterval(watching);
    await load?.stop();
    const unexpected = differences.filter(({ key }) => !DIFFERENT.includes(String(key)));
    expect(unexpected.map(({ key, detail }) => `${key}: ${detail}`)).toEqual([]);
    expect(differences.map(({ key }) => String(key)).sort(), result.verdict).toEqual(DIFFERENT);
    expect(result.equal).toBeGreaterThanOrEqual(EQUAL);
    expect(peakBytes - before).toBeLessThan(MOST_GROWTH_BYTES);
    if (LONG) {
      const [seconds, growth] = [result.seconds.toFixed(1), ((peakBytes - before) / 1e6).toFixed(0)];
      console.log(`${pair}, ${ratePerSecond} writes/s: ${seconds} s, ${growth} MB more: ${result.verdict}`);
    }
  }
  ours.close();
  theirs.close();
});
