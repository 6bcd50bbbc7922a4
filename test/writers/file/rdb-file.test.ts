// RDB files written from what real servers saved: checked by the servers' own checker, loaded, and compared.
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { askServer } from '../../../source/demo/ask-server.ts';
import { TYPE } from '../../../source/rdb/format.ts';
import { HashTemplates } from '../../../source/rdb/hash-templates.ts';
import type { SnapshotSink } from '../../../source/readers/snapshot-sink.ts';
import { FileOutput } from '../../../source/writers/file/file-output.ts';
import { RdbFile } from '../../../source/writers/file/rdb-file.ts';
import { corpusFolder, walkedFiles } from '../../support/corpus.ts';
import { parseSnapshot } from '../../support/parse-snapshot.ts';
import {
  BINARIES,
  call,
  checkRdb,
  compareServers,
  debugServer,
  digestOf,
  feedRdb,
  type ServerName,
  sampleRdb,
  savedRdb,
  serverWithRdb,
  Told,
  testFolder,
  writeRdb,
} from './moving.ts';

const folder = testFolder();
afterAll(() => folder.remove());

const present = (name: ServerName): boolean => name === 'Redis 7.0' || existsSync(BINARIES[name]);
const STREAM = 'a stream';

/** A stream of thousands of entries with groups, and keys with what eviction policies remember. */
async function moreKeys(server: Awaited<ReturnType<typeof debugServer>>): Promise<void> {
  const entries = Array.from({ length: 3000 }, (_, i) => [
    'XADD',
    STREAM,
    `${1_700_000_000_000 + i}-${i % 7}`,
    ...(i % 5 === 0 ? ['only', `v${i}`] : ['n', i, 'text', `value ${i}`]),
  ]);
  await call(server, [
    ...entries,
    ['XDEL', STREAM, '1700000000100-2'],
    ['XGROUP', 'CREATE', STREAM, 'workers', '0'],
    ['XGROUP', 'CREATE', STREAM, 'idle', '$'],
    ['XREADGROUP', 'GROUP', 'workers', 'one', 'COUNT', 700, 'STREAMS', STREAM, '>'],
    ['XREADGROUP', 'GROUP', 'workers', 'two', 'COUNT', 300, 'STREAMS', STREAM, '>'],
    ['XACK', STREAM, 'workers', '1700000000003-3', '1700000000701-1'],
    ['SET', 'expires', 'later', 'PXAT', 4_000_000_000_000],
    ['SET', 'binary \0\r\n', Buffer.from([0, 255, 10, 13, 128])],
    ['SET', 'integer', '-12345'],
    ['SETRANGE', 'a string of 300 KB', 300_000, 'end'],
    ['ZADD', 'scores', 'inf', 'a', '-inf', 'b', '-0', 'c', '0.1', 'd', '1.7976931348623157e308', 'e', '5e-324', 'f'],
  ]);
}

describe.each(['Redis 7.0', 'Redis 8.0', 'Valkey 9'] as const)('an RDB file from %s', (name) => {
  it.runIf(present(name))('is accepted, loaded and equal, by whichever way its values went', async () => {
    const source = await debugServer(name);
    await moreKeys(source);
    const rdb = await sampleRdb(source, 1500);
    const digest = await digestOf(source);
    const ways = [
      { way: 'copied', options: {}, feeding: {} },
      { way: 'big values in parts', options: {}, feeding: { valueBytes: 200, pieceBytes: 1000 } },
      { way: 'big values decoded', options: { decoded: true }, feeding: { valueBytes: 200, pieceBytes: 1000 } },
    ];
    for (const { way, options, feeding } of ways) {
      const file = folder.file('dump.rdb');
      const told = await writeRdb(file, options, (sink) => feedRdb(rdb, sink, feeding));
      expect({ ...told, losses: [...told.losses] }, way).toEqual({ losses: [], leftOutThings: [], refusals: [] });
      expect(checkRdb(name, file), way).toMatch(/Checksum OK[\s\S]*looks OK/);
      const target = await serverWithRdb(name, file);
      expect(await digestOf(target), way).toBe(digest);
      const report = await compareServers(source, target);
      expect(report.differences, way).toEqual([]);
      expect(report.checked, way).toBeGreaterThan(1400);
      if (name !== 'Valkey 9') expect(await askServer(target, ['FCALL', 'sample_length', '1', 'integer'])).toBe('6');
      await target.stop();
    }
  });
});

describe('an RDB file of a lower version', () => {
  it.runIf(present('Redis 8.0') && present('Redis 6.0')).each([
    { to: 'Redis 7.0', version: 10 },
    { to: 'Redis 6.0', version: 9 },
    { to: 'Valkey 8.1', version: 11 },
  ] as const)('is loaded by $to, values whole or in parts', async ({ to, version }) => {
    const source = await debugServer('Redis 8.0');
    await moreKeys(source);
    await call(source, [
      ['HSET', 'fields', 'a', '1', 'b', '2'],
      ['HPEXPIREAT', 'fields', 4_000_000_000_000, 'FIELDS', 1, 'a'],
    ]);
    const rdb = await sampleRdb(source, 1000);
    for (const valueBytes of [2 ** 30, 200]) {
      const file = folder.file('dump.rdb');
      const told = await writeRdb(file, { version }, (sink) => feedRdb(rdb, sink, { valueBytes }));
      expect(told.refusals).toEqual([]);
      expect([...told.losses]).toContain('field-expiry');
      expect(told.leftOutThings.length).toBe(version < 10 ? 1 : 0);
      const target = await serverWithRdb(to, file);
      const report = await compareServers(source, target);
      // Field expiries are lost, and 6.0 has no counters of streams; everything else is equal.
      const bad = report.differences.filter(({ aspects }) => aspects.some((aspect) => aspect !== 'field-ttl'));
      expect(bad.slice(0, 3), `${to}, values above ${valueBytes} bytes`).toEqual([]);
      expect(report.checked).toBeGreaterThan(900);
      await target.stop();
    }
  });

  it.runIf(present('Redis 8.0') && present('Valkey 9'))('or of Valkey keeps field expiries', async () => {
    const source = await debugServer('Redis 8.0');
    await call(source, [
      ['HSET', 'fields', ...Array.from({ length: 400 }, (_, i) => [`field ${i}`, `value ${i}`]).flat()],
      ['HPEXPIREAT', 'fields', 4_000_000_000_000, 'FIELDS', 2, 'field 7', 'field 300'],
    ]);
    const rdb = await savedRdb(source);
    for (const valueBytes of [2 ** 30, 200]) {
      const file = folder.file('dump.rdb');
      const told = await writeRdb(file, { version: 80 }, (sink) => feedRdb(rdb, sink, { valueBytes }));
      expect([...told.losses, ...told.refusals]).toEqual([]);
      const target = await serverWithRdb('Valkey 9', file);
      expect((await compareServers(source, target)).differences).toEqual([]);
      await target.stop();
    }
  });
});

describe('RdbFile', () => {
  it.runIf(corpusFolder !== null)('gives back the values of every file of the corpus', async () => {
    let files = 0;
    for (const { path, name, end } of walkedFiles()) {
      if (!existsSync(path) || !end.includes('error=None')) continue;
      const bytes = readFileSync(path);
      const before = tryParse(bytes);
      // A hash of a template is written as what it stands for.
      if (before === null || before.values.some(({ type }) => type >= TYPE.hashTemplateListpack)) continue;
      const file = folder.file('corpus.rdb');
      await writeRdb(file, {}, (sink) => feedRdb(bytes, sink));
      const after = parseSnapshot(readFileSync(file), 64 * 1024);
      expect(after.values, name).toEqual(before.values);
      expect(after.ended, name).toBe(true);
      files++;
    }
    expect(files).toBeGreaterThan(50);
  });

  it.runIf(corpusFolder !== null)('writes hashes of templates as plain ones', async () => {
    const templates = walkedFiles().filter(({ name }) => /hash_templates/.test(name));
    for (const { path, name } of templates) {
      const bytes = readFileSync(path);
      const before = tryParse(bytes);
      if (before === null) continue;
      const file = folder.file('templates.rdb');
      await writeRdb(file, {}, (sink) => feedRdb(bytes, sink));
      const after = parseSnapshot(readFileSync(file), 64 * 1024);
      expect(
        after.values.map(({ key }) => key),
        name,
      ).toEqual(before.values.map(({ key }) => key));
      expect(
        after.values.every(({ type }) => type < TYPE.hashTemplateListpack),
        name,
      ).toBe(true);
    }
  });

  it('keeps idle times and frequencies, and drops what is about replication', async () => {
    const names: string[] = [];
    const file = folder.file('attributes.rdb');
    await writeRdb(file, {}, async (sink) => {
      sink.header({ version: 10, dialect: 'redis' }, new HashTemplates());
      for (const aux of ['redis-ver', 'repl-id', 'repl-stream-db', 'aof-base', 'lua']) sink.aux(aux, Buffer.from(aux));
      const key = Buffer.from('key');
      const value = Buffer.from('\x05value');
      const entry = {
        database: 15,
        keyBytes: key,
        keyStart: 0,
        keyLength: 3,
        type: 0,
        parts: [],
        bytes: value,
        valueStart: 0,
        valueEnd: value.length,
        expiresAtMs: -1,
        idleSeconds: -1,
        frequency: -1,
      };
      sink.entry({ ...entry, idleSeconds: 20_000 });
      sink.entry({ ...entry, frequency: 200, expiresAtMs: -5 });
      sink.entry({ ...entry, expiresAtMs: 2 ** 63 });
    });
    const seen: unknown[] = [];
    const sink: SnapshotSink = {
      saturated: false,
      header: () => {},
      entry: ({ database, expiresAtMs, idleSeconds, frequency }) => {
        seen.push([database, expiresAtMs, idleSeconds, frequency]);
      },
      beginBig: () => ({ kind: 'skip', skipped: () => {} }),
      announcedKeys: () => {},
      aux: (name) => void names.push(name),
      functionLibrary: () => {},
      leftOut: () => {},
    };
    await feedRdb(readFileSync(file), sink);
    expect(seen).toEqual([
      [15, -1, 20_000, -1],
      // The parser's word for a time before 1970.
      [15, 1, -1, 200],
      [15, 2 ** 63 - 1024, -1, -1],
    ]);
    expect(readFileSync(file).includes(Buffer.from('fcfbffffffffffffff', 'hex'))).toBe(true);
    expect(names).toEqual(['redis-ver', 'lua']);
    expect(checkRdb('Redis 7.0', file)).toMatch(/Checksum OK/);
  });

  it('is nothing when the snapshot has not begun', async () => {
    const output = await FileOutput.open(folder.file('empty.rdb'));
    const file = new RdbFile(output, new Told());
    file.end();
    expect(output.position).toBe(0);
    await output.abandon();
  });
});

function tryParse(bytes: Buffer): ReturnType<typeof parseSnapshot> | null {
  try {
    const parsed = parseSnapshot(bytes, bytes.length);
    return parsed.ended ? parsed : null;
  } catch {
    return null;
  }
}
