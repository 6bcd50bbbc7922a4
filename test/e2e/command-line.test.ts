// The program without a terminal, as scripts use it: JSON lines, plain lines, signals, and an exit code for every end.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { askServer } from '../../source/demo/ask-server.ts';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import { compare, type Place } from '../support/migration.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { fromTo, startPair } from './pair.ts';
import { runProgram, startProgram } from './run-program.ts';

const KEYS = 3000;
const SEED = 11;

const progress = z.object({ done: z.number(), total: z.number().nullable() });
const conflicts = z.object({ rewritten: z.number(), ignored: z.number() });
const common = z.object({ v: z.literal(1), run: z.string().min(1), time: z.iso.datetime() });
/** The design's section 7: names may be added, never missing. */
const line = z.discriminatedUnion('event', [
  common.extend({
    event: z.literal('status'),
    shards: z.array(
      z.object({
        name: z.string(),
        address: z.string(),
        state: z.string(),
        paused: z.boolean(),
        waitingFor: z.string().nullable(),
        keys: progress,
        bytes: progress,
        offset: z.object({ received: z.number().nullable(), applied: z.number().nullable() }),
        lagBytes: z.number().nullable(),
        lagSeconds: z.number().nullable(),
        opsPerSecond: z.number(),
        conflicts,
        errors: z.number(),
        spoolBytes: z.number(),
        queued: z.number(),
      }),
    ),
    memory: z.object({ rss: z.number().positive() }),
  }),
  common.extend({
    event: z.literal('notice'),
    level: z.enum(['info', 'warn', 'error']),
    shard: z.string().nullable(),
    message: z.string().min(1),
  }),
  common.extend({
    event: z.literal('result'),
    outcome: z.enum(['completed', 'failed', 'conflict', 'interrupted', 'refused']),
    exitCode: z.number(),
    seconds: z.number(),
    keys: z.number(),
    commands: z.number(),
    bytes: z.number(),
    conflicts,
    refused: z.number(),
    shards: z.array(z.object({ name: z.string(), address: z.string(), state: z.string() })),
  }),
]);

const jsonLines = (stdout: string): z.infer<typeof line>[] => {
  expect(stdout.endsWith('\n')).toBe(true);
  return stdout
    .trimEnd()
    .split('\n')
    .map((text) => line.parse(JSON.parse(text)));
};

const standalonePair = async (): Promise<{ source: Place; target: Place; args: readonly string[] }> => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  return { source, target, args: fromTo(source, target) };
};

test('--json keeps its contract and leaves with 0 after --snapshot-only', async () => {
  const { source, target, args } = await startPair();
  await fillSample(source.masters, { keys: KEYS, cluster: true, seed: SEED });
  const { code, stdout, stderr } = await runProgram([...args, '--json', '--snapshot-only']);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const lines = jsonLines(stdout);
  expect(new Set(lines.map(({ run }) => run)).size).toBe(1);
  expect(lines.filter(({ event }) => event === 'result')).toHaveLength(1);
  const last = lines.at(-1);
  expect(last).toMatchObject({ event: 'result', outcome: 'completed', exitCode: 0, refused: 0 });
  expect(last?.event === 'result' && last.shards.length).toBe(3);
  const report = await compare(source.masters, target.masters, { sourceCluster: true, targetCluster: true });
  expect(report.differences).toEqual([]);
});

test('--json gives a status at most once a second, and the figures of the stream', async () => {
  const { source, target, args } = await standalonePair();
  const load = await startLoad([source], { cluster: false, ratePerSecond: 200, seed: SEED, keys: 0 });
  const program = startProgram([...args, '--json']);
  await program.until(/"state":"streaming"(.*\n)+.*"status"(.*\n)+.*"status"/);
  await load.stop();
  program.kill('SIGTERM');
  const { code, stdout } = await program.ended;
  expect(code).toBe(0);
  const lines = jsonLines(stdout);
  const times = lines.filter(({ event }) => event === 'status').map(({ time }) => Date.parse(time));
  expect(times.length).toBeGreaterThanOrEqual(3);
  // Status lines carry the time of the picture, which is what the limit is about.
  for (const [at, time] of times.slice(1).entries()) expect(time - (times[at] ?? 0)).toBeGreaterThanOrEqual(1000);
  const last = lines.at(-1);
  expect(last?.event === 'result' && last.commands).toBeGreaterThan(0);
  const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
  expect(report.differences).toEqual([]);
});

test.each(['SIGINT', 'SIGTERM'] as const)('plain lines; %s in the stream drains and exits 0', async (signal) => {
  const { source, target, args } = await standalonePair();
  await fillSample([source], { keys: KEYS, cluster: false, seed: SEED });
  const load = await startLoad([source], { cluster: false, ratePerSecond: 1000, seed: SEED, keys: KEYS });
  const program = startProgram(args);
  await program.until(/shard-0 streaming/);
  const before = load.stats().commands;
  await waitFor(() => load.stats().commands > before + 500, { what: 'some more writes' });
  const { errors } = await load.stop();
  expect(errors).toBe(0);
  // Nothing is waited for: what is still on its way is what draining is for.
  program.kill(signal);
  const { code, stdout, stderr } = await program.ended;
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout).not.toContain('\x1b');
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d redferry: redis:\/\/\S+ -> redis:\/\/\S+$/);
  expect(stdout).toMatch(/shard-0 connecting(.*\n)+.*shard-0 streaming(.*\n)+.*shard-0 done/);
  expect(stdout).toMatch(/\nredferry: completed after .* \(exit code 0\)\n {2}\S+ keys, \S+ stream commands/);
  const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
  expect(report.differences).toEqual([]);
});

test('a key conflict under panic exits 3 and names the key', async () => {
  const { source, target, args } = await standalonePair();
  await askServer(source, ['SET', 'the-same-key', 'ours']);
  await askServer(target, ['SET', 'the-same-key', 'theirs']);
  const { code, stdout, stderr } = await runProgram([...args, '--snapshot-only', '--on-conflict', 'panic']);
  expect(code).toBe(3);
  expect(stdout + stderr).toContain('the-same-key');
  expect(stdout + stderr).not.toMatch(/^\s+at /m);
  expect(await askServer(target, ['GET', 'the-same-key'])).toBe('theirs');
});

test('a wrong password exits 1, and no output holds it', async () => {
  const source = await testServer({ args: ['--requirepass', 'the-right-one'] });
  const target = await testServer();
  const password = 'a-very-wrong-one';
  for (const more of [[], ['--json']]) {
    const { code, stdout, stderr } = await runProgram(
      [...fromTo(source, target), '--source-password-env', 'WRONG_PASSWORD', ...more],
      { WRONG_PASSWORD: password },
    );
    expect(code).toBe(1);
    expect(stdout + stderr).not.toContain(password);
    expect(stdout + stderr).toMatch(/password|credentials|WRONGPASS/i);
    expect(stdout + stderr).not.toMatch(/^\s+at /m);
  }
  const withPassword = `redis://:${password}@${source.host}:${source.port}`;
  const inAddress = await runProgram(['--source', withPassword, ...fromTo(source, target).slice(2)]);
  expect(inAddress.code).toBe(1);
  expect(inAddress.stdout + inAddress.stderr).not.toContain(password);
});

test('a target that is the source exits 5, and check says so with 5', async () => {
  const server = await testServer();
  for (const args of [
    [...fromTo(server, server)],
    ['check', ...fromTo(server, server)],
    [...fromTo(server, server), '--json'],
  ]) {
    const { code, stdout, stderr } = await runProgram(args);
    expect(code, stdout + stderr).toBe(5);
    expect(stdout + stderr).not.toMatch(/^\s+at /m);
  }
});

test('check exits 0 when a migration can begin, and changes nothing', async () => {
  const { source, target, args } = await standalonePair();
  await askServer(source, ['SET', 'key', 'value']);
  const { code, stdout, stderr } = await runProgram(['check', ...args]);
  expect(code, stdout + stderr).toBe(0);
  expect(stderr).toBe('');
  expect(await askServer(target, ['DBSIZE'])).toBe('0');
  const asJson = await runProgram(['check', ...args, '--json']);
  expect(asJson.code).toBe(0);
  expect(JSON.parse(asJson.stdout)).toMatchObject({ v: 1, event: 'check' });
});
