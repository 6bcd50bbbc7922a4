// A run and those who look at it from elsewhere: screens that come and go, commands from scripts, a terminal that dies, a
// run without any terminal.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import { compare } from '../support/migration.ts';
import { spawnProgram } from '../support/pty.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { fromTo, type RunningPair, startPair } from './pair.ts';
import { type Ended, runProgram, startProgram } from './run-program.ts';

const KEYS = 2000;
const SEED = 13;
const RATE = 300;

/** What the programs of one test share: where runs are known, and where this one logs. */
interface Stage {
  readonly env: NodeJS.ProcessEnv;
  readonly folder: string;
  readonly log: string;
}

const stage = (): Stage => {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-attach-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { env: { REDFERRY_STATE_DIR: folder }, folder, log: join(folder, 'run.log') };
};

const startLive = async (): Promise<RunningPair & { readonly load: Awaited<ReturnType<typeof startLoad>> }> => {
  const pair = await startPair();
  await fillSample(pair.source.masters, { keys: KEYS, cluster: true, seed: SEED });
  const load = await startLoad(pair.source.masters, { cluster: true, ratePerSecond: RATE, seed: SEED, keys: KEYS });
  return { ...pair, load };
};

/** The log's place is all that the file has to say. */
const logTo = (log: string): readonly string[] => {
  const file = `${log}.json`;
  writeFileSync(file, JSON.stringify({ log: { file: log } }), { mode: 0o600 });
  return ['--config', file];
};

const logLines = (log: string): readonly Record<string, unknown>[] =>
  readFileSync(log, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const auditLines = ({ folder }: Stage): readonly Record<string, unknown>[] => logLines(join(folder, 'audit.jsonl'));

const status = async (env: NodeJS.ProcessEnv): Promise<{ readonly shards: readonly { readonly state: string }[] }> => {
  const { code, stdout, stderr } = await runProgram(['status', '--json'], env);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
};

const untilStreaming = (env: NodeJS.ProcessEnv): Promise<unknown> =>
  waitFor(
    async () => {
      const { shards } = await status(env);
      return shards.length > 0 && shards.every(({ state }) => state === 'streaming');
    },
    { what: 'every shard to stream', deadlineMs: 30_000, intervalMs: 200 },
  );

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** The only run of this user's folder has gone, its files as well. */
const expectNoRun = async ({ env, folder }: Stage): Promise<void> => {
  const ended: Ended = await runProgram(['status'], env);
  expect(ended).toMatchObject({ code: 1, stdout: '', stderr: 'redferry: No run of this user is going on here.\n' });
  expect(readdirSync(join(folder, 'run'))).toEqual([]);
};

test('two screens and a script on one run: a pause is seen in both, one leaves, the other stops it', async () => {
  const place = stage();
  const { env, log } = place;
  const { source, target, args, load } = await startLive();
  const owner = startProgram([...args, ...logTo(log), '--headless'], env);
  await untilStreaming(env);

  const [one, two] = [spawnProgram({ args: ['attach'], env }), spawnProgram({ args: ['attach'], env })];
  for (const screen of [one, two]) await screen.until('3/3 streaming', 20_000);
  await one.until('q leave');

  expect(await runProgram(['ctl', 'pause', '--shard', '1'], env)).toMatchObject({
    code: 0,
    stdout: "redferry: Paused shard-1: the source's writes gather in the queue.\n",
  });
  for (const screen of [one, two]) await screen.until('1 paused');
  const plain = await runProgram(['status'], env);
  expect(plain.stdout).toMatch(/shard-1 streaming, paused/);
  expect(plain.stdout).toMatch(/^redferry: run \S+, process \d+/);

  one.press('q');
  expect(await one.exit).toEqual({ code: 0, signal: null });
  expect(one.normalScreen()).toMatch(/^redferry: left the screen; run \S+ goes on/);
  expect(isAlive(owner.pid)).toBe(true);

  expect(await runProgram(['ctl', 'pause', '--shard', '7'], env)).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'redferry: There is no such shard at work.\n',
  });
  expect(await runProgram(['ctl', 'resume', '--all'], env)).toMatchObject({ code: 0 });
  await two.until((screen) => !screen.includes('1 paused') && screen.includes('3/3 streaming'));

  expect((await load.stop()).errors).toBe(0);
  two.press('S');
  await two.until('Stop the migration?');
  two.press('y');
  // Whoever asked for the end sees it, and has the run's exit code.
  expect(await two.exit).toEqual({ code: 0, signal: null });
  expect(two.normalScreen()).toMatch(/^redferry: completed after .* \(exit code 0\)/);
  expect(await owner.ended).toMatchObject({ code: 0 });

  const report = await compare(source.masters, target.masters, { sourceCluster: true, targetCluster: true });
  expect(report.differences).toEqual([]);
  expect(auditLines(place)).toMatchObject([
    {
      ...{ v: 1, client: expect.stringMatching(/^ctl \(process \d+.*\) #\d+$/), accepted: true, confirmed: 'no' },
      ...{ command: { type: 'pause', shards: [1] }, target: expect.stringContaining('127.0.0.1:') },
    },
    { command: { type: 'pause', shards: [7] }, accepted: false, message: 'There is no such shard at work.' },
    { command: { type: 'resume', shards: 'all' }, accepted: true },
    { client: expect.stringMatching(/^attach /), command: { type: 'stop' }, confirmed: 'yes', accepted: true },
  ]);
  expect(statSync(join(place.folder, 'audit.jsonl')).mode & 0o777).toBe(0o600);
  await expectNoRun(place);
}, 120_000);

test('the terminal dies: the run goes on, is attached to, and stopped with its exit code', async () => {
  const place = stage();
  const { env, log } = place;
  const { source, target, args, load } = await startLive();
  const owner = spawnProgram({ args: [...args, ...logTo(log)], env });
  await owner.until('3/3 streaming', 30_000);
  owner.hangUp();

  const written = load.stats().commands;
  await waitFor(() => load.stats().commands > written + 2 * RATE, { what: 'more writes on the source' });
  expect(isAlive(owner.pid)).toBe(true);
  const screen = spawnProgram({ args: ['attach'], env });
  await screen.until('3/3 streaming');
  await screen.until(/lag\s+0\.0s/);

  expect((await load.stop()).errors).toBe(0);
  expect(await runProgram(['ctl', 'stop'], env)).toMatchObject({ code: 0 });
  expect(await owner.exit).toEqual({ code: 0, signal: null });
  // Its end stays on the screen until somebody has seen it.
  await screen.until(/redferry: completed after/);
  screen.press('q');
  expect(await screen.exit).toEqual({ code: 0, signal: null });

  expect(logLines(log).at(-1)).toMatchObject({ event: 'result', outcome: 'completed', exitCode: 0 });
  const runs = JSON.parse(readFileSync(join(place.folder, 'recent-runs.json'), 'utf8'));
  expect(runs.runs).toMatchObject([{ outcome: 'completed', exitCode: 0 }]);
  const report = await compare(source.masters, target.masters, { sourceCluster: true, targetCluster: true });
  expect(report.differences).toEqual([]);
  await expectNoRun(place);
}, 120_000);

test('SIGHUP does not end a run without a screen', async () => {
  const { env } = stage();
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const owner = startProgram([...fromTo(source, target), '--json'], env);
  await untilStreaming(env);
  owner.kill('SIGHUP');
  await untilStreaming(env);
  owner.kill('SIGTERM');
  expect(await owner.ended).toMatchObject({ code: 0, signal: null });
}, 60_000);

test('--detach: the run outlives the terminal it was started from; a refused one says why', async () => {
  const place = stage();
  const { env, log } = place;
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const args = [...fromTo(source, target), ...logTo(log), '--detach'];
  const starter = spawnProgram({ args, env, columns: 160 });
  expect(await starter.exit).toEqual({ code: 0, signal: null });
  const [, run = '', pid = ''] = /run (\S+) goes on by itself \(process (\d+)\)/.exec(starter.normalScreen()) ?? [];
  onTestFinished(() => {
    if (isAlive(Number(pid))) process.kill(Number(pid), 'SIGKILL');
  });
  expect(starter.normalScreen()).toContain(`redferry attach ${run}`);
  starter.hangUp();
  if (process.platform === 'linux') {
    // proc(5): behind the name stand state, parent, process group and session.
    const [, , group, session] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    expect([group, session]).toEqual([pid, pid]);
  }
  await untilStreaming(env);
  // A second one while it is there: both are listed, and which one is meant has to be said.
  const other = startProgram([...fromTo(source, await testServer()), '--headless'], env);
  await other.until(/streaming/);
  const list = await runProgram(['status'], env);
  expect(list.stdout.split('\n')).toEqual([
    expect.stringContaining(`${run}  redis://127.0.0.1:${source.port} -> redis://127.0.0.1:${target.port}, since `),
    expect.stringContaining(`process ${other.pid} on `),
    '',
  ]);
  expect(await runProgram(['ctl', 'pause'], env)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('There are 2 runs: '),
  });
  other.kill('SIGTERM');
  await other.ended;

  expect(await runProgram(['ctl', 'stop', '--run', run], env)).toMatchObject({ code: 0 });
  await waitFor(() => !isAlive(Number(pid)), { what: 'the detached process to end' });
  expect(logLines(log).at(-1)).toMatchObject({ event: 'result', run, outcome: 'completed', exitCode: 0 });
  await expectNoRun(place);

  const refused = await runProgram([...fromTo(source, source), '--detach'], env);
  expect(refused.code).toBe(5);
  expect(refused.stdout).toMatch(/^redferry: refused before anything was written .*\n {2}\S/);
  const unreachable = await runProgram([...fromTo(source, target), '--detach', '--shards', '9'], env);
  expect(unreachable).toMatchObject({ code: 2, stdout: expect.stringContaining('no source shard 9') });
}, 90_000);

test('a run that is killed: its attached screen says so, and what it left is cleaned up', async () => {
  const place = stage();
  const { env, folder } = place;
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const owner = startProgram([...fromTo(source, target), '--headless'], env);
  await untilStreaming(env);
  const screen = spawnProgram({ args: ['attach'], env });
  await screen.until('1/1 streaming');
  owner.kill('SIGKILL');
  await owner.ended;
  expect(readdirSync(join(folder, 'run'))).toHaveLength(2);
  await screen.until(/went away without telling its end/);
  screen.press('q');
  expect(await screen.exit).toEqual({ code: 1, signal: null });
  await expectNoRun(place);
}, 60_000);
