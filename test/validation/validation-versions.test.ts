// The comparison across server versions, and while writes go on: every planted fault is found and there is no false alarm.
import { describe, expect, onTestFinished, test } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import type { Command } from '../../source/validation/connection.ts';
import { ReplyError } from '../../source/validation/resp-reader.ts';
import { type CompareSide, openSide, type Side, text } from '../../source/validation/side.ts';
import { Validation } from '../../source/validation/validation.ts';
import { SERVER_KINDS, type ServerKind } from '../support/other-servers.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { PLANTED, type Planted } from './planted.ts';
import { write } from './stores.ts';

const QUICKLY = { pausesMs: [20, 60, 120], quietMs: 50 };
const COPIES = 250;
const AT = 4_000_000_000_000;

/** The same on every version: all types, small and beyond the compact encodings, doubles that versions print differently. */
function equalData(): Command[] {
  const numbers = (count: number, of: (index: number) => (string | number)[]): (string | number)[] =>
    Array.from({ length: count }, (_, index) => of(index)).flat();
  return Array.from({ length: COPIES }, (_, copy): Command[] => {
    const size = copy % 10 === 0 ? 700 : 6;
    const word = (index: number): string => `word-${copy}-${index}`;
    return [
      ['SET', `e:string:${copy}`, 'x'.repeat(copy)],
      ['SET', Buffer.from([0xff, 0x00, 0x0d, 0x0a, copy]), copy],
      ['RPUSH', `e:list:${copy}`, ...numbers(size, (i) => [word(i)])],
      ['SADD', `e:set:${copy}`, ...numbers(size, (i) => [word(i)])],
      ['SADD', `e:intset:${copy}`, ...numbers(size, (i) => [i * copy])],
      ['HSET', `e:hash:${copy}`, ...numbers(size, (i) => [word(i), i])],
      [
        'ZADD',
        `e:zset:${copy}`,
        ...numbers(size, (i) => [String(i / 7 + copy), word(i)]),
        '-inf',
        'low',
        'inf',
        'high',
      ],
      ['XADD', `e:stream:${copy}`, '1-1', 'n', copy],
      ['XADD', `e:stream:${copy}`, '2-1', 'n', copy],
      ['XGROUP', 'CREATE', `e:stream:${copy}`, 'g', '1-1'],
      ['PEXPIREAT', `e:hash:${copy}`, AT + copy],
    ];
  }).flat();
}

/** Each version once as the source and once as the target. */
const PAIRS = SERVER_KINDS.map((kind, index): [string, ServerKind, ServerKind] => {
  const next = SERVER_KINDS[(index + 1) % SERVER_KINDS.length] ?? kind;
  return [`${kind.label} to ${next.label}`, kind, next];
});

async function open(kind: ServerKind, cluster: boolean): Promise<CompareSide> {
  if (!cluster) {
    const { host, port } = await testServer({ binary: kind.binary });
    return { addresses: [{ host, port }], cluster };
  }
  const { masters } = await testCluster({ binary: kind.binary });
  return { addresses: masters.map(({ host, port }) => ({ host, port })), cluster };
}

/** false when the version does not know one of the commands. */
async function plant(side: Side, key: string, commands: readonly Command[]): Promise<boolean> {
  const replies = await side.nodeOf(Buffer.from(key)).batch(commands);
  return !replies.some((reply) => reply instanceof ReplyError);
}

/** What both versions can express. */
async function plantAll(source: CompareSide, target: CompareSide): Promise<Planted[]> {
  const [ours, theirs] = await Promise.all([openSide(source), openSide(target)]);
  const planted: Planted[] = [];
  for (const fault of PLANTED) {
    const there = (await plant(ours, fault.key, fault.source)) && (await plant(theirs, fault.key, fault.target));
    if (there) planted.push(fault);
    else for (const side of [ours, theirs]) await side.nodeOf(Buffer.from(fault.key)).batch([['DEL', fault.key]]);
  }
  ours.close();
  theirs.close();
  return planted;
}

describe.each(PAIRS)('%s', (_, from, to) => {
  test.each([false, true])('planted faults are found among equal keys of every type (cluster: %s)', async (cluster) => {
    const [source, target] = await Promise.all([open(from, cluster), open(to, cluster)]);
    const data = equalData();
    await Promise.all([write(source, data), write(target, data)]);
    const planted = await plantAll(source, target);
    expect(planted.length).toBeGreaterThan(18);

    // Before 7.0 an expiry is known to the millisecond or two only.
    const exact = planted.some(({ key }) => key === 'p:stream-added');
    const { result, differences } = await new Validation({ source, target, sample: null, settle: QUICKLY }).run();

    const expected = planted.filter(({ key }) => exact || key !== 'p:ttl-off');
    expect(differences.map(({ key }) => String(key)).sort()).toEqual(expected.map(({ key }) => key).sort());
    for (const { key, aspects } of differences) {
      expect(aspects, String(key)).toEqual(expected.find((fault) => fault.key === String(key))?.aspects);
    }
    const unseen = planted.length - expected.length;
    const equal = COPIES * 8 + unseen;
    expect(result).toMatchObject({ equal, different: expected.length, unstable: 0, expiring: 0, skipped: 0 });
  });
});

const kindOf = (label: string): ServerKind | undefined => SERVER_KINDS.find((kind) => kind.label === label);

describe.each([
  ['redis-8.0', 'valkey-9', false],
  ['valkey-9', 'redis-8.0', true],
])('expiries of hash fields, %s to %s (cluster: %s)', (from, to, cluster) => {
  const [sourceKind, targetKind] = [kindOf(from), kindOf(to)];
  test.skipIf(sourceKind === undefined || targetKind === undefined)('are compared where both know them', async () => {
    if (sourceKind === undefined || targetKind === undefined) return;
    const [source, target] = await Promise.all([open(sourceKind, cluster), open(targetKind, cluster)]);
    const made = (key: string, more: readonly Command[]): Command[] => [['HSET', key, 'a', '1', 'b', '2'], ...more];
    const lasting = (key: string, at: number): Command => ['HPEXPIREAT', key, at, 'FIELDS', 1, 'a'];
    const both = [...made('same', [lasting('same', AT)]), ...made('without', [])];
    await write(source, [...both, ...made('off', [lasting('off', AT)]), ...made('none', [lasting('none', AT)])]);
    await write(target, [...both, ...made('off', [lasting('off', AT + 1)]), ...made('none', [])]);
    const { result, differences } = await new Validation({ source, target, sample: null, settle: QUICKLY }).run();
    expect(result).toMatchObject({ equal: 2, different: 2, ttl: 2, value: 0 });
    for (const { aspects } of differences) expect(aspects).toEqual(['field-ttl']);
  });
});

const older = kindOf('redis-6.0');
const own = kindOf('own');
test.skipIf(older === undefined)(
  'a deleted entry that a newer target no longer has as pending is no difference',
  async () => {
    if (older === undefined || own === undefined) return;
    const [source, target] = await Promise.all([open(older, false), open(own, false)]);
    const claim = (key: string, id: string): Command => [
      ...['XCLAIM', key, 'g', 'c', '0', id, 'TIME', '1700000000000', 'RETRYCOUNT', '2', 'FORCE', 'JUSTID'],
    ];
    const made = (key: string): Command[] => [
      ...['1-1', '2-1', '3-1'].map((id): Command => ['XADD', key, id, 'a', 'b']),
      ['XGROUP', 'CREATE', key, 'g', '3-1'],
      ...['1-1', '2-1', '3-1'].map((id) => claim(key, id)),
      ['XDEL', key, '1-1'],
    ];
    // What a newer server makes of the claim that an older one has executed and handed on.
    const claimed = (key: string): Command[] => [...made(key), ['XCLAIM', key, 'g', 'd', '0', '1-1']];
    await write(source, [...claimed('right'), ...claimed('lost')]);
    await write(target, [...claimed('right'), ...claimed('lost')]);
    await write(target, [['XACK', 'lost', 'g', '2-1']]);
    const { result, differences } = await new Validation({ source, target, sample: null, settle: QUICKLY }).run();
    expect(differences.map(({ key, detail }) => `${key}: ${detail}`)).toEqual([
      'lost: group "g": 2 pending entries, on the target 1',
    ]);
    expect(result.notes.join()).toContain('deleted from their stream');
  },
);

const vectors = kindOf('redis-8.0');
test.skipIf(vectors === undefined)('vector sets are compared by their members, not by their graphs', async () => {
  if (vectors === undefined) return;
  const [source, target] = await Promise.all([open(vectors, false), open(vectors, false)]);
  const MEMBERS = 300;
  const made = (key: string, more: readonly Command[] = []): Command[] => [
    ...Array.from({ length: MEMBERS }, (_, i): Command => {
      return ['VADD', key, 'VALUES', 3, Math.sin(i), Math.cos(i), i / MEMBERS, `m-${i}`, 'SETATTR', `{"n":${i}}`];
    }),
    ...more,
  ];
  const keys = ['equal', 'vector', 'attribute', 'member', 'size'];
  await write(
    source,
    keys.flatMap((key) => made(key)),
  );
  await write(target, [
    ...made('equal'),
    ...made('vector', [['VADD', 'vector', 'VALUES', 3, 1, 2, 3, 'm-7']]),
    ...made('attribute', [['VSETATTR', 'attribute', 'm-8', '{"n":9}']]),
    ...made('member', [
      ['VREM', 'member', 'm-9'],
      ['VADD', 'member', 'VALUES', 3, 1, 2, 3, 'other'],
    ]),
    ...made('size', [['VREM', 'size', 'm-10']]),
  ]);
  const { result, differences } = await new Validation({ source, target, sample: null, settle: QUICKLY }).run();
  expect(result).toMatchObject({ equal: 1, different: 4, value: 4, skipped: 0 });
  const told = Object.fromEntries(differences.map(({ key, detail }) => [String(key), detail]));
  expect(told).toEqual({
    vector: 'the vector of member "m-7" differs',
    attribute: expect.stringContaining('the attributes of member "m-8" differ'),
    member: 'member "m-9" is not on the target',
    size: '300 members, on the target 299',
  });
});

test('no false alarm under 10,000 writes a second, and a planted fault is found all the same', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const sample = { keys: 20_000, cluster: false, seed: 9 };
  await fillSample([source], sample);
  const side = (server: typeof source): CompareSide => ({
    addresses: [{ host: server.host, port: server.port }],
    cluster: false,
  });
  // Native replication is the copy: it is right, and a moment behind.
  const theirs = await openSide(side(target));
  const node = theirs.nodes[0];
  if (node === undefined) throw new Error('no node');
  await node.call(['CONFIG', 'SET', 'replica-read-only', 'no']);
  await node.call(['REPLICAOF', source.host, source.port]);
  await waitFor(async () => text(await node.call(['INFO', 'replication'])).includes('master_link_status:up'), {
    what: 'the replica to be in step',
  });
  await node.call(['SET', 'planted', 'only here']);
  const load = await startLoad([source], { cluster: false, ratePerSecond: 10_000, seed: 3, keys: sample.keys });
  onTestFinished(async () => {
    await load.stop();
    theirs.close();
  });
  for (const mode of [null, { kind: 'share', share: 1 } as const]) {
    const { result, differences } = await new Validation({
      source: side(source),
      target: side(target),
      sample: mode,
    }).run();
    expect(differences.map(({ key, detail }) => `${key}: ${detail}`)).toEqual([
      'planted: string is only on the target',
    ]);
    expect(result.checked).toBeGreaterThan(19_000);
    expect(result.unstable).toBeLessThan(200);
  }
});
