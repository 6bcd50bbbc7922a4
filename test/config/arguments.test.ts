import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { parseArguments } from '../../source/config/arguments.ts';
import { toEndpoint } from '../../source/config/endpoint.ts';
import type { RunCommand } from '../../source/config/parsed-command.ts';
import { settingsFrom } from '../../source/config/settings-from.ts';

const directory = mkdtempSync(join(tmpdir(), 'redferry-arguments-'));
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

function run(...args: string[]): RunCommand {
  const command = parseArguments(args);
  if (command.name !== 'sync' && command.name !== 'check') throw new Error(command.name);
  return command;
}

function printed(...args: string[]): string {
  let text = '';
  expect(parseArguments(args, (part) => (text += part))).toEqual({ name: 'done' });
  return text;
}

describe('parseArguments', () => {
  test('takes sync when no command is named', () => {
    const args = ['--source', 'a', '--target=b', '--shards', '0,2', '--on-conflict', 'rewrite', '--snapshot-only'];
    const expected = {
      name: 'sync',
      file: null,
      overrides: { source: { address: 'a', shards: [0, 2] }, target: { address: 'b' }, conflict: 'rewrite' },
      passwords: { source: null, target: null },
      detach: false,
      headless: false,
      json: false,
      snapshotOnly: true,
      resume: 'ask',
    };
    expect(parseArguments(args)).toEqual(expected);
    expect(parseArguments(['sync', ...args])).toEqual(expected);
  });

  test('reads check and demo', () => {
    expect(parseArguments(['check', '--config', 'c.json', '--json'])).toMatchObject({ name: 'check', file: 'c.json' });
    const demo = { name: 'demo', keys: 300_000, masters: 3, rate: 500, headless: false, json: false, language: null };
    expect(parseArguments(['demo'])).toEqual(demo);
    expect(parseArguments(['demo', '--keys', '9', '--lang', 'zh'])).toEqual({ ...demo, keys: 9, language: 'zh' });
  });

  test('reads attach, status and ctl', () => {
    expect(parseArguments(['attach', 'r1', '--lang', 'zh'])).toEqual({
      name: 'attach',
      run: 'r1',
      readOnly: false,
      language: 'zh',
    });
    expect(parseArguments(['attach', '--read-only'])).toMatchObject({ run: null, readOnly: true });
    expect(parseArguments(['status', '--json'])).toEqual({ name: 'status', run: null, json: true, language: null });
    const ctl = (...args: string[]): unknown => parseArguments(['ctl', ...args]);
    expect(ctl('pause', '--shard', '2,0,2')).toEqual({
      name: 'ctl',
      run: null,
      request: { type: 'pause', shards: [2, 0] },
      confirmed: 'no',
    });
    expect(ctl('resume', '--all', '--run', 'r1')).toMatchObject({ run: 'r1', request: { shards: 'all' } });
    expect(ctl('validate')).toMatchObject({ request: { type: 'validate', size: null } });
    expect(ctl('validate', '1%@99')).toMatchObject({ request: { type: 'validate', size: '1%@99' } });
    expect(() => ctl('validate', 'all of it')).toThrow('is no sample');
    expect(ctl('repair', '--confirm', 'h:1')).toMatchObject({
      request: { type: 'repair-differences', kind: 'differing', keys: null },
      confirmed: { target: 'h:1' },
    });
    expect(ctl('restart', '--shard', '2', '--yes')).toMatchObject({ request: { type: 'restartShard', shard: 2 } });
    expect(ctl('remove-leftovers', '--shard', '2', '--confirm', 'b')).toMatchObject({
      request: { type: 'removeLeftovers', shards: [2] },
      confirmed: { target: 'b' },
    });
    expect(ctl('finish', '--yes')).toMatchObject({ request: { type: 'finish' }, confirmed: 'yes' });
    expect(ctl('finish', '--confirm', 'b')).toMatchObject({ confirmed: { target: 'b' } });
    expect(ctl('set', 'conflict=ignore')).toMatchObject({
      request: { type: 'setConflictPolicy', shards: 'all', policy: 'ignore' },
    });
    expect(ctl('set', 'rate=20mb', '--shard', '1')).toMatchObject({
      request: { type: 'setRate', shards: [1], rate: { bytesPerSecond: 20 * 2 ** 20, operationsPerSecond: null } },
    });
    expect(ctl('set', 'rate=configured')).toMatchObject({ request: { shards: 'all', rate: null } });
  });

  test.each([
    [['--sorce', 'a'], /unknown option '--sorce' \(Did you mean --source\?\); see redferry --help/],
    [['--on-conflict', 'x'], /panic, rewrite, ignore/],
    [['--reader', 'psync'], /Allowed choices are sync, scan/],
    [['--shards', '1,x'], /0,2/],
    [['demo', '--keys', '0'], /whole number from 1/],
    [['demo', '--source', 'a'], /unknown option/],
    [['chek'], /chek is no command; did you mean check\?/],
    [['convert'], /redferry convert is not built yet/],
    [['--detach', '--json'], /redferry status --json/],
    [['ctl'], /missing required argument 'act'/],
    [['ctl', 'explode'], /Allowed choices are pause/],
    [['ctl', 'pause', '--shard', 'x'], /0,2/],
    [['ctl', 'pause', '--shard', '1', '--all'], /--all' cannot be used with option '--shard/],
    [['ctl', 'pause', 'geheim=1'], /takes no argument/],
    [['ctl', 'stop', '--shard', '1'], /whole run/],
    [['ctl', 'retry'], /needs one --shard/],
    [['ctl', 'skip', '--shard', '1,2'], /needs one --shard/],
    [['ctl', 'finish', '--yes', '--confirm', 'b'], /cannot be used with/],
    [['ctl', 'set', 'geheim'], /ctl set changes rate=/],
    [['ctl', 'set', 'rate=geheim'], /a rate is 20mb/],
    [['ctl', 'set', 'conflict=geheim'], /panic, rewrite, ignore/],
    [['redis://u:geheim@db1'], /too many arguments|too many/],
    [['--surce=redis://u:geheim@db1'], /unknown option/],
    [['--source-password-env', 'A', '--source-password-file', 'B'], /only one/],
  ])('refuses %j in one line', (args, message) => {
    expect(() => parseArguments(args)).toThrow(expect.objectContaining({ code: 'usage', exitCode: 2 }));
    expect(() => parseArguments(args)).toThrow(message);
    expect(() => parseArguments(args)).not.toThrow(/geheim|\n/);
  });

  test('prints version and complete help', () => {
    expect(printed('--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
    const help = printed('--help');
    for (const part of ['demo', '--source-password-file', '--snapshot-only', 'Exit codes:', '143', 'cmdline']) {
      expect(help).toContain(part);
    }
    expect(printed('demo', '--help')).toContain('--masters');
  });

  test.skipIf(process.platform !== 'linux')('a password leaves the process list', () => {
    const script = file(
      'title.ts',
      `import { parseArguments } from ${JSON.stringify(new URL('../../source/config/arguments.ts', import.meta.url).href)};
       import { readFileSync } from 'node:fs';
       parseArguments(process.argv.slice(2));
       console.log(readFileSync('/proc/self/cmdline', 'utf8'));`,
    );
    const { stdout } = spawnSync(process.execPath, [script, '--source', 'redis://u:geheim@db1'], { encoding: 'utf8' });
    expect(stdout).toContain('redferry');
    expect(stdout).not.toContain('geheim');
  });
});

describe('settingsFrom', () => {
  const config = file(
    'c.json',
    JSON.stringify({ source: { address: 'a', username: 'u', password: 'old' }, target: { address: 'b' } }),
  );

  test('lays the command line over the file', () => {
    const { settings, warnings } = settingsFrom(run('--config', config, '--target', 'c', '--lang', 'zh'));
    expect(settings.source).toMatchObject({ address: 'a', password: 'old' });
    expect(settings.target.address).toBe('c');
    expect(settings.interface.language).toBe('zh');
    expect(warnings).toEqual([]);
  });

  test('credentials in an address of the command line go before the file, with a warning', () => {
    const { settings, warnings } = settingsFrom(run('--config', config, '--source', 'redis://:new@a'));
    expect(toEndpoint(settings.source).credentials).toEqual({ username: null, password: 'new' });
    expect(warnings).toEqual([expect.stringContaining('--source-password-env')]);
    expect(warnings.join()).not.toContain('new@');
  });

  test('says so where certificates are not verified', () => {
    const open = JSON.stringify({
      source: { address: 'rediss://a' },
      target: { address: 'b', tls: { verify: false } },
    });
    const { warnings } = settingsFrom(run('--config', file('open.json', open)));
    expect(warnings).toEqual([expect.stringMatching(/^target\.tls\.verify is off: .*target\.tls\.caFile/)]);
  });

  test('takes passwords from environment and file', () => {
    vi.stubEnv('TARGET_SECRET', 'from-environment');
    const secret = file('secret', 'from file \n');
    const { settings } = settingsFrom(
      run('--config', config, '--source-password-file', secret, '--target-password-env', 'TARGET_SECRET'),
    );
    expect(settings.source).toMatchObject({ username: 'u', password: 'from file ' });
    expect(settings.target.password).toBe('from-environment');
  });

  test.each([
    [[], /no source and no target.*redferry demo/],
    [['--source', 'a'], /^There is no target: give --target ADDRESS or --config FILE/],
  ])('%j lacks a side', (args, message) => {
    expect(() => settingsFrom(run(...args))).toThrow(expect.objectContaining({ code: 'usage', exitCode: 2 }));
    expect(() => settingsFrom(run(...args))).toThrow(message);
  });

  test.each([
    [['--source-password-env', 'NOT_SET_ANYWHERE'], /NOT_SET_ANYWHERE is not set/],
    [['--source-password-file', '/none/such'], /no such file/],
  ])('%j is an error', (args, message) => {
    expect(() => settingsFrom(run('--config', config, ...args))).toThrow(message);
  });
});
