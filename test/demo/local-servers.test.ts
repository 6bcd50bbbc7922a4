// The support that starts real servers, tried with real servers: what it starts answers, and nothing of it stays behind.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { askServer } from '../../source/demo/ask-server.ts';
import { slotShare } from '../../source/demo/form-cluster.ts';
import { startServer, stopAll } from '../../source/demo/local-servers.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const STARTER = fileURLToPath(new URL('./start-and-wait.ts', import.meta.url));

/** A process that has ended but was not yet collected by its parent (the system's first process may be slow) is not alive. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('a server answers, is the process it says, keeps nothing on disk', async () => {
  const server = await testServer({ args: ['--maxmemory', '100mb'] });
  expect(await askServer(server, ['PING'])).toBe('PONG');
  expect(await askServer(server, ['INFO', 'server'])).toContain(`process_id:${server.pid}\r\n`);
  expect(await askServer(server, ['INFO', 'memory'])).toContain('maxmemory:104857600');
  expect(await askServer(server, ['INFO', 'persistence'])).toContain('aof_enabled:0');
});

test('stop ends the process and removes the folder, twice without harm', async () => {
  const server = await startServer();
  const { pid, directory } = server;
  expect(existsSync(directory)).toBe(true);
  await server.stop();
  expect(isAlive(pid)).toBe(false);
  expect(server.running).toBe(false);
  expect(existsSync(directory)).toBe(false);
  await server.stop();
});

test('a frozen server can be stopped too', async () => {
  const server = await startServer();
  server.kill('SIGSTOP');
  await server.stop();
  expect(isAlive(server.pid)).toBe(false);
});

test('a killed server restarts on its port', async () => {
  const server = await testServer();
  await askServer(server, ['SET', 'key', 'value']);
  const firstPid = server.pid;
  server.kill('SIGKILL');
  await server.waitForExit();
  await server.restart();
  expect(server.pid).not.toBe(firstPid);
  expect(await askServer(server, ['DBSIZE'])).toBe('0');
});

test('many servers at once get ports of their own', async () => {
  const started = await Promise.all(Array.from({ length: 8 }, () => testServer()));
  expect(new Set(started.map((server) => server.port)).size).toBe(8);
});

test('a server with a password counts as started', async () => {
  const server = await testServer({ args: ['--requirepass', 'secret'] });
  await expect(askServer(server, ['DBSIZE'])).rejects.toThrow('NOAUTH');
});

test('a port that is taken is an error when it was insisted on, with the log in the message', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const address = holder.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  await expect(startServer({ args: ['--port', String(port)] })).rejects.toThrow(
    /ended while starting.*Address already in use/s,
  );
  await new Promise((resolve) => holder.close(resolve));
});

test('a setting the server refuses is an error with its own words', async () => {
  await expect(startServer({ args: ['--maxmemory', 'nonsense'] })).rejects.toThrow(/maxmemory "nonsense"/);
});

test('a binary that is not there is an error that says what to do', async () => {
  await expect(startServer({ binary: '/no/such/redis-server' })).rejects.toThrow(/install redis-server/);
});

test.each([1, 3, 5])('%i masters share all slots without gap', (masters) => {
  const shares = Array.from({ length: masters }, (_, index) => slotShare(index, masters));
  expect(shares[0]?.first).toBe(0);
  expect(shares.at(-1)?.last).toBe(16383);
  for (const [index, share] of shares.slice(1).entries()) expect(share.first).toBe((shares[index]?.last ?? 0) + 1);
});

test('two clusters of three form at the same time and take writes', async () => {
  const clusters = await Promise.all([testCluster(), testCluster()]);
  for (const { masters, nodes } of clusters) {
    expect(nodes).toHaveLength(3);
    for (const [index, master] of masters.entries()) {
      const { first, last } = slotShare(index, 3);
      expect(await askServer(master, ['CLUSTER', 'NODES'])).toMatch(new RegExp(`myself,master.* ${first}-${last}`));
    }
    const answers = await Promise.all(masters.map((node) => askServer(node, ['SET', 'foo', '1']).catch(String)));
    expect(answers.filter((answer) => answer === 'OK')).toHaveLength(1);
  }
  const ports = clusters.flatMap(({ nodes }) => nodes.map((node) => node.port));
  expect(new Set(ports).size).toBe(6);
});

test('a cluster with replicas is handed over when they follow', async () => {
  const { nodes, replicas, masters } = await testCluster({
    masters: 2,
    replicasPerMaster: 1,
    nodeTimeoutMs: 2000,
  });
  expect(nodes).toHaveLength(4);
  for (const [index, group] of replicas.entries()) {
    expect(group).toHaveLength(1);
    for (const replica of group) {
      expect(await askServer(replica, ['INFO', 'replication'])).toContain(`master_port:${masters[index]?.port}`);
    }
  }
});

test('stopAll ends servers that run and a cluster that is still forming', async () => {
  const server = await testServer();
  const forming = testCluster();
  forming.catch(() => {});
  await stopAll();
  expect(isAlive(server.pid)).toBe(false);
  await stopAll();
  await expect(forming).rejects.toThrow();
});

interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly directory: string;
}

/** Another process that starts a server and then waits, to be ended in various ways. */
async function startElsewhere(how: string): Promise<Started> {
  const child = spawn(process.execPath, [STARTER, how], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (bytes) => {
    text += String(bytes);
  });
  const line = await waitFor(() => text.endsWith('\n') && text, { what: 'the other process to start its server' });
  const [pid, directory] = line.trim().split(' ');
  return { child, pid: Number(pid), directory: String(directory) };
}

test.each([
  ['wait', 'SIGTERM'],
  ['wait', 'SIGINT'],
  ['wait', 'SIGHUP'],
  ['screen', 'SIGTERM'],
  ['screen', 'SIGHUP'],
  ['throw', null],
  ['exit', null],
] as const)('a process that ends (%s, %s) takes its server and its folder along', async (how, signal) => {
  const { child, pid, directory } = await startElsewhere(how);
  if (signal !== null) child.kill(signal);
  await waitFor(() => child.exitCode !== null || child.signalCode !== null, { what: 'the other process to end' });
  expect(child.signalCode).toBe(signal);
  await waitFor(() => !isAlive(pid), { what: 'its server to end' });
  expect(existsSync(directory)).toBe(false);
});

test.runIf(existsSync('/usr/bin/setpriv'))('after kill -9 of us the kernel ends the server', async () => {
  const { child, pid, directory } = await startElsewhere('wait');
  child.kill('SIGKILL');
  await waitFor(() => !isAlive(pid), { what: 'the orphaned server to end' });
  // Only its folder stays: no code of ours ran that could have removed it.
  rmSync(directory, { recursive: true });
});
