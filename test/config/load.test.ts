import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { systemLanguage } from '../../source/config/language.ts';
import { loadSettings } from '../../source/config/load.ts';
import { defaultSettings, runLimits } from '../../source/config/schema.ts';
import { parseSize } from '../../source/config/size.ts';

const directory = mkdtempSync(join(tmpdir(), 'redferry-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

function write(content: unknown, mode = 0o600): string {
  const file = join(directory, 'config.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  chmodSync(file, mode);
  return file;
}

const load = (content: unknown) => loadSettings({ file: write(content) });

describe('a file', () => {
  test('is checked and completed', () => {
    const { settings, warnings } = load({
      $schema: './config.schema.json',
      source: { address: 'db1' },
      limits: { memory: '1.5gb', batch: 4096 },
    });
    expect(settings.source.address).toBe('db1');
    expect(settings.limits).toMatchObject({ memory: 1.5 * 1024 ** 3, batch: 4096, spool: 8 * 1024 ** 3 });
    expect(settings.conflict).toBe('panic');
    expect(warnings).toEqual([]);
  });

  test.each([
    [{ source: { adress: 'x' } }, 'source.adress: unknown setting; did you mean source.address?'],
    [{ souce: {} }, 'souce: unknown setting; did you mean source?'],
    [{ memory: 1 }, 'memory: unknown setting; did you mean limits.memory?'],
    [{ target: { preferReplica: true } }, 'target.preferReplica: unknown setting; did you mean source.preferReplica?'],
    [{ conflict: 'overwrite' }, 'conflict: must be one of panic, rewrite, ignore.'],
    [{ source: { connectTimeoutMs: '5s' } }, 'source.connectTimeoutMs: must be a number.'],
    [{ limits: { memory: '64 apples' } }, 'limits.memory: must be a number of bytes or a size'],
    [{ limits: { memory: '1kb' } }, '1mb or more'],
    [{ interface: { refreshHz: 9 } }, 'interface.refreshHz: must be at most 4.'],
    [{ source: { addressMap: { db1: 'db2:1' } } }, 'source.addressMap.db1: must have names of the form HOST:PORT'],
    [{ source: { addressMap: { 'db1:1': 'db2' } } }, 'source.addressMap.db1:1: must be host:port'],
    ['{\n  "source": {,}\n}', 'line 2, column 14'],
    ['{"source": {"password": "geheim" "x"}}', 'line 1, column 34'],
    ['{"a": 1', 'line 1, column 8'],
    ['[]', 'one JSON object'],
  ])('%j is refused', (content, message) => {
    expect(() => load(content)).toThrow(expect.objectContaining({ code: 'config', exitCode: 2 }));
    expect(() => load(content)).toThrow(message);
    expect(() => load(content)).not.toThrow('geheim');
  });

  test('that is not there is an error', () => {
    expect(() => loadSettings({ file: join(directory, 'none.json') })).toThrow('there is no such file');
  });
});

describe('the environment', () => {
  const environment = { NAME: 'pa$$word' };
  const address = (text: string) =>
    loadSettings({ file: write({ source: { address: text } }), environment }).settings.source.address;

  test('fills in references', () => {
    expect(address('a-$' + '{NAME}-b')).toBe('a-pa$$word-b');
    expect(address('$$' + '{NAME}')).toBe('$' + '{NAME}');
  });

  test('that lacks a name is an error with variable and setting', () => {
    expect(() => address('$' + '{OTHER}')).toThrow('source.address: the environment variable OTHER is not set.');
  });

  test('does not reach into the overrides', () => {
    const overrides = { source: { password: '$' + '{NAME}' } };
    expect(loadSettings({ file: null, overrides, environment }).settings.source.password).toBe('$' + '{NAME}');
  });
});

describe.skipIf(process.platform === 'win32')('a password in the file', () => {
  const reference = '$' + '{SOURCE_PASSWORD}';
  const warningsFor = (source: object, mode: number) =>
    loadSettings({ file: write({ source }, mode), environment: { SOURCE_PASSWORD: 'x' } }).warnings;

  test('that others can read draws a warning', () => {
    expect(warningsFor({ password: 'geheim' }, 0o644)).toEqual([expect.stringContaining('others can read it')]);
    expect(warningsFor({ password: 'geheim' }, 0o620)).toHaveLength(1);
    expect(warningsFor({ address: 'redis://u:geheim@db1' }, 0o640)).toHaveLength(1);
    expect(warningsFor({ sentinel: { password: 'geheim' } }, 0o604)).toHaveLength(1);
  });

  test('draws none when only its owner can read it or the environment has it', () => {
    expect(warningsFor({ password: 'geheim' }, 0o600)).toEqual([]);
    expect(warningsFor({ password: reference }, 0o644)).toEqual([]);
    expect(warningsFor({ address: `redis://u:${reference}@db1` }, 0o644)).toEqual([]);
  });
});

describe('defaults', () => {
  test('run limits have a directory and threads', () => {
    const limits = runLimits(defaultSettings());
    expect(limits).toMatchObject({ memory: 32 * 1024 ** 2, batch: 128 * 1024, spoolDirectory: tmpdir() });
    expect(limits.threads).toBeGreaterThan(0);
  });

  test('the language comes from the environment', () => {
    expect(systemLanguage({ LANG: 'zh_CN.UTF-8' })).toBe('zh');
    expect(systemLanguage({ LANG: 'zh_CN.UTF-8', LC_ALL: 'C' })).toBe('en');
    expect(systemLanguage({})).toBe('en');
    vi.stubEnv('LC_ALL', 'zh_TW.UTF-8');
    expect(defaultSettings().interface.language).toBe('zh');
    vi.unstubAllEnvs();
  });

  test('sizes are powers of 1024', () => {
    expect([parseSize('64mb'), parseSize('8 GB'), parseSize('12'), parseSize('1.5kb'), parseSize('-1')]).toEqual([
      64 * 1024 ** 2,
      8 * 1024 ** 3,
      12,
      1536,
      null,
    ]);
  });
});
