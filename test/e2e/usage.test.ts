// Wrong use ends with 2 and one line that says what to change; help and version need no servers at all.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { runProgram } from './run-program.ts';

const NOWHERE = ['--source', 'redis://127.0.0.1:1', '--target', 'redis://127.0.0.1:2'];

/** One line on stderr, nothing on stdout, no stack trace, code 2. */
const expectUsageError = async (args: readonly string[], ...wanted: readonly RegExp[]): Promise<void> => {
  const { code, stdout, stderr } = await runProgram(args);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^redferry: .+\n$/);
  expect(stderr).not.toMatch(/ at \S+:\d+:\d+|\.[jt]sx?:\d+/);
  for (const pattern of wanted) expect(stderr).toMatch(pattern);
  expect(code).toBe(2);
};

const configWith = (text: string): string => {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'config.json');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
};

test('--help and --version print and exit 0', async () => {
  const help = await runProgram(['--help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  for (const word of ['--source', '--snapshot-only', '--json', 'check', 'demo', 'Exit codes']) {
    expect(help.stdout).toContain(word);
  }
  expect(await runProgram(['--version'])).toMatchObject({ code: 0, stderr: '', stdout: `${packageJson.version}\n` });
  expect(await runProgram(['check', '--help'])).toMatchObject({ code: 0, stderr: '' });
});

test('an unknown option, with the nearest one', () =>
  expectUsageError([...NOWHERE, '--snapshot-onyl'], /--snapshot-onyl/, /--snapshot-only/));

test('an unknown command', () => expectUsageError(['snyc', ...NOWHERE], /snyc/));

test('a missing source', () => expectUsageError(['--target', 'redis://127.0.0.1:2'], /source/));

test('a missing target', () => expectUsageError(['--source', 'redis://127.0.0.1:1'], /target/));

test('an address that is none', () =>
  expectUsageError(
    ['--source', 'http://127.0.0.1:1', '--target', 'redis://127.0.0.1:2'],
    /there are redis, rediss and redis-sentinel/,
  ));

test('a configuration that cannot be read', () =>
  expectUsageError(['--config', join(tmpdir(), 'redferry-no-such-file.json')], /no such file/));

test('a misspelt setting, with the right one', () =>
  expectUsageError(
    ['--config', configWith('{"source":{"adress":"redis://127.0.0.1:1"},"target":{"address":"redis://127.0.0.1:2"}}')],
    /source\.adress/,
    /did you mean source\.address\?/,
  ));

test('bad JSON, with line and column', () =>
  expectUsageError(['--config', configWith('{\n  "source": {"address" "x"}\n}')], /not JSON at line 2, column 24/));

test('an option with a value that is none of its choices', () =>
  expectUsageError([...NOWHERE, '--on-conflict', 'overwrite'], /panic/, /rewrite/, /ignore/));
