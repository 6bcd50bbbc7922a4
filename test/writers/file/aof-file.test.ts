// Append-only files: a preamble from a real snapshot with commands behind it, checked by redis-check-aof, loaded by
// servers in every form in which they take one, and compared with a server that executed the same commands.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeCommand } from '../../../source/protocol/resp-encode.ts';
import { AofFile } from '../../../source/writers/file/aof-file.ts';
import { FileOutput } from '../../../source/writers/file/file-output.ts';
import { RdbFile } from '../../../source/writers/file/rdb-file.ts';
import {
  BINARIES,
  call,
  compareServers,
  debugServer,
  digestOf,
  feedRdb,
  type ServerName,
  sampleRdb,
  Told,
  testFolder,
} from './moving.ts';

const folder = testFolder();
afterAll(() => folder.remove());

const present = (name: ServerName): boolean => name === 'Redis 7.0' || existsSync(BINARIES[name]);

const COMMANDS: readonly { readonly database: number; readonly args: readonly string[] }[] = [
  { database: 0, args: ['set', 'after', 'snapshot'] },
  { database: 0, args: ['INCR', 'counter'] },
  { database: 7, args: ['RPUSH', 'list', 'a', '', 'binary \r\n$5'] },
  { database: 0, args: ['MULTI'] },
  { database: 0, args: ['INCR', 'counter'] },
  { database: 5, args: ['SET', 'in another', 'database'] },
  { database: 5, args: ['EXEC'] },
  { database: 5, args: ['SET', 'big', 'x'.repeat(100_000)] },
  { database: 0, args: ['multi'] },
  { database: 0, args: ['SET', 'in a large block', 'y'.repeat(5000)] },
  { database: 0, args: ['INCR', 'counter'] },
  { database: 0, args: ['exec'] },
  { database: 0, args: ['PEXPIREAT', 'counter', '4000000000000'] },
];

function append(aof: AofFile, database: number, args: readonly string[]): void {
  // As they stand in a window, other bytes around them.
  const command = Buffer.concat([Buffer.from('*1\r\n'), encodeCommand(args), Buffer.from('*2')]);
  aof.command(command, 4, command.length - 2, database);
}

interface Written {
  readonly path: string;
  readonly left: number;
}

/** @param open commands of a transaction that never ends. */
async function writeAof(rdb: Buffer | null, version: number | null, open: readonly string[][] = []): Promise<Written> {
  const path = folder.file('appendonly.aof');
  const output = await FileOutput.open(path);
  const preamble = new RdbFile(output, new Told(), { preamble: true, ...(version === null ? {} : { version }) });
  const aof = new AofFile(output, preamble, { blockBytes: 1000 });
  if (rdb !== null) await feedRdb(rdb, preamble);
  for (const { database, args } of COMMANDS) append(aof, database, args);
  expect(aof.insideBlock).toBe(false);
  for (const args of open) append(aof, 9, args);
  expect(aof.insideBlock).toBe(open.length > 0);
  return { path, left: await aof.finish() };
}

/** A server with the file as the only one, as servers before 7.0 have it. */
function serverWithSingle(name: ServerName, path: string) {
  const directory = join(folder.path, `single-${name}-${Date.now()}`);
  mkdirSync(directory);
  copyFileSync(path, join(directory, 'appendonly.aof'));
  return debugServer(name, ['--dir', directory, '--appendonly', 'yes', '--aof-load-truncated', 'no']);
}

/** A server with the file as the base of a manifest. */
function serverWithBase(name: ServerName, path: string) {
  const directory = join(folder.path, `base-${name}-${Date.now()}`);
  mkdirSync(join(directory, 'appendonlydir'), { recursive: true });
  copyFileSync(path, join(directory, 'appendonlydir', 'written.aof'));
  writeFileSync(join(directory, 'appendonlydir', 'appendonly.aof.manifest'), 'file written.aof seq 1 type b\n');
  return debugServer(name, ['--dir', directory, '--appendonly', 'yes', '--aof-load-truncated', 'no']);
}

async function runCommands(server: Parameters<typeof call>[0]): Promise<void> {
  for (const { database, args } of COMMANDS) {
    if (!/^(multi|exec)$/i.test(args[0] ?? '')) await call(server, [args], database);
  }
}

function check(path: string): string {
  return execFileSync('redis-check-aof', [path], { encoding: 'utf8' });
}

describe('an append-only file', () => {
  it('with a preamble is loaded as a single file and as a base, by 7.0', async () => {
    const source = await debugServer('Redis 7.0');
    const rdb = await sampleRdb(source, 800);
    const { path, left } = await writeAof(rdb, null);
    expect(left).toBe(0);
    expect(check(path)).toMatch(/is valid/);
    await runCommands(source);
    for (const start of [serverWithSingle, serverWithBase]) {
      const target = await start('Redis 7.0', path);
      expect(await digestOf(target)).toBe(await digestOf(source));
      expect((await compareServers(source, target)).differences).toEqual([]);
      await target.stop();
    }
  });

  it.runIf(present('Redis 6.0')).each([
    { to: 'Redis 6.0', version: 9 },
    { to: 'Redis 8.0', version: null },
    { to: 'Valkey 8.1', version: null },
  ] as const)('is loaded by $to', async ({ to, version }) => {
    const source = await debugServer('Redis 7.0');
    const rdb = await sampleRdb(source, 500);
    const { path } = await writeAof(rdb, version);
    await runCommands(source);
    const target = await serverWithSingle(to, path);
    expect((await compareServers(source, target)).differences.slice(0, 3)).toEqual([]);
  });

  it('without a snapshot is commands only', async () => {
    const source = await debugServer('Redis 7.0');
    const { path } = await writeAof(null, null);
    expect(readFileSync(path).subarray(0, 13).toString()).toBe('*3\r\n$3\r\nset\r\n');
    expect(check(path)).toMatch(/is valid/);
    await runCommands(source);
    for (const start of [serverWithSingle, serverWithBase]) {
      const target = await start('Redis 7.0', path);
      expect(await digestOf(target)).toBe(await digestOf(source));
      await target.stop();
    }
  });

  it.each([
    { size: 'small', open: [['MULTI'], ['SET', 'never', 'done']] },
    { size: 'large', open: [['MULTI'], ['SET', 'never', 'z'.repeat(2000)], ['INCR', 'counter']] },
  ])('ends in front of a $size transaction that is under way', async ({ open }) => {
    const whole = await writeAof(null, null);
    const cut = await writeAof(null, null, open);
    expect(readFileSync(cut.path).equals(readFileSync(whole.path))).toBe(true);
    const bytes = [['SELECT', '9'], ...open].reduce((sum, args) => sum + encodeCommand(args).length, 0);
    expect(cut.left).toBe(bytes);
    expect(check(cut.path)).toMatch(/is valid/);
  });
});
