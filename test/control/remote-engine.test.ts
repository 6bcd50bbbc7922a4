// A run over the socket as an engine, and the screen on it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { thisProcess } from '../../source/checkpoint/process-identity.ts';
import { chooseRun } from '../../source/control/choose-run.ts';
import { RemoteEngine } from '../../source/control/remote-engine.ts';
import { livingRuns } from '../../source/control/run-registry.ts';
import { runScreen } from '../../source/ui/run-screen.tsx';
import { openTerminal } from '../support/terminal.ts';
import { waitFor } from '../support/wait.ts';
import { openStage, ownFolder, RUN, type Stage } from './stage.ts';

const attachTo = async ({ server }: Pick<Stage, 'server'>): Promise<RemoteEngine> => {
  const engine = await RemoteEngine.open(server.record, { client: 'test' });
  onTestFinished(() => engine.close());
  return engine;
};

test('shows the same pictures, obeys the same commands, tells the same end', async () => {
  const stage = await openStage();
  const { fake } = stage;
  const remote = await attachTo(stage);
  expect(remote.snapshot()).toEqual(fake.engine.snapshot());
  let wakes = 0;
  const unsubscribe = remote.subscribe(() => {
    wakes += 1;
  });
  expect(await remote.dispatch({ type: 'pause', shards: [1] })).toEqual({
    accepted: true,
    message: 'Paused 1 shard(s).',
  });
  await waitFor(() => remote.snapshot().shards[1]?.paused, { what: 'the pause to be seen' });
  expect(wakes).toBeGreaterThan(0);
  unsubscribe();
  fake.notice('warn', 'shard-0', 'something');
  fake.finish({ outcome: 'failed', exitCode: 1 });
  expect(await remote.ended).toMatchObject({ outcome: 'failed', exitCode: 1 });
  expect(remote.snapshot()).toEqual(fake.engine.snapshot());
  expect(await remote.dispatch({ type: 'stop' })).toMatchObject({ accepted: false });
});

test('connects again after it was cut', async () => {
  const stage = await openStage({ engine: { shards: 300 } });
  const { fake, server } = stage;
  const remote = await attachTo(stage);
  expect(server.clients).toBe(1);
  // A line too long for a question: the server ends the connection.
  void remote.dispatch({ type: 'pause', shards: Array.from({ length: 40_000 }, () => 1) });
  await waitFor(() => server.clients === 0, { what: 'the cut' });
  await waitFor(() => server.clients === 1, { what: 'the next connection' });
  fake.advance(5000);
  await waitFor(() => remote.snapshot().takenAtMs === fake.now(), { what: 'the newest picture' });
  expect(remote.snapshot().result).toBeNull();
});

test('a run that goes away without a word is an end of its own', async () => {
  const stage = await openStage();
  const remote = await attachTo(stage);
  // Not ended, and its socket gone.
  await stage.server.close();
  expect(await remote.ended).toMatchObject({
    outcome: 'failed',
    exitCode: 1,
    message: expect.stringContaining('killed'),
  });
  expect(remote.snapshot()).toMatchObject({ phase: 'ended' });
});

/** Something that greets like a run. */
const greeter = async (greeting: object): Promise<string> => {
  const folder = ownFolder();
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'other.sock');
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.write(`${JSON.stringify(greeting)}\n`);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
};

test.each([
  ['of another protocol', { v: 2, type: 'hello', release: '9.9.9' }, /of redferry 9\.9\.9, which speaks version 2/],
  ['of another release', { v: 1, type: 'hello', release: '9.9.9', run: RUN, pid: 1 }, /attach with the redferry that/],
  ['of something else', { v: 1, type: 'party' }, /does not know/],
])('a run %s is told apart', async (_, greeting, message) => {
  const record = { run: RUN, socket: await greeter(greeting), pid: 1, logFile: null };
  await expect(RemoteEngine.open(record, { client: 'test' })).rejects.toThrow(message);
});

test('one that says nothing is given up', async () => {
  const folder = ownFolder();
  mkdirSync(folder, { recursive: true });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, 'mute.sock'), resolve));
  onTestFinished(() => {
    server.close();
  });
  const record = { run: RUN, socket: join(folder, 'mute.sock'), pid: 1, logFile: null };
  await expect(RemoteEngine.open(record, { client: 'test', timeoutMs: 200 })).rejects.toThrow(
    /does not greet within 0.2 s/,
  );
});

test('runs are chosen by name, or are the only one; those of other machines are left alone', async () => {
  const folder = ownFolder();
  await expect(chooseRun(folder, null)).rejects.toThrow(expect.objectContaining({ code: 'no-run', exitCode: 1 }));
  const one = await openStage({ folder, run: 'one', startedAtMs: 1 });
  expect((await chooseRun(folder, null)).run).toBe('one');
  await openStage({ folder, run: 'two', startedAtMs: 2 });
  await expect(chooseRun(folder, null)).rejects.toThrow(/There are 2 runs: one, two/);
  await expect(chooseRun(folder, 'three')).rejects.toThrow(/no run three going on. There are one, two/);
  expect((await chooseRun(folder, 'two')).run).toBe('two');

  const { record } = one.server;
  const foreign = { ...record, run: 'far', host: 'elsewhere', place: 'another boot', socket: join(folder, 'far.sock') };
  writeFileSync(join(folder, 'far.json'), JSON.stringify(foreign));
  const before = { ...record, run: 'old', place: 'an earlier boot', socket: join(folder, 'old.sock') };
  writeFileSync(join(folder, 'old.json'), JSON.stringify(before));
  writeFileSync(join(folder, 'broken.json'), '{');
  const own = await thisProcess();
  const names = async (): Promise<readonly string[]> => (await livingRuns(folder, own)).map(({ run }) => run);
  expect((await names()).toSorted()).toEqual(['far', 'one', 'two']);
  await expect(chooseRun(folder, 'far')).rejects.toThrow(/on elsewhere, another machine/);
});

async function openAttachedScreen() {
  const stage = await openStage();
  const remote = await attachTo(stage);
  const terminal = openTerminal(80, 24);
  const end = runScreen(
    remote,
    { language: 'en', refreshHz: 50, leaveWhenEnded: false, logFile: null, isAttached: true },
    terminal,
  );
  await terminal.until('the foot', (text) => text.includes('q leave'));
  return { stage, terminal, end };
}

test.each(['q', '\x03'])('%j leaves an attached screen at once, and the run alone', async (key) => {
  const { stage, terminal, end } = await openAttachedScreen();
  terminal.press(key);
  expect(await end).toBe('abandoned');
  expect(stage.fake.commands).toEqual([]);
});

test('S asks, and stops; while it drains it says so and asks nothing', async () => {
  const { stage, terminal, end } = await openAttachedScreen();
  terminal.press('S');
  await terminal.until('the question', (text) => text.includes('Stop the migration?'));
  terminal.press('\r');
  await terminal.until('no question', (text) => !text.includes('Stop the migration?'));
  expect(stage.fake.commands).toEqual([]);
  terminal.press('S');
  await terminal.until('the question', (text) => text.includes('Stop the migration?'));
  terminal.press('y');
  await terminal.until('draining', (text) => text.includes('draining'));
  terminal.press('S');
  await terminal.until('the sentence', (text) => text.includes('Stopping ...'));
  stage.fake.finish();
  // Who asked for the end need not press a key.
  expect(await end).toBe('ended');
  expect(stage.fake.commands).toEqual([{ type: 'stop' }]);
});
