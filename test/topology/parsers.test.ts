// What clusters answer, as real servers wrote it: CLUSTER NODES and CLUSTER SHARDS, slots, INFO.
import { describe, expect, test } from 'vitest';
import { parseClusterNodes } from '../../source/topology/cluster-nodes.ts';
import { parseClusterShards } from '../../source/topology/cluster-shards.ts';
import { slotOwners } from '../../source/topology/cluster-topology.ts';
import { parseNodeAddress } from '../../source/topology/endpoint.ts';
import { furthest } from '../../source/topology/replica-choice.ts';
import { ServerInfo } from '../../source/topology/server-info.ts';
import { formatSlots, missingSlots, normalizeSlots, sharedSlot } from '../../source/topology/slots.ts';

const asked = { host: '10.0.0.9', port: 7000 };

describe('CLUSTER NODES', () => {
  test('addresses of every form', () => {
    const nodes = parseClusterNodes(
      [
        'a 127.0.0.1:30001@31001 myself,master - 0 1426238317741 1 connected 0-5460 16383',
        'b 127.0.0.1:30002@31002,node-2.example.net master - 0 1 2 connected 5461-10922',
        'c 2001:db8::1:30003@31003,,shard-id=x master - 0 1 3 connected 10923-16382',
        'd :30004@31004 slave a 0 1 4 connected',
        'e 127.0.0.1:30005 master,fail - 0 1 5 disconnected',
        'f :0@0 master,noaddr - 0 1 6 disconnected',
        'g 127.0.0.1:30007@31007 handshake - 0 1 0 connected',
        '',
      ].join('\n'),
    );
    expect(nodes.map(({ id, host, port }) => [id, host, port])).toEqual([
      ['a', '127.0.0.1', 30001],
      ['b', 'node-2.example.net', 30002],
      ['c', '2001:db8::1', 30003],
      ['d', '', 30004],
      ['e', '127.0.0.1', 30005],
    ]);
    expect(nodes[0]).toMatchObject({
      role: 'master',
      failed: false,
      slots: [
        { first: 0, last: 5460 },
        { first: 16383, last: 16383 },
      ],
    });
    expect(nodes[3]).toMatchObject({ role: 'replica', masterId: 'a' });
    expect(nodes[4]).toMatchObject({ failed: true, slots: [] });
    expect(slotOwners(nodes, asked).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  });

  test('slots on the move are not owned twice', () => {
    const [node] = parseClusterNodes('a h:1@2 myself,master - 0 0 1 connected 0-99 [93->-b] [77-<-c]');
    expect(node?.slots).toEqual([{ first: 0, last: 99 }]);
    expect(node?.openSlots).toEqual([
      { slot: 93, direction: 'migrating', peer: 'b' },
      { slot: 77, direction: 'importing', peer: 'c' },
    ]);
  });

  test('what cannot be read is an error with its text', () => {
    expect(() => parseClusterNodes('nonsense')).toThrow('nonsense');
    expect(() => parseClusterNodes('a host@1 master - 0 0 1 connected')).toThrow('address');
  });
});

describe('CLUSTER SHARDS', () => {
  const node = (id: string, role: string, more: readonly unknown[] = []) => [
    ...['id', id, 'port', 7000, 'ip', '10.0.0.1', 'endpoint', 'node.example.net', 'role', role],
    ...['replication-offset', 1, 'health', 'online', ...more],
  ];

  test('a master and its replica', () => {
    const nodes = parseClusterShards(
      [['slots', [0, 8191, 8193, 16383], 'nodes', [node('r', 'replica'), node('m', 'master')]]],
      false,
    );
    expect(nodes).toMatchObject([
      { id: 'r', role: 'replica', masterId: 'm', slots: [] },
      {
        id: 'm',
        host: 'node.example.net',
        port: 7000,
        slots: [
          { first: 0, last: 8191 },
          { first: 8193, last: 16383 },
        ],
      },
    ]);
  });

  test('endpoints that are unknown, null or empty', () => {
    const hostOf = (endpoint: unknown): string | undefined =>
      parseClusterShards(
        [
          [
            'slots',
            [],
            'nodes',
            [['id', 'a', 'port', 1, 'ip', '10.0.0.1', 'endpoint', endpoint, 'role', 'master', 'health', 'online']],
          ],
        ],
        false,
      )[0]?.host;
    expect(hostOf('?')).toBe('10.0.0.1');
    expect(hostOf('')).toBe('10.0.0.1');
    expect(hostOf(null)).toBe('');
  });

  test('TLS takes the TLS port', () => {
    const reply = [['slots', [], 'nodes', [node('a', 'master', ['tls-port', 7443])]]];
    expect(parseClusterShards(reply, true)[0]?.port).toBe(7443);
    expect(parseClusterShards(reply, false)[0]?.port).toBe(7000);
  });

  test("after a failover the slots are the new master's", () => {
    const old = node('old', 'master').map((item) => (item === 'online' ? 'fail' : item));
    const nodes = parseClusterShards([['slots', [0, 16383], 'nodes', [old, node('new', 'master')]]], false);
    expect(slotOwners(nodes, asked).map(({ id }) => id)).toEqual(['new']);
  });

  test('a shard without a working master is an error that names its slots', () => {
    const down = node('m', 'master').map((item) => (item === 'online' ? 'fail' : item));
    expect(() => slotOwners(parseClusterShards([['slots', [0, 16383], 'nodes', [down]]], false), asked)).toThrow(
      '0-16383',
    );
    const orphans = parseClusterShards([['slots', [0, 16383], 'nodes', [node('r', 'replica')]]], false);
    expect(() => slotOwners(orphans, asked)).toThrow('is down');
  });

  test('another shape is an error', () => {
    expect(() => parseClusterShards('x', false)).toThrow('shape');
  });
});

describe('slots', () => {
  test('every slot has exactly one owner', () => {
    expect(missingSlots([[{ first: 0, last: 16383 }]])).toEqual([]);
    expect(missingSlots([[{ first: 1, last: 99 }], [{ first: 200, last: 16382 }]])).toEqual([
      { first: 0, last: 0 },
      { first: 100, last: 199 },
      { first: 16383, last: 16383 },
    ]);
    expect(sharedSlot([[{ first: 0, last: 100 }], [{ first: 50, last: 60 }], [{ first: 61, last: 99 }]])).toBe(50);
    expect(sharedSlot([[{ first: 0, last: 1 }], [{ first: 2, last: 3 }]])).toBeNull();
    const partial = parseClusterNodes('a h:1@2 master - 0 0 1 connected 0-16000 16002-16383');
    expect(() => slotOwners(partial, asked)).toThrow('serves 16383 of 16384 slots, and nobody has 16001');
  });

  test('are written in order and joined', () => {
    const slots = normalizeSlots([
      { first: 9000, last: 9000 },
      { first: 10, last: 20 },
      { first: 0, last: 9 },
    ]);
    expect(formatSlots(slots)).toBe('0-20,9000');
  });

  test('the order of shards is by lowest slot, not by name or answer', () => {
    const nodes = parseClusterNodes(
      'b h:2@2 master - 0 0 1 connected 100-16383\na h:1@2 master - 0 0 1 connected 0-99',
    );
    expect(slotOwners(nodes, asked).map(({ id }) => id)).toEqual(['a', 'b']);
  });
});

test('INFO', () => {
  const info = new ServerInfo(
    '# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.1.1\r\nloading:0\r\n# Keyspace\r\ndb10:keys=2,expires=0\r\ndb2:keys=1,expires=1\r\n' +
      'slave0:ip=::1,port=7001,state=online,offset=10\r\nslave1:ip=h,port=0,state=online,offset=9\r\n',
  );
  expect(info.version()).toEqual({ product: 'Valkey', major: 8, minor: 1, patch: 1, text: 'Valkey 8.1.1' });
  expect(info.databases()).toEqual([
    { database: 2, keys: 1 },
    { database: 10, keys: 2 },
  ]);
  expect(info.replicas()).toEqual([{ host: '::1', port: 7001, online: true }]);
  expect(info.flag('loading')).toBe(false);
  expect(info.number('nothing')).toBeNull();
  expect(new ServerInfo('redis_version:7.0.15').version().text).toBe('Redis 7.0.15');
});

test('offsets are compared as numbers', () => {
  const at = (port: number, offset: number) => ({ address: { host: 'h', port }, offset });
  expect(furthest([at(1, 9), at(2, 10)])?.port).toBe(2);
  expect(furthest([])).toBeNull();
});

test('node addresses', () => {
  expect(parseNodeAddress('h:1')).toEqual({ host: 'h', port: 1 });
  expect(parseNodeAddress('[::1]:6379')).toEqual({ host: '::1', port: 6379 });
  for (const text of ['h', 'h:0', 'h:65536', '::1:5', 'h:1:2', '', ':1', 'a b:1'])
    expect(parseNodeAddress(text), text).toBeNull();
});
