// Whoever looks at what redferry leaves behind finds no password, and with log.keys "hash" no key name: its output, its log,
// the process list, and what it says when everything goes wrong.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { testServer } from '../support/servers.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';
import { runProgram, startProgram } from './run-program.ts';

const PASSWORDS = {
  source: 'Sesam-of-the-source',
  target: 'Sesam-of-the-target',
  wrong: 'Sesam-that-is-wrong',
} as const;

interface Folder {
  readonly config: string;
  log(): string;
}

function folderWith(settings: object): Folder {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const log = join(folder, 'run.log');
  const config = join(folder, 'redferry.json');
  writeFileSync(config, JSON.stringify({ log: { file: log, keys: 'hash' }, ...settings }), { mode: 0o600 });
  return { config, log: () => readFileSync(log, 'utf8') };
}

function processList(pid: number): string {
  return ['cmdline', 'comm'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8')).join('\n');
}

function client(port: number, password?: string): Redis {
  const redis = new Redis({ port, ...(password === undefined ? {} : { password }) });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  return redis;
}

describe('passwords', () => {
  it('are nowhere while a run has its links cut and its shard begun anew', async () => {
    const source = await testServer({ args: ['--requirepass', PASSWORDS.source] });
    const target = await testServer({ args: ['--requirepass', PASSWORDS.target] });
    const [sourceProxy, targetProxy] = await Promise.all([startTcpProxy(source), startTcpProxy(target)]);
    onTestFinished(async () => {
      await Promise.all([sourceProxy.stop(), targetProxy.stop()]);
    });
    await client(source.port, PASSWORDS.source).set('key', 1);
    const folder = folderWith({
      source: { address: `redis://127.0.0.1:${sourceProxy.port}`, password: `\${${'SOURCE_SECRET'}}` },
    });
    const program = startProgram(
      [
        ...['--config', folder.config, '--json', '--headless', '--target-password-env', 'TARGET_SECRET'],
        ...['--target', `redis://127.0.0.1:${targetProxy.port}`],
      ],
      { SOURCE_SECRET: PASSWORDS.source, TARGET_SECRET: PASSWORDS.target },
    );
    await program.until(/"state":"streaming"/);
    const list = processList(program.pid);
    sourceProxy.cut();
    targetProxy.cut();
    await client(source.port, PASSWORDS.source).set('after', 1);
    await waitFor(() => client(target.port, PASSWORDS.target).get('after'), {
      what: 'the write behind the cut',
      deadlineMs: 30_000,
      intervalMs: 200,
    });
    program.kill('SIGTERM');
    const { code, stdout, stderr } = await program.ended;
    expect(code).toBe(0);
    expect([list, stdout, stderr, folder.log()].join('\n')).not.toMatch(/Sesam/);
  });

  it.each(['redis://:{secret}@127.0.0.1:{port}', 'redis://someone:{secret}@127.0.0.1:{port}'])(
    'in an address that is refused: %s',
    async (pattern) => {
      const source = await testServer({ args: ['--requirepass', PASSWORDS.source] });
      const address = pattern.replace('{secret}', PASSWORDS.wrong).replace('{port}', String(source.port));
      const folder = folderWith({});
      const target = 'redis://127.0.0.1:1';
      const { code, stdout, stderr } = await runProgram([
        ...['--config', folder.config, '--source', address, '--target', target, '--json', '--headless'],
      ]);
      expect(code).toBe(1);
      expect(stdout).toMatch(/password/);
      expect([stdout, stderr, folder.log()].join('\n')).not.toMatch(/Sesam/);
    },
  );
});

describe('key names, hashed', () => {
  it('of writes that the target refuses', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const from = client(source.port);
    await from.config('SET', 'rdbcompression', 'no');
    await from.set('user:alice', 'x'.repeat(1_100_000));
    await client(target.port).config('SET', 'proto-max-bulk-len', '1mb');
    const folder = folderWith({});
    const { code, stdout } = await runProgram([
      ...['--config', folder.config, '--source', `redis://127.0.0.1:${source.port}`],
      ...['--target', `redis://127.0.0.1:${target.port}`, '--snapshot-only', '--json', '--headless'],
    ]);
    expect(code).toBe(6);
    expect(stdout).toContain('user:alice');
    expect(folder.log()).toMatch(/sha256:[0-9a-f]{16}/);
    expect(folder.log()).not.toContain('alice');
  });

  it('of a conflict', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    await client(source.port).set('user:alice', 'of the source');
    await client(target.port).set('user:alice', 'of the target');
    const folder = folderWith({});
    const { code } = await runProgram([
      ...['--config', folder.config, '--source', `redis://127.0.0.1:${source.port}`],
      ...['--target', `redis://127.0.0.1:${target.port}`, '--json', '--headless'],
    ]);
    expect(code).toBe(3);
    expect(folder.log()).not.toContain('alice');
  });
});
