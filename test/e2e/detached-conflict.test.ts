// A conflict under panic in a run that nobody looks at yet: the shard waits, the others go on, and an attached screen answers.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { client } from '../support/client.ts';
import { spawnProgram } from '../support/pty.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { fromTo } from './pair.ts';
import { runProgram } from './run-program.ts';

/** One key in the slots of each of three masters. */
const KEYS = ['bar', 'c', 'foo'] as const;

interface Shard {
  readonly state: string;
  readonly waitingFor: string | null;
  readonly queued: number;
}

test('--detach: panic halts one shard and the others go on, until an attached screen answers', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-detached-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const env = { REDFERRY_STATE_DIR: folder };
  const log = join(folder, 'run.log');
  const config = join(folder, 'config.json');
  writeFileSync(config, JSON.stringify({ log: { file: log } }), { mode: 0o600 });
  const [source, target] = await Promise.all([testCluster({ masters: 3 }), testServer()]);
  const from = source.masters.map((node) => client(node));
  const to = client(target);
  const set = (shard: number, value: string) => from[shard]?.set(KEYS[shard] ?? '', value);
  for (const shard of KEYS.keys()) await set(shard, 'source');
  await to.set(KEYS[0], 'target');

  const args = [...fromTo(source.masters[0], target), '--config', config];
  const started = await runProgram([...args, '--detach'], env);
  expect(started).toMatchObject({ code: 0, stderr: '' });
  const pid = Number(/\(process (\d+)\)/.exec(started.stdout)?.[1]);
  const isAlive = () => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  onTestFinished(() => {
    if (isAlive()) process.kill(pid, 'SIGKILL');
  });
  const shards = async (): Promise<readonly Shard[]> => {
    const { stdout } = await runProgram(['status', '--json'], env);
    return JSON.parse(stdout).shards;
  };
  const isHalted = (shard: Shard | undefined) => /redferry attach/.test(shard?.waitingFor ?? '');
  await waitFor(async () => isHalted((await shards())[0]), { what: 'the first shard to halt', deadlineMs: 20_000 });
  for (const shard of KEYS.keys()) await set(shard, 'written since');
  for (const key of KEYS.slice(1))
    await waitFor(async () => (await to.get(key)) === 'written since', { what: `${key} on the target` });
  const [halted, ...others] = await shards();
  expect(isHalted(halted)).toBe(true);
  expect(others.map(({ state }) => state)).toEqual(['streaming', 'streaming']);
  expect(await to.get(KEYS[0])).toBe('target');
  expect(readFileSync(log, 'utf8')).toMatch(/the shard has halted and its screen asks what to do \(redferry attach\)/);

  const screen = spawnProgram({ args: ['attach'], env });
  await screen.until('shard-0 has halted');
  screen.press('r');
  await screen.until('Rewrite bar?');
  screen.press('y');
  await screen.until('3/3 streaming');
  await waitFor(async () => (await to.get(KEYS[0])) === 'written since', { what: 'the stream of the halted shard' });
  screen.press('q');
  expect(await screen.exit).toMatchObject({ code: 0 });
  expect(await runProgram(['ctl', 'stop'], env)).toMatchObject({ code: 0 });
  await waitFor(() => !isAlive(), { what: 'the run to end' });
  const last = readFileSync(log, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  expect(JSON.parse(last)).toMatchObject({ event: 'result', exitCode: 0, conflicts: { rewritten: 1, ignored: 0 } });
}, 60_000);
