// AOF files as real servers write them, whole and cut: what is read, applied to an empty server, must be what the server
// that wrote them (or that loads the cut ones) has.
import { existsSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { askServer } from '../../../source/demo/ask-server.ts';
import type { RunningServer } from '../../../source/demo/local-servers.ts';
import { encodeCommand } from '../../../source/protocol/resp-encode.ts';
import { Crc64 } from '../../../source/rdb/crc64.ts';
import { openFileSource } from '../../../source/readers/file/file-source.ts';
import { type ParsedValue, parseSnapshot } from '../../support/parse-snapshot.ts';
import { testServer } from '../../support/servers.ts';
import { waitFor } from '../../support/wait.ts';
import { type ReadAof, readAof } from './read-aof.ts';

const REDIS_6 = '.cache/servers/redis-6.0/redis-server';
const DEBUG_ALLOWED = ['--enable-debug-command', 'yes'];
const DONE = Buffer.from('$4\r\ndone\r\n');

/** Sends commands over one link and waits until all are answered. */
function send(server: RunningServer, commands: readonly (readonly (string | Buffer)[])[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.host, port: server.port });
    let tail = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      tail = Buffer.concat([tail, bytes]).subarray(-DONE.length);
      if (!tail.equals(DONE)) return;
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
    socket.write(Buffer.concat([...commands, ['ECHO', 'done']].map((command) => encodeCommand(command))));
  });
}

const digest = (server: RunningServer) => askServer(server, ['DEBUG', 'DIGEST']);

/** Writes in two databases, some of them in blocks, some relative to now. */
function someWrites(round: number): string[][] {
  const writes: string[][] = [];
  for (let i = 0; i < 40; i++) {
    writes.push(['SELECT', i % 3 === 0 ? '3' : '0'], ['SET', `key:${i}`, `${round}:${'v'.repeat(i * 7)}`]);
    writes.push(['RPUSH', 'list', `${round}`, 'a\r\n$5\r\nb', ''], ['INCR', 'count'], ['EXPIRE', `key:${i}`, '100000']);
    if (i % 5 === 0)
      writes.push(['MULTI'], ['ZADD', 'z', String(i), `m${round}`], ['HSET', 'h', `f${i}`, '1'], ['EXEC']);
  }
  return writes;
}

interface Loaded {
  readonly read: ReadAof;
  readonly snapshot: readonly ParsedValue[];
  readonly files: readonly string[];
}

async function load(path: string, untilMs: number | null = null): Promise<Loaded> {
  const [input] = await openFileSource({ format: 'aof', paths: [path] });
  const files = input?.files ?? [];
  const contents = files.map((file) => readFileSync(file));
  const snapshot = input?.rdb ? parseSnapshot(contents[0] ?? Buffer.alloc(0), 65_536) : null;
  const read = readAof(contents, { preambleBytes: snapshot?.position ?? 0, pieceBytes: 3001, untilMs });
  return { read, snapshot: snapshot?.values ?? [], files };
}

/** The commands that stand, with the databases that the borders of files select. */
function commandsOf({ events, end }: ReadAof): (readonly (string | Buffer)[])[] {
  const commands: (readonly (string | Buffer)[])[] = [];
  for (const event of events) {
    if (event === 'file' || event === 'preamble') commands.push(['SELECT', '0']);
    else if (event !== 'oversized') commands.push(event.map((argument) => Buffer.from(argument, 'latin1')));
  }
  // A block that is cut is discarded, as whoever has handed its MULTI on has to do.
  if (end.kind === 'unfinished-transaction') commands.push(['DISCARD']);
  return commands;
}

function restoreOf({ database, key, type, value, expiresAtMs }: ParsedValue): (string | Buffer)[][] {
  const payload = Buffer.concat([Buffer.from([type]), value, Buffer.from([9, 0])]);
  const crc = new Crc64();
  crc.update(payload, 0, payload.length);
  const sum = Buffer.alloc(8);
  sum.writeBigUInt64LE(crc.value());
  const expires = String(Math.max(0, expiresAtMs));
  return [
    ['SELECT', String(database)],
    ['RESTORE', key, expires, Buffer.concat([payload, sum]), 'ABSTTL'],
  ];
}

async function applied(binary: string, { read, snapshot }: Loaded): Promise<string> {
  const args = binary.includes('6.0') ? [] : DEBUG_ALLOWED;
  const server = await testServer({ binary, args });
  await send(server, [...snapshot.flatMap(restoreOf), ...commandsOf(read)]);
  return digest(server);
}

describe('an AOF of Redis 7', () => {
  const start = (...args: string[]) =>
    testServer({ args: [...DEBUG_ALLOWED, '--appendonly', 'yes', '--appendfsync', 'always', ...args] });

  it('in several files, with timestamps and blocks, holds what the server had', async () => {
    const server = await start('--aof-timestamp-enabled', 'yes', '--aof-use-rdb-preamble', 'no');
    const folder = join(server.directory, 'appendonlydir');
    await send(server, someWrites(1));
    await askServer(server, ['BGREWRITEAOF']);
    await waitFor(() => readdirSync(folder).includes('appendonly.aof.2.base.aof') && readdirSync(folder).length === 3, {
      what: 'the rewritten AOF',
    });
    await send(server, someWrites(2));
    const untilMs = Date.now();
    // The stop time is a whole second: what comes now must be of a later one.
    await waitFor(() => Date.now() >= (Math.floor(untilMs / 1000) + 1) * 1000 + 200, { what: 'the next second' });
    const digestBefore = await digest(server);
    // A rewrite that does not come to its end leaves a second incremental file.
    await askServer(server, ['CONFIG', 'SET', 'rdb-key-save-delay', '10000000']);
    await askServer(server, ['BGREWRITEAOF']);
    await send(server, someWrites(3));
    const digestAfter = await digest(server);

    const all = await load(folder);
    expect(all.files.map((file) => file.slice(folder.length + 1))).toEqual([
      'appendonly.aof.2.base.aof',
      'appendonly.aof.2.incr.aof',
      'appendonly.aof.3.incr.aof',
    ]);
    expect(all.read.end.kind).toBe('clean');
    expect(all.read.timestampMs).toBeGreaterThan(untilMs);
    expect(all.read.events.flat()).toContain('MULTI');
    expect(await applied('redis-server', all)).toBe(digestAfter);

    const stopped = await load(folder, untilMs);
    expect(stopped.read.end).toMatchObject({ kind: 'stopped', error: null });
    expect(await applied('redis-server', stopped)).toBe(digestBefore);
    expect(digestBefore).not.toBe(digestAfter);
  });

  it('that is cut gives what the server loads from it', async () => {
    const server = await start('--aof-load-truncated', 'yes');
    const folder = join(server.directory, 'appendonlydir');
    await send(server, someWrites(1).slice(0, 30));
    const incremental = join(folder, 'appendonly.aof.1.incr.aof');
    const text = readFileSync(incremental, 'latin1');
    const kinds: string[] = [];
    // From the end on: a server shortens the file that it loads.
    const cuts = [text.length - 1, text.indexOf('HSET') + 5, text.indexOf('ZADD') - 4, text.indexOf('RPUSH')];
    for (const length of cuts.sort((a, b) => b - a)) {
      server.kill('SIGKILL');
      await server.waitForExit();
      truncateSync(incremental, length);
      const cut = await load(folder);
      kinds.push(cut.read.end.kind);
      expect(cut.read.end.error).toBeNull();
      await server.restart();
      expect(await applied('redis-server', cut)).toBe(await digest(server));
      // Outside of a block the server cuts the file at the same byte.
      if (cut.read.end.kind === 'truncated') expect(statSync(incremental).size).toBe(cut.read.end.offset);
    }
    expect(kinds).toEqual(['truncated', 'unfinished-transaction', 'unfinished-transaction', 'truncated']);
  });
});

describe.skipIf(!existsSync(REDIS_6))('an AOF of Redis 6', () => {
  it('in one file with an RDB before its commands holds what the server had', async () => {
    const server = await testServer({ binary: REDIS_6, args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const path = join(server.directory, 'appendonly.aof');
    await send(server, someWrites(1));
    await askServer(server, ['BGREWRITEAOF']);
    await waitFor(() => readFileSync(path).toString('latin1', 0, 5) === 'REDIS', { what: 'the rewritten AOF' });
    await send(server, someWrites(2));
    const loaded = await load(path);
    expect(loaded.read.events[0]).toBe('preamble');
    expect(loaded.read.end).toMatchObject({ kind: 'clean', offset: statSync(path).size });
    expect(loaded.snapshot.length).toBeGreaterThan(40);
    expect(loaded.read.events.length).toBeGreaterThan(150);
    expect(await applied(REDIS_6, loaded)).toBe(await digest(server));
  });
});
