// `redferry validate` as a command: from settings to lines, files and the exit code, against real servers.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { validate } from '../../source/commands/validate.ts';
import type { ValidateCommand } from '../../source/config/parsed-command.ts';
import { askServer } from '../../source/demo/ask-server.ts';
import type { RunningServer } from '../../source/demo/local-servers.ts';
import { testCluster, testServer } from '../support/servers.ts';

/** The design's section 7. */
const resultLine = z.object({
  v: z.literal(1),
  run: z.string().min(1),
  time: z.iso.datetime(),
  event: z.literal('result'),
  outcome: z.enum(['equal', 'different']),
  checked: z.number(),
  equal: z.number(),
  missing: z.number(),
  extra: z.number(),
  type: z.number(),
  value: z.number(),
  ttl: z.number(),
  unstable: z.number(),
  skipped: z.number(),
  bound: z.object({ confidence: z.number(), fraction: z.number(), keys: z.number() }),
});

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Runs the command; gives its exit code and what it printed. */
async function run(source: Place | undefined, target: Place | undefined, more: Partial<ValidateCommand> = {}) {
  const address = (place: Place | undefined): string => `redis://${place?.host}:${place?.port}`;
  let stdout = '';
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      stdout += String(text);
      return true;
    }),
    vi.spyOn(process.stderr, 'write').mockImplementation(() => true),
  ];
  try {
    const code = await validate({
      name: 'validate',
      file: null,
      overrides: { source: { address: address(source) }, target: { address: address(target) } },
      passwords: { source: null, target: null },
      json: false,
      size: 'full',
      sourceOnly: false,
      rate: null,
      seed: null,
      toleranceMs: null,
      exports: [],
      repair: null,
      stateFile: null,
      ...more,
    });
    return { code, stdout };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

async function fill(server: RunningServer, keys: number): Promise<void> {
  for (let i = 0; i < keys; i++) await askServer(server, ['SET', `key:${i}`, `value ${i}`]);
}

test('equal stores: exit code 0, the verdict in words, and as the last line of JSON', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  await fill(source, 300);
  await fill(target, 300);
  const full = await run(source, target);
  expect(full.code).toBe(0);
  expect(full.stdout).toContain('All 300 keys checked, all equal.');
  const sampled = await run(source, target, { json: true, size: '100', seed: 3 });
  expect(sampled.code).toBe(0);
  const last = resultLine.parse(JSON.parse(sampled.stdout.trim().split('\n').at(-1) ?? ''));
  expect(last).toMatchObject({ outcome: 'equal', bound: { confidence: 0.95 } });
  expect(last.checked).toBeGreaterThanOrEqual(100);
});

test('differences: exit code 4, printed, as JSON lines and as a page', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'redferry-validate-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const [source, target] = await Promise.all([testServer(), testCluster()]);
  await fill(source, 20);
  await askServer(source, ['SET', '<script>alert(1)</script>', 'x']);
  const page = join(directory, 'report.html');
  const lines = join(directory, 'differences.jsonl');
  const { code, stdout } = await run(source, target.masters[0], { exports: [page, lines] });
  expect(code).toBe(4);
  expect(stdout).toContain('All 21 keys checked, 21 differ.');
  expect(stdout).toContain('missing 21');
  const written = readFileSync(lines, 'utf8')
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  expect(written).toHaveLength(22);
  expect(written).toContainEqual(expect.objectContaining({ database: 0, key: 'key:7', aspects: ['missing'] }));
  expect(resultLine.parse(written.at(-1))).toMatchObject({ outcome: 'different', missing: 21 });
  const html = readFileSync(page, 'utf8');
  expect(html).toContain('&lt;script&gt;alert(1)');
  expect(html).not.toMatch(/<script|src=|href=|url\(/);
  expect(html).toContain('key:7');
});

test('interrupted: exit code 130, and the state to go on with', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'redferry-validate-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const stateFile = join(directory, 'state');
  const [source, target] = await Promise.all([testServer(), testServer()]);
  await fill(source, 1500);
  const running = run(source, target, { rate: 100, stateFile });
  // Its own listener alone: others would stop the servers of this process.
  setTimeout(() => process.listeners('SIGINT').at(-1)?.('SIGINT'), 500);
  expect((await running).code).toBe(130);
  expect(readFileSync(stateFile, 'utf8')).toContain('"cursor"');
  expect((await run(source, target, { stateFile })).code).toBe(4);
});

test('passwords and users are used, and a wrong one is told', async () => {
  const source = await testServer({ args: ['--requirepass', 'secret'] });
  const target = await testServer();
  const passwords = (password: string): Partial<ValidateCommand> => ({
    overrides: {
      source: { address: `${source.host}:${source.port}`, password },
      target: { address: `${target.host}:${target.port}` },
    },
  });
  expect((await run(source, target, passwords('secret'))).code).toBe(0);
  await expect(run(source, target, passwords('wrong'))).rejects.toThrow(/password|credentials|WRONGPASS/i);
});

test('files are no running servers', async () => {
  const target = await testServer();
  const overrides = { source: { address: 'rdb:dump.rdb' }, target: { address: `${target.host}:${target.port}` } };
  await expect(run(target, target, { overrides })).rejects.toThrow('running servers');
});

test('--repair copies what differs again, leaves extra keys, and takes nothing but the name of the target', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-repair-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const cwd = vi.spyOn(process, 'cwd').mockReturnValue(folder);
  onTestFinished(() => cwd.mockRestore());
  const [source, target] = await Promise.all([testServer(), testServer()]);
  await fill(source, 30);
  await askServer(source, ['ZADD', 'scores', '0.1', 'a']);
  await askServer(source, ['PEXPIREAT', 'key:1', '4000000000000']);
  await askServer(target, ['SET', 'extra', 'x']);
  await expect(run(source, target, { repair: 'another:6379' })).rejects.toThrow('as a confirmation');
  expect(await askServer(target, ['DBSIZE'])).toBe('1');
  const name = `${target.host}:${target.port}`;
  const first = await run(source, target, { repair: name });
  expect(first.code).toBe(4);
  expect(first.stdout).toContain('31 keys were copied again and are equal now, 0 are not.');
  expect(await askServer(target, ['PEXPIRETIME', 'key:1'])).toBe('4000000000000');
  await askServer(target, ['DEL', 'extra']);
  await askServer(target, ['SET', 'key:7', 'other']);
  expect((await run(source, target, { repair: name })).code).toBe(0);
  expect((await run(source, target)).stdout).toContain('All 31 keys checked, all equal.');
  expect(readdirSync(folder).filter((file) => file.endsWith('-repairs.jsonl'))).toHaveLength(2);
});
