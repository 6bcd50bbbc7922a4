// Discovery against real servers: every kind of installation, and one clear sentence for everything that stands in its way.
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, expect, onTestFinished, test } from 'vitest';
import { askServer } from '../../source/demo/ask-server.ts';
import { FerryError } from '../../source/engine/errors.ts';
import { openControl } from '../../source/topology/control-connection.ts';
import { discoverTopology } from '../../source/topology/discover.ts';
import { formatAddress, type NodeAddress } from '../../source/topology/endpoint.ts';
import { endpointOf } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

async function failureOf(promise: Promise<unknown>): Promise<FerryError> {
  const thrown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(thrown instanceof FerryError)) throw new Error(`no FerryError but ${String(thrown)}`);
  // Nothing that carries the password may hang on it.
  expect(thrown.cause).toBeUndefined();
  expect(thrown.message).not.toContain('\n');
  return thrown;
}

const addressOf = ({ host, port }: NodeAddress): NodeAddress => ({ host, port });

describe('kinds', () => {
  test('a standalone, with its version', async () => {
    const server = await testServer();
    const topology = await discoverTopology(endpointOf(server));
    expect(topology).toMatchObject({
      kind: 'standalone',
      shards: [{ id: 0, address: addressOf(server), nodeId: null, replicaIds: [], slots: [] }],
    });
    expect(topology.version.major).toBe(server.version.major);
    expect(topology.version.text).toMatch(/^(Redis|Valkey) \d+\.\d+/);
  });

  test('a cluster from any of its nodes, in the order of its slots', async () => {
    const cluster = await testCluster({ masters: 3 });
    const answers = await Promise.all(cluster.masters.map((node) => discoverTopology(endpointOf(node))));
    for (const topology of answers) {
      expect(topology.kind).toBe('cluster');
      expect(topology.shards.map(({ address }) => address)).toEqual(cluster.masters.map(addressOf));
      expect(topology.shards.map(({ id }) => id)).toEqual([0, 1, 2]);
      expect(topology.shards[0]?.slots[0]?.first).toBe(0);
      expect(topology.shards[2]?.slots.at(-1)?.last).toBe(16383);
      expect(topology.shards.every(({ nodeId }) => /^[0-9a-f]{40}$/.test(nodeId ?? ''))).toBe(true);
    }
  });

  test('a cluster whose CLUSTER SHARDS is forbidden, by CLUSTER NODES', async ({ skip }) => {
    const cluster = await testCluster({ masters: 3 });
    const [first] = cluster.masters;
    if (first === undefined) throw new Error('no master');
    skip(first.version.major < 7, 'there is no CLUSTER SHARDS before 7.0');
    await askServer(first, ['ACL', 'SETUSER', 'small', 'on', '>x', '~*', '+@all', '-cluster|shards']);
    const small = endpointOf(first, { credentials: { username: 'small', password: 'x' } });
    expect(await discoverTopology(small)).toEqual(await discoverTopology(endpointOf(first)));
  });

  test('the replicas of a cluster, where they are preferred', async () => {
    const cluster = await testCluster({ masters: 2, replicasPerMaster: 1 });
    const replicas = cluster.replicas.flat();
    await waitFor(
      async () => {
        const { shards } = await discoverTopology(
          endpointOf(cluster.masters[0] ?? replicas[0] ?? addressOf({ host: '', port: 0 }), { preferReplica: true }),
        );
        return shards.every(({ address }) => replicas.some(({ port }) => port === address.port));
      },
      { what: 'both replicas to be chosen' },
    );
  });

  test('the replica of a standalone, and the master where there is none', async () => {
    const master = await testServer();
    const preferring = endpointOf(master, { preferReplica: true });
    expect((await discoverTopology(preferring)).shards[0]?.address).toEqual(addressOf(master));
    const replica = await testServer({ args: ['--replicaof', master.host, String(master.port)] });
    await waitFor(async () => (await discoverTopology(preferring)).shards[0]?.address.port === replica.port, {
      what: 'the replica to be chosen',
    });
  });

  test('the master a sentinel names, by its name or without it', async () => {
    const master = await testServer();
    const sentinel = await testSentinel(master);
    const named = endpointOf(sentinel, { scheme: 'sentinel', masterName: 'orders' });
    const expected = { kind: 'sentinel', shards: [{ id: 0, address: addressOf(master) }] };
    expect(await discoverTopology(named)).toMatchObject(expected);
    expect(await discoverTopology(endpointOf(sentinel))).toMatchObject(expected);
    const wrong = await failureOf(discoverTopology({ ...named, masterName: 'order' }));
    expect(wrong.message).toContain('knows no master called order: it watches orders');
  });

  test('addresses are mapped for NAT', async () => {
    const server = await testServer();
    const addressMap = { '10.255.255.1:1': formatAddress(server) };
    const topology = await discoverTopology(endpointOf({ host: '10.255.255.1', port: 1 }, { addressMap }));
    expect(topology.shards[0]?.address).toEqual(addressOf(server));
  });

  test('the next node is asked when the first is down', async () => {
    const server = await testServer();
    const nodes = [{ host: '127.0.0.1', port: await closedPort() }, addressOf(server)];
    expect((await discoverTopology(endpointOf(server, { nodes }))).shards[0]?.address).toEqual(addressOf(server));
  });
});

describe('what stands in the way', () => {
  test('nobody listens', async () => {
    const port = await closedPort();
    const failure = await failureOf(discoverTopology(endpointOf({ host: '127.0.0.1', port })));
    expect(failure).toMatchObject({ code: 'unreachable', retriable: true });
    expect(failure.message).toContain(`127.0.0.1:${port} refused the connection: check that the server runs`);
  });

  test('a name nobody knows', async () => {
    const failure = await failureOf(discoverTopology(endpointOf({ host: 'no-such-host.invalid', port: 1 })));
    expect(failure.message).toMatch(/no-such-host\.invalid:1 has a host name/);
  });

  test('a server that says nothing', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void silent.close());
    const failure = await failureOf(discoverTopology(endpointOf(listening(silent), { connectTimeoutMs: 200 })));
    expect(failure).toMatchObject({ code: 'timeout', retriable: true });
    expect(failure.message).toContain('did not answer in time');
  });

  test('a port that is not a Redis', async () => {
    const web = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void web.close());
    const failure = await failureOf(discoverTopology(endpointOf(listening(web))));
    expect(failure).toMatchObject({ code: 'unreachable', retriable: false });
    expect(failure.message).toContain('answers, but not as a Redis or Valkey does');
  });

  test('a wrong password, a missing one, an unknown user', async () => {
    const server = await testServer({ args: ['--requirepass', 'right'] });
    const withCredentials = (username: string | null, password: string | null) =>
      discoverTopology(endpointOf(server, { credentials: { username, password } }));
    expect((await withCredentials(null, 'right')).kind).toBe('standalone');
    const wrong = await failureOf(withCredentials(null, 'hunter2'));
    expect(wrong).toMatchObject({ code: 'auth', retriable: false });
    expect(wrong.message).toContain('does not accept the user name or password');
    expect(JSON.stringify(wrong) + wrong.stack).not.toContain('hunter2');
    expect((await failureOf(withCredentials('nobody', 'x'))).code).toBe('auth');
    expect((await failureOf(withCredentials(null, null))).message).toContain('asks for a password and none was given');
  });

  test('a password that is not needed is no trouble, and nothing is printed', async () => {
    const server = await testServer();
    const topology = await discoverTopology(endpointOf(server, { credentials: { username: null, password: 'x' } }));
    expect(topology.kind).toBe('standalone');
  });

  test('a user who may not ask', async () => {
    const server = await testServer();
    await askServer(server, ['ACL', 'SETUSER', 'small', 'on', '>x', '+ping']);
    const failure = await failureOf(
      discoverTopology(endpointOf(server, { credentials: { username: 'small', password: 'x' } })),
    );
    expect(failure.code).toBe('permission');
    expect(failure.message).toContain('info');
  });

  test('TLS towards a plain port', async () => {
    const server = await testServer();
    const tls = { ca: null, cert: null, key: null, serverName: null, verify: true };
    const failure = await failureOf(discoverTopology(endpointOf(server, { tls, connectTimeoutMs: 2000 })));
    expect(failure).toMatchObject({ code: 'tls' });
    expect(failure.message).toContain('check that this is its TLS port');
  });

  test('a cluster with slots nobody serves', async () => {
    const server = await testServer({ args: ['--cluster-enabled', 'yes'] });
    const failure = await failureOf(discoverTopology(endpointOf(server)));
    expect(failure.message).toContain('serves 0 of 16384 slots');
  });

  const outside = Object.values(networkInterfaces())
    .flat()
    .find((it) => it?.family === 'IPv4' && !it.internal)?.address;
  test.runIf(outside !== undefined)('protected mode', async ({ skip }) => {
    const server = await testServer({ args: ['--bind', '0.0.0.0', '--protected-mode', 'yes'] });
    skip(server.version.major < 7, 'before 7.0 an explicit bind turns protected mode off');
    const failure = await failureOf(discoverTopology(endpointOf({ host: outside ?? '', port: server.port })));
    expect(failure).toMatchObject({ code: 'protected-mode' });
  });
});

test('a control connection that breaks rejects what is asked, and raises nothing unhandled', async () => {
  const server = await testServer();
  const connection = await openControl(endpointOf(server), addressOf(server), 'redferry:test');
  expect(await connection.call('CLIENT', 'GETNAME')).toBe('redferry:test');
  server.kill('SIGKILL');
  await server.waitForExit();
  await expect(connection.call('PING')).rejects.toThrow();
  connection.disconnect();
});

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function listening(server: ReturnType<typeof createServer>): NodeAddress {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return { host: '127.0.0.1', port: address.port };
}

/** A sentinel is a redis-server in another mode; it needs a file it may rewrite. */
async function testSentinel(master: NodeAddress): Promise<NodeAddress> {
  const { writeFileSync, mkdtempSync, rmSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const { spawn } = await import('node:child_process');
  const folder = mkdtempSync(join(tmpdir(), 'redferry-sentinel-'));
  const port = await closedPort();
  const file = join(folder, 'sentinel.conf');
  writeFileSync(
    file,
    `port ${port}\nbind 127.0.0.1\ndir ${folder}\nsentinel monitor orders ${master.host} ${master.port} 1\n`,
  );
  const child = spawn(process.env['REDIS_SERVER'] ?? 'redis-server', [file, '--sentinel'], { stdio: 'ignore' });
  onTestFinished(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const sentinel = { host: '127.0.0.1', port };
  await waitFor(async () => askServer(sentinel, ['PING'], 500), { what: 'the sentinel to answer' });
  return sentinel;
}
