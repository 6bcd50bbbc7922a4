import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it, test } from 'vitest';
import { parseFileAddress } from '../../../source/config/address.ts';
import { openFileSource } from '../../../source/readers/file/file-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'redferry-source-'));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);

function put(name: string, content: string | Buffer): string {
  mkdirSync(join(at(name), '..'), { recursive: true });
  writeFileSync(at(name), content, 'latin1');
  return at(name);
}

async function open(address: string) {
  const parsed = parseFileAddress(address);
  if (parsed === null) throw new Error(`${address} is no file address`);
  return openFileSource(parsed);
}

const RDB = 'REDIS0011\xff12345678';
const VALKEY = 'VALKEY080\xff12345678';
const COMMAND = '*1\r\n$4\r\nPING\r\n';

put('backup/b.rdb', RDB);
put('backup/a.rdb', VALKEY);
put('backup/c.rdb.gz', gzipSync(Buffer.from(RDB, 'latin1')));
put('backup/sub.rdb/x', '');
put('other/b.rdb', RDB);
put('plain.aof', `#TS:1\r\n${COMMAND}`);
put('preamble.aof', RDB + COMMAND);
put('keys.jsonl', '{"db":0}\n');

describe('rdb:', () => {
  it('makes a shard of each file, with what its head says', async () => {
    expect(await open(`rdb:${at('backup/b.rdb')},${at('backup/a.rdb')},${at('backup/c.rdb.gz')}`)).toEqual([
      {
        name: 'b.rdb',
        format: 'rdb',
        files: [at('backup/b.rdb')],
        totalBytes: RDB.length,
        compressed: false,
        rdb: { version: 11, dialect: 'redis' },
      },
      expect.objectContaining({ name: 'a.rdb', rdb: { version: 80, dialect: 'valkey' } }),
      expect.objectContaining({
        name: 'c.rdb.gz',
        compressed: true,
        totalBytes: gzipSync(Buffer.from(RDB, 'latin1')).length,
        rdb: { version: 11, dialect: 'redis' },
      }),
    ]);
  });

  it('reads patterns, sorted, without folders, each file once', async () => {
    const inputs = await open(`rdb:${at('backup')}/*.rdb,${at('backup/c.rdb.gz')},${at('backup')}/?.rdb*`);
    expect(inputs.map(({ name }) => name)).toEqual(['a.rdb', 'b.rdb', 'c.rdb.gz']);
    await expect(open(`rdb:${at('backup')}/*.dump`)).rejects.toThrow(`rdb:${at('backup')}/*.dump matches no file.`);
  });

  it('takes a name that looks like a pattern when there is such a file', async () => {
    put('odd/a[1].rdb', RDB);
    put('odd/a1.rdb', RDB);
    expect((await open(`rdb:${at('odd/a[1].rdb')}`)).map(({ name }) => name)).toEqual(['a[1].rdb']);
  });

  it('tells files of the same name apart', async () => {
    const inputs = await open(`rdb:${at('backup/b.rdb')},${at('other/b.rdb')},${at('backup/a.rdb')}`);
    expect(inputs.map(({ name }) => name)).toEqual([at('backup/b.rdb'), at('other/b.rdb'), 'a.rdb']);
  });

  it('leaves standard input and pipes alone', async () => {
    const pipe = at('pipe');
    execFileSync('mkfifo', [pipe]);
    const unseen = { format: 'rdb', totalBytes: null, compressed: false, rdb: null };
    expect(await open('rdb:-')).toEqual([{ ...unseen, name: 'stdin', files: ['-'] }]);
    expect(await open(`rdb:${pipe}`)).toEqual([{ ...unseen, name: 'pipe', files: [pipe] }]);
  });

  test.each([
    ['rdb:gone.rdb', 'There is no file gone.rdb.'],
    [`rdb:${at('backup')}`, `${at('backup')} is a folder: name the files in it, for example rdb:${at('backup/*')}.`],
    [
      `rdb:${at('plain.aof')}`,
      `${at('plain.aof')} is no RDB file: it holds commands, as an AOF does; name it as aof:PATH.`,
    ],
    [`rdb:${at('keys.jsonl')}`, 'it begins like JSON lines; name it as jsonl:FILE.'],
    [`jsonl:${at('plain.aof')}`, 'is no JSON lines file: it holds commands'],
  ])('%s is refused', async (address, message) => {
    await expect(open(address)).rejects.toThrow(message);
    await expect(open(address)).rejects.toMatchObject({ code: 'config', exitCode: 2 });
  });
});

describe('aof:', () => {
  it('takes single files, with or without an RDB', async () => {
    expect(await open(`aof:${at('plain.aof')}`)).toEqual([
      {
        name: 'plain.aof',
        format: 'aof',
        files: [at('plain.aof')],
        totalBytes: 7 + COMMAND.length,
        compressed: false,
        rdb: null,
      },
    ]);
    expect((await open(`aof:${at('preamble.aof')}`))[0]?.rdb).toEqual({ version: 11, dialect: 'redis' });
    put('empty.aof', '');
    expect((await open(`aof:${at('empty.aof')}`))[0]?.totalBytes).toBe(0);
  });

  it('takes a folder, a manifest, and a manifest of another name as one set', async () => {
    const manifest = 'file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n';
    put('set/a.aof.manifest', manifest);
    put('set/temp-a.aof.manifest', manifest.slice(0, 20));
    put('set/a.1.base.rdb', RDB);
    put('set/a.1.incr.aof', COMMAND);
    const copy = put('set/copy', manifest);
    const files = [at('set/a.1.base.rdb'), at('set/a.1.incr.aof')];
    for (const [path, name] of [
      [at('set'), 'a.aof'],
      [at('set/a.aof.manifest'), 'a.aof'],
      [copy, 'copy'],
    ]) {
      const totalBytes = RDB.length + COMMAND.length;
      const rdb = { version: 11, dialect: 'redis' };
      expect(await open(`aof:${path}`)).toEqual([{ name, format: 'aof', files, totalBytes, compressed: false, rdb }]);
    }
  });

  it('finds the file that a server had not moved yet', async () => {
    put('upgrade/appendonly.aof', COMMAND);
    put('upgrade/appendonlydir/appendonly.aof.manifest', 'file appendonly.aof seq 1 type b\n');
    const [input] = await open(`aof:${at('upgrade/appendonlydir')}`);
    expect(input?.files).toEqual([at('upgrade/appendonly.aof')]);
  });

  it('says what is wrong with a set', async () => {
    put('none/appendonly.aof', COMMAND);
    await expect(open(`aof:${at('none')}`)).rejects.toThrow(
      `There is no AOF manifest in ${at('none')} (it holds appendonly.aof): name the folder that holds one, or a single AOF file.`,
    );
    mkdirSync(at('bare'));
    await expect(open(`aof:${at('bare')}`)).rejects.toThrow('(it is empty)');
    put('two/a.manifest', '');
    put('two/b.manifest', '');
    await expect(open(`aof:${at('two')}`)).rejects.toThrow(
      'holds several AOF manifests: name one of a.manifest, b.manifest.',
    );
    const missing = put('part/a.manifest', 'file a seq 1 type b\nfile b seq 1 type i\n');
    put('part/a', COMMAND);
    await expect(open(`aof:${missing}`)).rejects.toThrow(`names what is not there: ${at('part/b')}.`);
    const nothing = put('part/n.manifest', '# nothing\n');
    await expect(open(`aof:${nothing}`)).rejects.toThrow('names no file to read');
    const kind = put('part/k.manifest', 'file k seq 1 type b\n');
    put('part/k', 'garbage');
    await expect(open(`aof:${kind}`)).rejects.toThrow(`${at('part/k')} is no AOF: it begins with "garbage"`);
    await expect(open(`aof:${at('backup/sub.rdb/gone')}`)).rejects.toThrow('There is no file');
  });
});
