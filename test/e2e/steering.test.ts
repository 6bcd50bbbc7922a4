// A run steered from its screen in a real terminal, on real clusters under writes: each key with its question, its effect,
// its line in the audit file, and the other shards going on meanwhile.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { chooseRun } from '../../source/control/choose-run.ts';
import { RemoteEngine } from '../../source/control/remote-engine.ts';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import type { ShardSnapshot } from '../../source/engine/contract/shard-snapshot.ts';
import { compare } from '../support/migration.ts';
import { type Program, spawnProgram } from '../support/pty.ts';
import { waitFor } from '../support/wait.ts';
import { type Place, startPair } from './pair.ts';
import { runProgram } from './run-program.ts';

const KEYS = 2000;
const SEED = 23;
const RATE = 600;

/** The run of that folder, as an attached screen knows it. */
const watch = async (folder: string): Promise<RemoteEngine> => {
  const run = await RemoteEngine.open(await chooseRun(join(folder, 'run'), null), { client: 'test', readOnly: true });
  onTestFinished(() => run.close());
  return run;
};

/** Waits until that shard is as wanted, and proves that the others are streaming and get on meanwhile. */
const untilShard = async (
  run: RemoteEngine,
  id: number,
  what: string,
  isSo: (shard: ShardSnapshot) => boolean,
): Promise<void> => {
  const shards = () => run.snapshot().shards;
  await waitFor(() => shards().some((shard) => shard.id === id && isSo(shard)), {
    what: `shard-${id} to be ${what}`,
    deadlineMs: 30_000,
  });
  const before = shards().map(({ offset }) => offset.applied ?? 0);
  await waitFor(
    () =>
      shards().every(
        ({ state, offset }, index) =>
          index === id || (state === 'streaming' && (offset.applied ?? 0) > (before[index] ?? 0)),
      ),
    { what: 'the others to get on', deadlineMs: 20_000 },
  );
};

/** A key, the question that it asks, and its answer. */
const press = async (screen: Program, key: string, question: string, answer: string): Promise<void> => {
  screen.press(key);
  await screen.until(question);
  screen.press(answer);
  await screen.until((text) => !text.includes(question));
};

test('each key asks as its danger demands, acts, is written down, and leaves the other shards alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-steering-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const env = { REDFERRY_STATE_DIR: folder };
  const { source, target, args } = await startPair();
  await fillSample(source.masters, { keys: KEYS, cluster: true, seed: SEED });
  const load = await startLoad(source.masters, { cluster: true, ratePerSecond: RATE, seed: SEED, keys: KEYS });
  const screen = spawnProgram({ args: [...args], env, columns: 120, rows: 40 });
  await screen.until('3/3 streaming', 40_000);
  const run = await watch(folder);

  screen.press('p');
  await screen.until('(p undoes it)');
  await screen.until('1 paused');
  await untilShard(run, 0, 'paused', ({ paused }) => paused);
  screen.press('p');
  await untilShard(run, 0, 'going on', ({ paused }) => !paused);

  await press(screen, 't', 'How fast may shard-0 go? Now: no limit', '20op\r');
  await untilShard(run, 0, 'slow', ({ throttled }) => throttled === "the shard's limit of 20 op/s");
  await screen.until(/slowed down by the shard's limit of 20 op\/s/);
  screen.press('-');
  await screen.until('(+ undoes it)');
  await press(screen, '+', 'shard-0 from 10 op/s to 20 op/s?', 'y');
  await press(screen, 't', 'How fast may shard-0 go? Now: 20 op/s', 'off\r');
  await untilShard(run, 0, 'free', ({ throttled }) => throttled === null);

  await press(screen, 'T', 'How fast may the whole run go? Now: no limit', '50mb\r');
  await screen.until('max 50mb/s');
  await press(screen, 'T', 'Now: 50mb/s', 'configured\r');

  await press(screen, 'P', 'Pause all 3 shards?', 'y');
  await screen.until('3 paused');
  await press(screen, 'P', 'Resume 3 paused shards?', 'n');
  await press(screen, 'P', 'Resume 3 paused shards?', 'y');
  await screen.until((text) => !text.includes('3 paused'));

  await press(screen, 'R', 'Copy shard-0 anew?', 'y');
  await screen.until(/shard-0 begins a new full sync/);
  await screen.until('2/3 streaming', 20_000);
  await untilShard(run, 0, 'streaming again', ({ state }) => state === 'streaming');

  // Paused, the run is not in sync: then finishing takes the target's name, and esc is a no.
  screen.press('p');
  await screen.until('1 paused');
  screen.press('F');
  await screen.until('NOT in sync');
  screen.press('\x1b');
  screen.press('p');
  await screen.until((text) => !text.includes('1 paused'));

  screen.press('4');
  await screen.until(
    /restartShard +shard-0 begins a new full sync\. streaming → retrying\. \(by screen, confirmed with yes\)/,
  );
  screen.press('1');

  expect((await load.stop()).errors).toBe(0);
  await screen.until(/lag\s+0\.0s/);
  await press(screen, 'F', 'Every shard is in sync', 'y');
  await screen.until(/redferry: completed after .* \(exit code 0\)/, 30_000);
  screen.press('q');
  expect(await screen.exit).toEqual({ code: 0, signal: null });
  expect(
    (await compare(source.masters, target.masters, { sourceCluster: true, targetCluster: true })).differences,
  ).toEqual([]);

  const lines = readFileSync(join(folder, 'audit.jsonl'), 'utf8').trimEnd().split('\n');
  const entries = lines.map((line) => JSON.parse(line));
  expect(entries.every(({ client, accepted }) => client === 'screen' && accepted)).toBe(true);
  expect(entries.map(({ command, confirmed, change }) => [command.type, confirmed, change?.to ?? null])).toEqual([
    ['pause', 'no', null],
    ['resume', 'no', null],
    ['setRate', 'yes', '20 op/s'],
    ['setRate', 'no', '10 op/s'],
    ['setRate', 'yes', '20 op/s'],
    ['setRate', 'yes', 'no limit'],
    ['setRate', 'yes', '50mb/s'],
    ['setRate', 'yes', 'no limit'],
    ['pause', 'yes', null],
    ['resume', 'yes', null],
    ['restartShard', 'yes', 'retrying'],
    ['pause', 'no', null],
    ['resume', 'no', null],
    ['finish', 'yes', null],
  ]);
}, 240_000);

/** The source's node wants a password from now on, and ends the link. @returns what takes it back. */
async function lockOut({ host, port }: Place): Promise<() => Promise<unknown>> {
  const redis = new Redis({ host, port });
  onTestFinished(() => redis.disconnect());
  await redis.config('SET', 'requirepass', 'changed');
  await redis.call('AUTH', 'changed');
  await redis.call('CLIENT', 'KILL', 'TYPE', 'replica');
  return () => redis.config('SET', 'requirepass', '');
}

test('a shard that has failed begins once more after a yes, fails again and is skipped by name; the run ends without it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-steering-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const env = { REDFERRY_STATE_DIR: folder };
  const { source, target, args } = await startPair();
  const [node, into] = [source.masters[1], target.masters[0]];
  if (node === undefined || into === undefined) throw new Error('no node');
  await fillSample(source.masters, { keys: KEYS, cluster: true, seed: SEED });
  const load = await startLoad(source.masters, { cluster: true, ratePerSecond: RATE, seed: SEED, keys: KEYS });
  const screen = spawnProgram({ args: [...args], env, columns: 120, rows: 40 });
  await screen.until('3/3 streaming', 40_000);
  const run = await watch(folder);

  const open = await lockOut(node);
  await screen.until('1 FAILED', 30_000);
  await untilShard(run, 1, 'failed', ({ state }) => state === 'failed');
  await open();
  expect(await runProgram(['ctl', 'retry', '--shard', '1'], env)).toMatchObject({ code: 1 });
  screen.press('l');
  await press(screen, 'r', 'Begin shard-1 once more?', 'y');
  await untilShard(run, 1, 'streaming again', ({ state }) => state === 'streaming');
  await screen.until('3/3 streaming');

  await lockOut(node);
  await screen.until('1 FAILED', 30_000);
  await press(screen, 'X', 'Go on without shard-1?', `${into.host}:${into.port}\r`);
  await screen.until(/why skipped: \S/);
  await untilShard(run, 1, 'failed', ({ state }) => state === 'failed');
  await load.stop();
  await press(screen, 'S', 'Stop the migration?', 'y');
  await screen.until(/redferry: completed after .* \(exit code 6\)/, 30_000);
  screen.press('q');
  expect(await screen.exit).toEqual({ code: 6, signal: null });
  expect(screen.normalScreen()).toContain('shard-1: skipped: ');

  const lines = readFileSync(join(folder, 'audit.jsonl'), 'utf8').trimEnd().split('\n');
  const entries = lines.map((line) => JSON.parse(line));
  expect(
    entries.map(({ command, confirmed, accepted, change }) => [command.type, confirmed, accepted, change]),
  ).toEqual([
    ['retryShard', 'no', false, null],
    ['retryShard', 'yes', true, { from: 'failed', to: 'connecting' }],
    ['skipShard', { target: `${into.host}:${into.port}` }, true, { from: 'failed', to: 'skipped' }],
    ['stop', 'yes', true, null],
  ]);
}, 150_000);
