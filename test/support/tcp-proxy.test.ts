// The proxy that breaks networks for other tests must itself be trusted: it passes, stalls, cuts and refuses as told.
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { askServer } from '../../source/demo/ask-server.ts';
import { testServer } from './servers.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';
import { waitFor } from './wait.ts';

let proxy: TcpProxy | undefined;
afterEach(() => proxy?.stop());

async function proxyToServer(): Promise<TcpProxy> {
  proxy = await startTcpProxy(await testServer());
  return proxy;
}

test('passes bytes both ways and counts them', async () => {
  const link = await proxyToServer();
  expect(await askServer(link, ['ECHO', 'x'.repeat(500_000)])).toHaveLength(500_000);
  expect(link.bytes.up).toBeGreaterThan(500_000);
  expect(link.bytes.down).toBeGreaterThan(500_000);
  await waitFor(() => link.connections === 0, { what: 'the closed connection to be forgotten' });
  expect(link.accepted).toBe(1);
});

test('holds bytes back while stalled and delivers them afterwards', async () => {
  const link = await proxyToServer();
  link.stall('down');
  await expect(askServer(link, ['PING'], 150)).rejects.toThrow('no answer');
  const late = askServer(link, ['PING']);
  link.resume();
  expect(await late).toBe('PONG');
});

test('cuts what is open, now or after a number of bytes, and serves the next', async () => {
  const link = await proxyToServer();
  const socket = connect(link.port, link.host);
  const ended = new Promise<void>((resolve) => socket.on('error', () => {}).on('close', () => resolve()));
  await waitFor(() => link.connections === 1, { what: 'the connection' });
  link.cut();
  await ended;
  link.cutAfter('up', 1000);
  await expect(askServer(link, ['ECHO', 'x'.repeat(5000)])).rejects.toThrow();
  expect(await askServer(link, ['PING'])).toBe('PONG');
});

test('refuses new connections while told to', async () => {
  const link = await proxyToServer();
  link.refuse(true);
  await expect(askServer(link, ['PING'])).rejects.toThrow();
  link.refuse(false);
  expect(await askServer(link, ['PING'])).toBe('PONG');
});

test('holds what is open while new connections pass, and delivers late what a client that is gone had sent', async () => {
  const link = await proxyToServer();
  const old = connect(link.port, link.host);
  old.on('error', () => {});
  await waitFor(() => link.connections === 1, { what: 'the connection' });
  link.hold();
  old.write('SET late 1\r\n', () => old.destroy());
  expect(await askServer(link, ['EXISTS', 'late'])).toBe('0');
  link.resume();
  await waitFor(async () => (await askServer(link, ['EXISTS', 'late'])) === '1', { what: 'the late write' });
});

test('a vanished connection stays open on both ends and never passes anything again', async () => {
  const link = await proxyToServer();
  const old = connect(link.port, link.host);
  const heard: string[] = [];
  old.on('data', () => heard.push('data')).on('close', () => heard.push('close'));
  await waitFor(() => link.connections === 1, { what: 'the connection' });
  link.vanish();
  old.write('SET never 1\r\n');
  link.resume();
  // Two turns through the same proxy: a byte that passed would have passed by then.
  for (let turn = 0; turn < 2; turn++) expect(await askServer(link, ['EXISTS', 'never'])).toBe('0');
  // The old one and the one that asks: the server has not heard either.
  await waitFor(async () => (await askServer(link, ['INFO', 'clients'])).includes('connected_clients:2\r'), {
    what: 'only the vanished connection to be left',
  });
  expect(heard).toEqual([]);
  old.destroy();
});
