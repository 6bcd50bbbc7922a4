// A fault does what its name says: what a server has lost is gone, what it refuses it refuses, and afterwards the side is
// whole again. The faults of links are those of the proxy, which has its own test.
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopAll } from '../../source/demo/local-servers.ts';
import { createRandom } from '../../source/demo/random.ts';
import { Connection } from '../../source/validation/connection.ts';
import { keySlot } from '../../source/validation/key-slot.ts';
import { ReplyError } from '../../source/validation/resp-reader.ts';
import { count } from '../../source/validation/side.ts';
import { waitFor } from '../support/wait.ts';
import { ask, askAll, info } from './ask.ts';
import type { Repair } from './fault.ts';
import { type FaultName, faultNamed } from './faults.ts';
import { Side, type SideNode } from './side.ts';

let source: Side;
let target: Side;

beforeAll(async () => {
  [source, target] = await Promise.all([
    Side.start('source', { kind: 'standalone' }),
    Side.start('target', { kind: 'cluster', masters: 3, replicas: 1 }),
  ]);
});
afterAll(async () => {
  await Promise.all([source.stop(), target.stop()]);
  await stopAll();
});

/** No fault here touches the engine. */
const engine = {
  copies: false,
  process: null,
  failure: null,
  start: async () => {},
  streaming: () => true,
  settled: () => true,
  stop: async () => null,
  dispose: async () => {},
};

async function inject(name: FaultName, shard = 0): Promise<{ repair: Repair; told: Record<string, unknown> }> {
  const told: Record<string, unknown> = {};
  const random = createRandom(5);
  const tell = (detail: object): void => void Object.assign(told, detail);
  return { repair: await faultNamed(name).inject({ source, target, engine, shard, random, tell }), told };
}

/** Counts a key up at one server until that fails; gives the last number that was acknowledged. */
async function countUp({ server }: SideNode, key: string): Promise<number> {
  const connection = await Connection.open({ host: server.host, port: server.port });
  let last = 0;
  try {
    for (;;) last = count(await connection.call(['INCR', key]));
  } catch {
    return last;
  }
}

test('a shard that restarts older has lost its last writes, and no others', async () => {
  const key = await target.keyOn(1, 'older:');
  const master = await target.master(1);
  const counting = countUp(master, key);
  const { repair } = await inject('target-restart-behind', 1);
  await repair();
  const acknowledged = await counting;
  const left = Number(await ask((await target.master(1)).server, 'GET', key));
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(acknowledged);
});

test('a failover to a replica that was behind loses what the old master had acknowledged', async () => {
  const key = await target.keyOn(2, 'behind:');
  const old = await target.master(2);
  const counting = countUp(old, key);
  const { repair, told } = await inject('target-failover-behind', 2);
  const acknowledged = await counting;
  const { server } = await target.master(2);
  expect(told).toMatchObject({ master: old.server.port, replica: server.port });
  expect(Number(await ask(server, 'GET', key))).toBeLessThan(acknowledged);
  await repair();
  expect((await info(old.server, 'replication')).get('role')).toBe('slave');
});

test('a slot stands open with keys on both sides, and ends at its new owner', async () => {
  for (let tag = 0; tag < 40; tag++) {
    const { server } = await target.ownerOf(keySlot(Buffer.from(`chaos:{${tag}}`)));
    await askAll(
      server,
      Array.from({ length: 20 }, (_, number) => ['SET', `chaos:{${tag}}:${number}`, 1]),
    );
  }
  const { repair, told } = await inject('target-reshard');
  const [text = ''] = told['slots'] as string[];
  const [, slot = '', from = '', to = ''] = /^(\d+): (\d+) -> (\d+)$/.exec(text) ?? [];
  const held = (port: string): Promise<string> =>
    ask({ host: '127.0.0.1', port: Number(port) }, 'CLUSTER', 'COUNTKEYSINSLOT', slot);
  expect([await held(from), await held(to)]).toEqual(['10', '10']);
  await repair();
  expect(await held(to)).toBe('20');
  expect(String((await target.ownerOf(Number(slot))).server.port)).toBe(to);
});

test('a node whose cluster is down refuses for a moment', async () => {
  const { repair, told } = await inject('target-cluster-down', 0);
  const node = { host: '127.0.0.1', port: Number(told['node']) };
  const [refused] = await askAll(node, [['SET', 'any', 1]]);
  expect(String(refused)).toContain('CLUSTERDOWN');
  await repair();
  const [taken] = await askAll(node, [['SET', await target.keyOn(0, 'down:'), 1]]);
  expect(taken).not.toBeInstanceOf(ReplyError);
});

test('a full target refuses writes with OOM, and takes them again', async () => {
  const key = await target.keyOn(0, 'full:');
  const { server } = await target.master(0);
  const { repair } = await inject('target-full', 0);
  const [refused] = await askAll(server, [['SET', key, 1]]);
  expect(refused).toBeInstanceOf(ReplyError);
  expect(String(refused)).toContain('OOM');
  await repair();
  expect(await ask(server, 'SET', key, 1)).toBe('OK');
});

test('an overrun backlog no longer reaches back to where the link was lost', async () => {
  const { server } = await source.master(0);
  // Without anybody who ever replicated there is no backlog to overrun.
  const link = connect(server.port, server.host).on('error', () => {});
  link.write('PSYNC ? -1\r\n');
  await waitFor(async () => (await info(server, 'replication')).get('repl_backlog_active') === '1', {
    what: 'a backlog',
  });
  link.destroy();
  const { repair, told } = await inject('source-backlog-overrun');
  const replication = await info(server, 'replication');
  expect(Number(replication.get('repl_backlog_first_byte_offset'))).toBeGreaterThan(Number(told['lostAt']));
  await expect(ask(source.nodes[0]?.proxy ?? server, 'PING')).rejects.toThrow();
  await repair();
  expect((await info(server, 'replication')).get('repl_backlog_size')).toBe(String(32 * 1024 * 1024));
});
