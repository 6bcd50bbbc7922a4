// JSON lines: real snapshots written, read again by redferry, and loaded by the server that they came from.
import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { HashTemplates } from '../../../source/rdb/hash-templates.ts';
import type { SnapshotSink } from '../../../source/readers/snapshot-sink.ts';
import { FileOutput } from '../../../source/writers/file/file-output.ts';
import { JsonlFile, type JsonlFileOptions } from '../../../source/writers/file/jsonl-file.ts';
import { JsonlLine } from '../../../source/writers/file/jsonl-line.ts';
import { corpusFolder, walkedFiles } from '../../support/corpus.ts';
import {
  BINARIES,
  call,
  compareServers,
  debugServer,
  digestOf,
  feedJsonl,
  feedRdb,
  type ServerName,
  sampleRdb,
  savedRdb,
  serverWithRdb,
  testFolder,
  writeRdb,
} from './moving.ts';

const folder = testFolder();
afterAll(() => folder.remove());
const present = (name: ServerName): boolean => name === 'Redis 7.0' || existsSync(BINARIES[name]);

async function writeJsonl(
  feeding: (sink: SnapshotSink) => Promise<void>,
  options: JsonlFileOptions = {},
): Promise<string> {
  const path = folder.file('dump.jsonl');
  const file = new JsonlFile(await FileOutput.open(path), options);
  await feeding(file);
  await file.finish();
  return path;
}

function linesOf(path: string): Record<string, unknown>[] {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const STREAM = 'a stream';
const MORE_KEYS = [
  ...Array.from({ length: 400 }, (_, i) => ['XADD', STREAM, `${1_700_000_000_000 + i}-1`, 'n', i]),
  ['XDEL', STREAM, '1700000000007-1'],
  ['XGROUP', 'CREATE', STREAM, 'workers \xff', '0'],
  ['XGROUP', 'CREATE', STREAM, 'idle', '$'],
  ['XREADGROUP', 'GROUP', 'workers \xff', 'one', 'COUNT', 100, 'STREAMS', STREAM, '>'],
  ['XREADGROUP', 'GROUP', 'workers \xff', 'two', 'COUNT', 90, 'STREAMS', STREAM, '>'],
  ['XGROUP', 'CREATECONSUMER', STREAM, 'idle', 'nobody'],
  ['SET', Buffer.from([0xff, 0, 10]), Buffer.from([0xc3, 0x28, 0])],
  ['SET', 'text', 'zwei Grüße \u{1f600} "quoted" \\ and \n\t\u0001 \u2028'],
  ['SET', 'long text', 'ä€😀 '.repeat(3000)],
  ['SET', 'long bytes', Buffer.alloc(20_000, 0xfe)],
  ['SET', 'empty', ''],
  ['ZADD', 'scores', 'inf', 'a', '-inf', 'b', '-0', 'c', '0.1', 'd', '1.7976931348623157e308', 'e', '5e-324', 'f'],
] as const;

describe.each([
  { name: 'Redis 7.0', version: 10 },
  { name: 'Redis 8.0', version: 12 },
] as const)('JSON lines of $name', ({ name, version }) => {
  it.runIf(present(name))('are read again as the same data, in one line a value or in many', async () => {
    const source = await debugServer(name);
    await call(source, MORE_KEYS);
    const rdb = await sampleRdb(source, 1200);
    const digest = await digestOf(source);
    for (const [partBytes, valueBytes] of [
      [2 ** 20, 2 ** 30],
      [64, 2 ** 30],
      [300, 100],
    ] as const) {
      const jsonl = await writeJsonl((sink) => feedRdb(rdb, sink, { valueBytes, pieceBytes: 1000 }), { partBytes });
      const file = folder.file('dump.rdb');
      const told = await writeRdb(file, { version, decoded: true }, (sink) =>
        feedJsonl(readFileSync(jsonl), sink, { pieceBytes: 777 }),
      );
      expect({ ...told, losses: [...told.losses] }).toEqual({ losses: [], leftOutThings: [], refusals: [] });
      const target = await serverWithRdb(name, file);
      expect(await digestOf(target)).toBe(digest);
      const report = await compareServers(source, target);
      expect(report.differences.slice(0, 3)).toEqual([]);
      expect(report.checked).toBeGreaterThan(1000);
      // And once more through JSON: nothing is added or lost by the way.
      const again = await writeJsonl((sink) => feedRdb(readFileSync(file), sink), { partBytes });
      expect(sorted(again)).toEqual(sorted(jsonl));
      await target.stop();
    }
  });
});

/** Keys and values of a file with one line a value, whatever the order; for others just how much it is. */
function sorted(path: string): unknown {
  const lines = linesOf(path);
  if (lines.some(({ part }) => part !== undefined)) return lines.length;
  return lines
    .slice(1)
    .map((line) => JSON.stringify(line))
    .sort();
}

describe('JSON lines', () => {
  it('look as docs/jsonl.md says', async () => {
    const source = await debugServer('Redis 7.0');
    await call(source, [
      ['SET', 'greeting', 'hello', 'PXAT', 4_000_000_000_000],
      ['RPUSH', 'list', 'a', '', Buffer.from([0x80])],
      ['ZADD', 'z', '1', 'one', '3.141592653589793', 'pi', '-inf', 'least'],
      ['HSET', Buffer.from([0xff, 0]), 'field', 'value'],
      ['XADD', 's', '5-1', 'field', 'value', 'other', '2'],
      ['XGROUP', 'CREATE', 's', 'g', '0'],
      ['FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('f', function() return 1 end)"],
    ]);
    await call(source, [['SADD', 's', '1', '2']], 3);
    const lines = linesOf(await writeJsonl(async (sink) => feedRdb(await savedRdb(source), sink)));
    const byKey = (a: Record<string, unknown>, b: Record<string, unknown>) =>
      JSON.stringify([a['db'], a['key']]) < JSON.stringify([b['db'], b['key']]) ? -1 : 1;
    expect(lines[0]).toEqual({ redferry: 'jsonl', version: 1, rdb: 10, dialect: 'redis' });
    expect(lines.slice(1).sort(byKey)).toEqual(
      [
        { function: "#!lua name=lib\nredis.register_function('f', function() return 1 end)" },
        { db: 0, key: 'greeting', expiresAtMs: 4_000_000_000_000, type: 'string', value: 'hello' },
        { db: 0, key: 'list', type: 'list', value: ['a', '', { base64: 'gA==' }] },
        {
          db: 0,
          key: 'z',
          type: 'zset',
          value: [
            ['least', '-inf'],
            ['one', '1'],
            ['pi', '3.141592653589793'],
          ],
        },
        { db: 0, key: { base64: '/wA=' }, type: 'hash', value: [['field', 'value']] },
        {
          db: 0,
          key: 's',
          type: 'stream',
          value: {
            entries: [['5-1', 'field', 'value', 'other', '2']],
            length: 1,
            lastId: '5-1',
            firstId: '5-1',
            maxDeletedId: '0-0',
            entriesAdded: 1,
            groups: [{ name: 'g', lastId: '0-0', entriesRead: -1 }],
          },
        },
        { db: 3, key: 's', type: 'set', value: ['1', '2'] },
      ].sort(byKey),
    );
  });

  it('keep an expiry of a field', { timeout: 30_000 }, async (context) => {
    if (!present('Redis 8.0')) context.skip();
    const source = await debugServer('Redis 8.0');
    const fields = Array.from({ length: 300 }, (_, i) => [`f${i}`, `v${i}`]).flat();
    await call(source, [
      ['HSET', 'h', ...fields],
      ['HPEXPIREAT', 'h', 4_000_000_000_000, 'FIELDS', 2, 'f5', 'f200'],
    ]);
    for (const partBytes of [2 ** 20, 100]) {
      const jsonl = await writeJsonl(async (sink) => feedRdb(await savedRdb(source), sink), { partBytes });
      expect(readFileSync(jsonl, 'utf8')).toContain('["f5","v5",4000000000000]');
      const file = folder.file('dump.rdb');
      await writeRdb(file, { decoded: true }, (sink) => feedJsonl(readFileSync(jsonl), sink));
      const target = await serverWithRdb('Redis 8.0', file);
      expect((await compareServers(source, target)).differences).toEqual([]);
      await target.stop();
    }
  });

  it('never grow longer than a part and one element', async () => {
    const source = await debugServer('Redis 7.0');
    await call(source, [['RPUSH', 'list', ...Array.from({ length: 5000 }, (_, i) => `element ${i}`)]]);
    await call(source, [['SETRANGE', 'string', 100_000, 'x']]);
    const jsonl = await writeJsonl(async (sink) => feedRdb(await savedRdb(source), sink), { partBytes: 1000 });
    const lengths = readFileSync(jsonl, 'utf8')
      .split('\n')
      .map((line) => line.length);
    // A thousand bytes of a string are four thirds of that in base64.
    expect(Math.max(...lengths)).toBeLessThan(1450);
    expect(lengths.length).toBeGreaterThan(150);
  });

  it('cut text between its characters, so that it stays text', async () => {
    const text = 'ä€😀 x'.repeat(500);
    const source = await debugServer('Redis 7.0');
    await call(source, [['SET', 'text', text]]);
    for (const partBytes of [16, 17, 18, 19, 101]) {
      const jsonl = await writeJsonl(async (sink) => feedRdb(await savedRdb(source), sink), { partBytes });
      const parts = linesOf(jsonl).slice(1);
      expect(parts.map(({ value }) => (typeof value === 'string' ? value : '?')).join('')).toBe(text);
      expect(parts[0]).toMatchObject({ part: 1, bytes: Buffer.byteLength(text) });
      expect(parts.at(-1)).toMatchObject({ part: parts.length, last: true });
    }
  });

  it.runIf(corpusFolder !== null)('carry modules and arrays as dumps', async () => {
    let dumps = 0;
    for (const { path, name } of walkedFiles().filter(({ name }) => /module|array/.test(name))) {
      const rdb = readFileSync(path);
      for (const [partBytes, valueBytes] of [
        [2 ** 20, 2 ** 30],
        [64, 2 ** 30],
        [64, 20],
      ] as const) {
        const values = await entriesOf((sink) => feedRdb(rdb, sink)).catch(() => null);
        if (values === null) continue;
        const jsonl = await writeJsonl((sink) => feedRdb(rdb, sink, { valueBytes }), { partBytes });
        const again = await entriesOf((sink) => feedJsonl(readFileSync(jsonl), sink));
        const opaque = values.filter(({ type }) => type === 7 || type === 28);
        expect(
          again.filter(({ type }) => type === 7 || type === 28),
          name,
        ).toEqual(opaque);
        dumps += opaque.length;
      }
    }
    expect(dumps).toBeGreaterThan(3);
  });

  it('hold any text and any bytes', async () => {
    const path = folder.file('strings.jsonl');
    const output = await FileOutput.open(path);
    const line = new JsonlLine(output, 100);
    const written: Buffer[] = [];
    const strings = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      fc.string({ unit: 'binary', maxLength: 60 }).map((text) => Buffer.from(text)),
      fc.integer({ min: 48 * 1024 - 5, max: 48 * 1024 + 5 }).map((length) => Buffer.alloc(length, 'a')),
      fc.integer({ min: 100_000, max: 100_010 }).map((length) => Buffer.alloc(length, '\n\u0001"é')),
      fc.integer({ min: 100_000, max: 100_010 }).map((length) => Buffer.alloc(length, 0xff)),
    );
    fc.assert(
      fc.property(strings, (bytes) => {
        line.string(bytes, 0, bytes.length);
        line.raw(Buffer.from('\n'));
        written.push(bytes);
      }),
      { numRuns: 400 },
    );
    await output.finish();
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(lines.length).toBe(written.length);
    for (const [index, bytes] of written.entries()) {
      const value: unknown = JSON.parse(lines[index] ?? '');
      const read =
        typeof value === 'string' ? Buffer.from(value) : Buffer.from((value as { base64: string }).base64, 'base64');
      expect(read.equals(bytes), `string ${index}`).toBe(true);
      // Text is text: base64 is for what is no UTF-8, or would get longer.
      const controls = bytes.filter((byte) => byte < 32).length;
      const isText = isUtf8(bytes) && 5 * controls <= bytes.length / 3 + 11;
      expect(typeof value === 'string', `string ${index}`).toBe(isText);
    }
  });

  it('write scores that read back to the same bits', async () => {
    const path = folder.file('scores.jsonl');
    const output = await FileOutput.open(path);
    const line = new JsonlLine(output, 100);
    const written: number[] = [0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const score of written) line.score(score);
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (score) => {
        line.score(score);
        written.push(score);
      }),
    );
    await output.finish();
    const texts = readFileSync(path, 'latin1').slice(1, -1).split('""');
    const read = texts.map((text) => (text === 'inf' ? 1 / 0 : text === '-inf' ? -1 / 0 : Number(text)));
    expect(read).toEqual(written);
  });

  it('are written with back-pressure', async () => {
    const path = folder.file('slow.jsonl');
    const output = await FileOutput.open(path, { unwrittenBytes: 100_000 });
    const file = new JsonlFile(output);
    file.header({ version: 10, dialect: 'redis' }, new HashTemplates());
    const source = await debugServer('Redis 7.0');
    await call(
      source,
      Array.from({ length: 40 }, (_, i) => ['SET', `key ${i}`, Buffer.alloc(200_000, 'x')]),
    );
    let blocked = 0;
    await feedRdb(await savedRdb(source), {
      ...bound(file),
      get saturated() {
        if (file.saturated) blocked++;
        return file.saturated;
      },
      header: () => {},
    });
    await file.finish();
    expect(blocked).toBeGreaterThan(0);
    expect(statSync(path).size).toBeGreaterThan(8_000_000);
  });
});

function bound(sink: SnapshotSink): Omit<SnapshotSink, 'saturated'> {
  return {
    header: (header, templates) => sink.header(header, templates),
    entry: (entry) => sink.entry(entry),
    beginBig: (entry) => sink.beginBig(entry),
    announcedKeys: (count) => sink.announcedKeys(count),
    aux: (name, value) => sink.aux(name, value),
    functionLibrary: (code) => sink.functionLibrary(code),
    leftOut: (what) => sink.leftOut(what),
  };
}

interface SeenEntry {
  readonly key: string;
  readonly type: number;
  readonly value: string;
}

/** Keys with their encoded values, big ones put together. */
async function entriesOf(feeding: (sink: SnapshotSink) => Promise<void>): Promise<SeenEntry[]> {
  const seen: SeenEntry[] = [];
  const keyOf = (entry: Parameters<SnapshotSink['entry']>[0]): string =>
    entry.keyBytes.toString('latin1', entry.keyStart, entry.keyStart + entry.keyLength);
  await feeding({
    saturated: false,
    header: () => {},
    entry: (entry) => {
      const { type, parts, bytes, valueStart, valueEnd } = entry;
      const value = Buffer.concat([...parts, bytes.subarray(valueStart, valueEnd)]).toString('hex');
      seen.push({ key: keyOf(entry), type, value });
    },
    beginBig: (entry) => {
      const key = keyOf(entry);
      const { type } = entry;
      if (type !== 7 && type !== 28) return { kind: 'skip', skipped: () => {} };
      const parts: Buffer[] = [];
      return {
        kind: 'raw',
        part: (part) => void parts.push(part),
        end: () => void seen.push({ key, type, value: Buffer.concat(parts).toString('hex') }),
      };
    },
    announcedKeys: () => {},
    aux: () => {},
    functionLibrary: () => {},
    leftOut: () => {},
  });
  return seen;
}
