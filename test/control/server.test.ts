// The server's side of the socket: who may connect, what is answered, and what a client that misbehaves can not do.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isListening } from '../../source/control/run-registry.ts';
import { waitFor } from '../support/wait.ts';
import { openStage, ownFolder, RUN, rawClient } from './stage.ts';

/** Pictures of megabytes: far more than the system holds for a socket. */
const BIG = { shards: 3000 };

const modeOf = (path: string): number => statSync(path).mode & 0o777;

test('the socket and what describes it are for their owner only, and go with the run', async () => {
  const { server, folder } = await openStage();
  expect(modeOf(folder)).toBe(0o700);
  expect(modeOf(join(folder, `${RUN}.sock`))).toBe(0o600);
  expect(modeOf(join(folder, `${RUN}.json`))).toBe(0o600);
  const { socket } = rawClient(server.record.socket);
  await new Promise((resolve) => socket.once('connect', resolve));
  await server.close();
  expect(readdirSync(folder)).toEqual([]);
});

test('a folder too deep for a socket gets one in a short private folder', async () => {
  const { server, folder } = await openStage({
    folder: join(ownFolder(), 'x'.repeat(120)),
    run: `deep-${process.pid}`,
  });
  expect(server.record.socket).toMatch(/^\/tmp\/redferry-\d+\/deep-/);
  expect(modeOf(join(server.record.socket, '..'))).toBe(0o700);
  expect(await isListening(server.record.socket)).toBe(true);
  await server.close();
  expect(readdirSync(folder)).toEqual([]);
  expect(await isListening(server.record.socket)).toBe(false);
});

test('greets, answers with the picture, and pushes new ones to who subscribed', async () => {
  const { fake, server } = await openStage();
  const client = rawClient(server.record.socket);
  await client.until('the greeting', ({ type, run, pid }) => type === 'hello' && run === RUN && pid === process.pid);
  client.send({ id: 5, type: 'snapshot' });
  await client.until('the picture', ({ id }) => id === 5);
  expect(client.lines[1]).toEqual({ v: 1, type: 'snapshot', id: 5, snapshot: fake.engine.snapshot() });
  fake.advance(1000);
  client.send({ id: 6, type: 'subscribe' });
  await client.until('the first', ({ id }) => id === 6);
  fake.advance(1000);
  const newest = fake.now();
  await client.until('a push', ({ id, snapshot }) => id === null && taken(snapshot) === newest);
  // Nothing was pushed to it before it subscribed.
  expect(client.lines.filter(({ id }) => id === null)).toHaveLength(1);
});

const taken = (snapshot: unknown): unknown =>
  typeof snapshot === 'object' && snapshot !== null && 'takenAtMs' in snapshot ? snapshot.takenAtMs : null;

test('commands are obeyed in the name of who asks, with what was confirmed; others are refused', async () => {
  const { fake, server } = await openStage();
  const client = rawClient(server.record.socket);
  client.send({ id: 1, type: 'dispatch', client: 'ctl\u001b[2J', command: { type: 'pause', shards: [1] } });
  client.send({ id: 2, type: 'dispatch', client: 'ctl', command: { type: 'explode' } });
  client.send({ id: 3, type: 'dispatch', command: { type: 'pause', shards: 'some' } });
  client.send({ id: 4, type: 'dispatch', command: { type: 'repair', keys: [{ database: 0, key: 'a key' }] } });
  const keys = [{ database: 0, key: 'YQ==' }];
  client.send({ id: 5, type: 'dispatch', confirmed: { target: '10.9.4.20:6379' }, command: { type: 'repair', keys } });
  await client.until('the last answer', ({ id }) => id === 5);
  const answers = client.lines.slice(1);
  expect(answers).toMatchObject([
    { id: 1, type: 'outcome', outcome: { accepted: true } },
    {
      id: 2,
      type: 'outcome',
      outcome: { accepted: false, message: expect.stringContaining('there are pause, resume, ') },
    },
    { id: 3, type: 'outcome', outcome: { accepted: false } },
    { id: 4, type: 'outcome', outcome: { accepted: false } },
    { id: 5, type: 'outcome', outcome: { accepted: true } },
  ]);
  expect(fake.commands).toEqual([
    { type: 'pause', shards: [1] },
    { type: 'repair', keys },
  ]);
  expect(fake.orders).toEqual([
    { client: 'ctl?[2J #1', confirmed: 'no' },
    { client: 'unnamed #1', confirmed: { target: '10.9.4.20:6379' } },
  ]);
  // What a process does by itself can not be claimed from outside.
  client.send({ id: 6, type: 'dispatch', confirmed: 'self', command: { type: 'stop' } });
  await client.until('the refusal', ({ id, type }) => id === 6 && type === 'error');
});

test('a second stop is no impatience: the drain goes on', async () => {
  const { fake, server } = await openStage();
  const client = rawClient(server.record.socket);
  for (const id of [1, 2]) client.send({ id, type: 'dispatch', client: 'ctl', command: { type: 'stop' } });
  await client.until('both answers', ({ id }) => id === 2);
  expect(fake.commands).toEqual([{ type: 'stop' }]);
  expect(client.lines.at(-1)).toMatchObject({
    outcome: { accepted: true, message: expect.stringContaining('stopping already') },
  });
});

test.each([
  ['another version', '{"v":2,"id":1,"type":"snapshot"}\n', /version 1 .* this client speaks version 2/],
  ['another protocol', 'GET / HTTP/1.1\r\n', /speaks something else/],
])('%s gets one sentence and no more', async (_, text, message) => {
  const { server } = await openStage();
  const client = rawClient(server.record.socket);
  client.send(text);
  await client.until('the sentence', ({ type, message: said }) => type === 'error' && message.test(String(said)));
  await waitFor(client.isClosed, { what: 'the end of the connection' });
});

test('a question that is none is answered, an endless one ends the client', async () => {
  const { server } = await openStage();
  const client = rawClient(server.record.socket);
  client.send({ id: 1, type: 'sing' });
  await client.until('the answer', ({ type, id }) => type === 'error' && id === 1);
  client.send('x'.repeat(70_000));
  await waitFor(client.isClosed, { what: 'the end of the connection' });
  expect(server.clients).toBe(0);
});

test('a client that does not read is not waited for: it gets the newest picture, not all of them', async () => {
  const { fake, server } = await openStage({ engine: BIG });
  const client = rawClient(server.record.socket);
  await client.until('the greeting', ({ type }) => type === 'hello');
  client.socket.pause();
  client.send({ id: 1, type: 'subscribe' });
  const ticker = setInterval(() => fake.advance(1000), 20);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  clearInterval(ticker);
  const newest = fake.now();
  client.socket.resume();
  await client.until('the newest', ({ snapshot }) => taken(snapshot) === newest);
  // The answer, one that was on its way, the newest; eight were due.
  expect(client.lines.slice(1).length).toBeLessThanOrEqual(3);
});

test('questions of a client that does not read are not even looked at', async () => {
  const { fake, server } = await openStage({ engine: BIG });
  const client = rawClient(server.record.socket);
  await client.until('the greeting', ({ type }) => type === 'hello');
  client.socket.pause();
  const pause = { type: 'dispatch', client: 'x', command: { type: 'pause', shards: [0] } };
  client.send({ id: 1, type: 'snapshot' });
  for (let id = 2; id < 500; id += 1) client.send({ id, ...pause });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(fake.commands).toEqual([]);
  client.socket.resume();
  await waitFor(() => fake.commands.length === 498, { what: 'all of them, once it reads' });
});

test('a stuck client is cut, the others are not', async () => {
  const { fake, server } = await openStage({ engine: BIG, stuckMs: 1000 });
  const [stuck, well] = [rawClient(server.record.socket), rawClient(server.record.socket)];
  for (const client of [stuck, well]) await client.until('the greeting', ({ type }) => type === 'hello');
  stuck.send({ id: 1, type: 'subscribe' });
  stuck.socket.pause();
  fake.advance(1000);
  await waitFor(() => server.clients === 1, { what: 'the stuck one to be cut' });
  // Not before: pictures of megabytes keep the thread busy that reads them here and cuts there.
  well.send({ id: 1, type: 'subscribe' });
  fake.advance(1000);
  const newest = fake.now();
  await well.until('the newest', ({ snapshot }) => taken(snapshot) === newest);
});

test('subscribers get the end before the socket goes', async () => {
  const { fake, server } = await openStage({ engine: { shards: 800 } });
  const client = rawClient(server.record.socket);
  client.send({ id: 1, type: 'subscribe' });
  await client.until('the first', ({ id }) => id === 1);
  fake.finish({ exitCode: 6 });
  await server.close();
  await waitFor(client.isClosed, { what: 'the end of the connection' });
  expect(client.lines.at(-1)).toMatchObject({ id: null, snapshot: { phase: 'ended', result: { exitCode: 6 } } });
});

test('the socket of a killed run is taken over, that of a living one is not', async () => {
  const folder = ownFolder();
  const { server } = await openStage({ folder });
  await expect(openStage({ folder })).rejects.toThrow(/going on twice/);
  await server.close();
  // A server whose process is killed leaves its file, as one does that is not closed by us.
  const path = server.record.socket;
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  expect(readdirSync(folder)).toEqual([`${RUN}.sock`]);
  const next = await openStage({ folder });
  expect(await isListening(next.server.record.socket)).toBe(true);
});

test('too many clients are told so', async () => {
  const { server } = await openStage();
  const clients = Array.from({ length: 33 }, () => rawClient(server.record.socket));
  await waitFor(() => clients.every(({ lines }) => lines.length > 0), { what: 'a first line for each' });
  expect(clients.filter(({ lines }) => lines[0]?.['type'] === 'hello')).toHaveLength(32);
  expect(clients.find(({ lines }) => lines[0]?.['type'] === 'error')?.lines).toMatchObject([
    { message: expect.stringContaining('32 clients') },
  ]);
});

test('isListening is false for what is no socket at all', async () => {
  const folder = ownFolder();
  expect(await isListening(join(folder, 'nothing'))).toBe(false);
  const { server } = await openStage({ folder });
  expect(await isListening(join(folder, `${RUN}.json`))).toBe(false);
  expect(await isListening(server.record.socket)).toBe(true);
});
