// The AOF files of the corpus: those of the servers' own tests with what their expectations say, and real ones.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { openFileSource } from '../../../source/readers/file/file-source.ts';
import { corpusFolder } from '../../support/corpus.ts';
import { parseSnapshot } from '../../support/parse-snapshot.ts';
import { type ReadAof, readAof } from './read-aof.ts';

/** The stop times that aof.tcl gives to redis-check-aof --truncate-to-timestamp. */
const STOP_SECONDS: Readonly<Record<string, number>> = { case17: 1628217473, case18: 1628217471, case19: 1628217470 };

/** Reads an AOF by its address, and the strings that it leaves behind. */
async function load(path: string, untilMs: number | null): Promise<ReadAof & { values: Map<string, string> }> {
  const [input] = await openFileSource({ format: 'aof', paths: [path] });
  const files = (input?.files ?? []).map((file) => readFileSync(file));
  const values = new Map<string, string>();
  let preambleBytes = 0;
  if (input?.rdb) {
    const snapshot = parseSnapshot(files[0] ?? Buffer.alloc(0), 4096);
    expect(snapshot.ended).toBe(true);
    preambleBytes = snapshot.position;
    // Short strings: one byte of length, then the string.
    for (const { key, value, type } of snapshot.values) if (type === 0) values.set(`${key}`, `${value.subarray(1)}`);
  }
  const read = readAof(files, { preambleBytes, untilMs, pieceBytes: 997 });
  for (const event of read.events) if (typeof event !== 'string') apply(event, values);
  return { ...read, values };
}

function apply([name = '', key = '', value = '']: readonly string[], values: Map<string, string>): void {
  if (/^set$/i.test(name)) values.set(key, value);
  if (/^incr$/i.test(name)) values.set(key, String(Number(values.get(key) ?? 0) + 1));
}

describe.skipIf(corpusFolder === null)('the AOF corpus', () => {
  const folder = join(corpusFolder ?? '', 'aof');
  const cases = ['valkey-aof', 'valkey-aofmp'].flatMap((origin) =>
    corpusFolder === null ? [] : readdirSync(join(folder, origin)).map((name) => join(origin, name)),
  );

  test.each(cases)('%s loads or fails as the servers do', async (name) => {
    const { title, upstream_expectation: upstream } = JSON.parse(
      readFileSync(join(folder, name, 'expect.json'), 'utf8'),
    );
    const directory = join(folder, name, 'appendonlydir');
    const path = existsSync(directory) ? directory : join(folder, name, 'appendonly.aof');
    if (upstream.startsWith('eventually:! [is_alive')) {
      await expect(load(path, null), title).rejects.toMatchObject({ code: expect.stringMatching(/manifest|config/) });
      return;
    }
    const stop = STOP_SECONDS[name.split('/').at(-1) ?? ''];
    const untilMs = name.startsWith('valkey-aof/') && stop !== undefined ? stop * 1000 : null;
    const { end, values, events } = await load(path, untilMs);
    if (upstream.includes('Bad file format'))
      expect(end, title).toMatchObject({ kind: 'broken', error: { code: 'aof' } });
    else expect(end.error, title).toBeNull();
    if (title.startsWith('Unfinished MULTI')) expect(end).toMatchObject({ kind: 'unfinished-transaction', offset: 33 });
    if (title.startsWith('Short read')) expect(end).toMatchObject({ kind: 'truncated' });
    if (upstream.includes('Unknown command')) expect(events.flat()).toContain('bla');
    for (const [, value = '', key = ''] of upstream.matchAll(/([^\s;]*)==<get (\w+)>/g)) {
      // Of keys that the test itself sets afterwards nothing is in the file.
      if (upstream.includes(`OK==<set ${key} `)) continue;
      expect(values.get(key) ?? '', `${title}: ${key}`).toBe(value);
    }
    for (const [, value = '', key = ''] of upstream.matchAll(/get (\w+)\] eq "(\d+)"/g))
      expect(values.get(value)).toBe(key);
  });

  it('reads single files whole', async () => {
    const five = await load(join(folder, 'redis-replicator/appendonly5.aof'), null);
    expect(five.end.kind).toBe('clean');
    expect(five.events).toHaveLength(71);
    for (const name of ['redis-replicator/appendonly6.aof', 'redis-replicator/appendonly7.aof']) {
      const path = join(folder, name);
      expect((await load(path, null)).end).toMatchObject({ kind: 'clean', offset: readFileSync(path).length });
    }
    const mixed = await load(join(folder, 'valkey/rdb-preamble.aof'), null);
    expect(Object.fromEntries(mixed.values)).toEqual({ k1: 'v1', k2: 'v2', k3: 'v3' });
  });

  it('names a file whose line ends were converted on their way', async () => {
    const { end, events } = await load(join(folder, 'redisshake/appendonlydir'), null);
    expect(events).toEqual(['preamble', 'file']);
    expect(end).toMatchObject({ kind: 'broken', offset: 0 });
    expect(end.file).toBe('file1');
    expect(end.message).toContain(
      'a line end without a carriage return at byte 2, it may have been converted as a text',
    );
  });
});
