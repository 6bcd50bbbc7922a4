import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it, test } from 'vitest';
import { encodeCommand } from '../../../source/protocol/resp-encode.ts';
import { ByteWindow } from '../../../source/readers/byte-window.ts';
import { AofStream } from '../../../source/readers/file/aof-stream.ts';
import { FileFeed } from '../../../source/readers/file/file-feed.ts';
import { argumentsOf } from './read-aof.ts';
import { takeAll } from './take-all.ts';

const folder = mkdtempSync(join(tmpdir(), 'redferry-feed-'));
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
function file(bytes: Buffer): string {
  const path = join(folder, `file${written++}`);
  writeFileSync(path, bytes);
  return path;
}

/** As an AOF begins, then anything. */
const commands = (length: number) => Buffer.concat([Buffer.from('*1\r\n'), randomBytes(length)]);
const rdb = (length: number) => Buffer.concat([Buffer.from('REDIS0011'), randomBytes(length)]);
const MARK = 'm'.repeat(40);

describe('FileFeed', () => {
  it('gives one file after the other, whatever the looks', async () => {
    const contents = [commands(3_000_000), Buffer.alloc(0), commands(10), commands(524_288 - 4), commands(524_288)];
    const paths = contents.map(file);
    for (const lookBytes of [1_000_000, 524_288, 65_537]) {
      const { files, error, consumed } = await takeAll(paths, { lookBytes });
      expect(error).toBeNull();
      expect(files.map((bytes) => bytes.length)).toEqual(contents.map((bytes) => bytes.length));
      for (const [i, bytes] of files.entries()) expect(bytes.equals(contents[i] ?? Buffer.alloc(1))).toBe(true);
      const total = contents.reduce((sum, bytes) => sum + bytes.length, 0);
      expect(consumed.at(-1)).toBe(total);
      expect(consumed).toEqual(consumed.toSorted((a, b) => a - b));
    }
    const small = contents.slice(1, 3).map(file);
    expect((await takeAll(small, { lookBytes: 1 })).files).toEqual(contents.slice(1, 3));
  });

  it('unpacks gzip, of several members too, and counts the packed bytes', async () => {
    const text = Buffer.from('*3\r\n$3\r\nSET\r\n'.repeat(200_000));
    const packed = Buffer.concat([gzipSync(text), gzipSync(text)]);
    const path = file(packed);
    const { files, error, consumed, mostReady } = await takeAll([path, file(text)]);
    expect(error).toBeNull();
    expect(files[0]?.equals(Buffer.concat([text, text]))).toBe(true);
    expect(files[1]?.equals(text)).toBe(true);
    expect(consumed.at(-1)).toBe(packed.length + text.length);
    expect(consumed.filter((bytes) => bytes <= packed.length).length).toBeGreaterThan(10);
    expect(mostReady).toBeLessThanOrEqual(4 * 512 * 1024);
  });

  it('gives everything before the place where gzip is cut or damaged', async () => {
    const text = randomBytes(400_000);
    text.write('*1');
    const packed = gzipSync(text, { level: 1 });
    for (const length of [packed.length - 1, packed.length - 9, 300_000, 70_000, 100]) {
      const { files, error } = await takeAll([file(packed.subarray(0, length))]);
      expect(error).toMatchObject({ code: 'file' });
      expect(error?.message).toMatch(/cannot be unpacked beyond byte \d+: it ends in the middle, at about byte \d+ of/);
      const given = files[0] ?? Buffer.alloc(0);
      expect(text.subarray(0, given.length).equals(given)).toBe(true);
      // Random bytes are stored as they are, so as many come out as went in, but for a few of zlib's own.
      expect(given.length).toBeGreaterThanOrEqual(Math.min(text.length, length - 200));
    }
    const wrongSum = Buffer.from(packed);
    wrongSum[packed.length - 6] = (wrongSum[packed.length - 6] ?? 0) ^ 1;
    const { files, error } = await takeAll([file(wrongSum)]);
    const given = files[0] ?? Buffer.alloc(0);
    expect(text.subarray(0, given.length).equals(given)).toBe(true);
    expect(given.length).toBeGreaterThan(text.length - 256 * 1024);
    expect(error?.message).toMatch(/it is damaged \(incorrect data check\)/);
  });

  it('survives gzip that is cut at any byte of its head', async () => {
    const packed = gzipSync(Buffer.from('*1\r\n$4\r\nPING\r\n'));
    for (let length = 3; length < packed.length; length++) {
      const { error } = await takeAll([file(packed.subarray(0, length))]);
      expect(error?.message).toMatch(/cannot be unpacked beyond byte \d+: it ends in the middle/);
    }
  });

  it.each([
    ['a marked capture', `$EOF:${MARK}\r\n`],
    ['a counted capture', '$123456\r\n'],
  ])('passes over the frame of %s', async (_, frame) => {
    const content = rdb(1000);
    const path = file(Buffer.concat([Buffer.from(frame), content]));
    expect((await takeAll([path], { format: 'rdb' })).files[0]?.equals(content)).toBe(true);
    const packed = file(gzipSync(Buffer.concat([Buffer.from(frame), content])));
    expect((await takeAll([packed], { format: 'rdb' })).files[0]?.equals(content)).toBe(true);
  });

  test.each([
    ['rdb', Buffer.from('VCS\x01\x01\0\x01rest'), /is compressed by Valkey \(a VCS file\)/],
    ['aof', Buffer.from('VCS\x01\x01\0\x01rest'), /is compressed by Valkey/],
    ['rdb', commands(5), /is no RDB file: it holds commands, as an AOF does; name it as aof:PATH/],
    ['rdb', Buffer.alloc(0), /is no RDB file: it is empty/],
    ['rdb', Buffer.from('file a seq 1 type b\n'), /it is the manifest of an AOF/],
    ['rdb', Buffer.from('\x7fELF\x02\x01'), /it begins with "\?ELF\?\?" instead of REDIS or VALKEY/],
    ['aof', Buffer.from('{"key":1}\n'), /is no AOF: it begins like JSON lines; name it as jsonl:FILE/],
    ['aof', Buffer.from('hello'), /it begins with "hello" instead of a command/],
    ['jsonl', rdb(5), /is no JSON lines file: it is an RDB file; name it as rdb:FILE/],
  ] as const)('as %s refuses %o', async (format, content, message) => {
    const { error, files } = await takeAll([file(content)], { format });
    expect(error?.message).toMatch(message);
    expect(error).toMatchObject({ code: 'config' });
    expect(files[0]?.length).toBe(0);
  });

  it('tells of a file that is missing when it comes to it', async () => {
    const content = commands(2_000_000);
    const { files, error } = await takeAll([file(content), join(folder, 'gone.aof'), file(content)]);
    expect(files.map((bytes) => bytes.length)).toEqual([content.length, 0]);
    expect(error?.message).toBe(`There is no file ${join(folder, 'gone.aof')}.`);
    expect((await takeAll([folder])).error?.message).toBe(`${folder} is a folder, where a file is needed.`);
  });

  it('reads only a little ahead, and goes on when there is room', async () => {
    const content = commands(20_000_000);
    const { feed, told } = openFeed([file(content)]);
    await told();
    await delay(100);
    expect(feed.size).toBeGreaterThan(1_000_000);
    expect(feed.size).toBeLessThanOrEqual(4 * 512 * 1024);
    expect(feed.consumedBytes).toBe(0);
    const into = Buffer.alloc(content.length + 1);
    for (let taken = 0; !feed.ended; ) {
      const count = feed.read(into, taken, into.length - taken);
      taken += count;
      if (count === 0 && !feed.ended) await told();
    }
    expect(into.subarray(0, -1).equals(content)).toBe(true);
  });

  it('says in which file a position is', async () => {
    const first = file(commands(96));
    const second = file(Buffer.concat([Buffer.from('$12\r\n'), rdb(91)]));
    const { feed, told } = openFeed([first, first]);
    const into = Buffer.alloc(200);
    await told();
    let taken = feed.read(into, 0, 60);
    expect(feed.segmentAt(60)).toEqual({ file: first, offset: 60 });
    while (!feed.fileDone) {
      const count = feed.read(into, taken, 200 - taken);
      taken += count;
      if (count === 0) await told();
    }
    expect(feed.segmentAt(100)).toEqual({ file: first, offset: 100 });
    expect(feed.nextFile()).toBe(true);
    expect(feed.segmentAt(99)).toEqual({ file: first, offset: 99 });
    expect(feed.segmentAt(100)).toEqual({ file: first, offset: 0 });
    const framed = openFeed([second], 'rdb');
    await framed.told();
    expect(framed.feed.segmentAt(9)).toEqual({ file: second, offset: 14 });
    await Promise.all([feed.close(), framed.feed.close()]);
  });

  it('can be closed at any time and says nothing afterwards', async () => {
    const path = file(commands(5_000_000));
    const packed = file(gzipSync(randomBytes(3_000_000)));
    for (const files of [[path], [packed], [path, packed]]) {
      for (let turns = 0; turns < 12; turns++) {
        let told = 0;
        const feed = new FileFeed({
          files,
          format: 'jsonl',
          totalBytes: null,
          onReadable: () => told++,
          onError: () => told++,
        });
        feed.start();
        for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
        await feed.close();
        const before = told;
        await new Promise((resolve) => setImmediate(resolve));
        expect(told).toBe(before);
        expect(feed.read(Buffer.alloc(10), 0, 10)).toBe(0);
      }
    }
  });
});

it('feeds an AofStream through a window, file after file', async () => {
  const command = (i: number) => encodeCommand(['SET', `key:${i}`, 'v'.repeat((i * 37) % 9000)]);
  const part = (from: number, to: number) =>
    Buffer.concat(Array.from({ length: to - from }, (_, i) => command(from + i)));
  const contents = [part(0, 300), Buffer.alloc(0), part(300, 301), part(301, 900), part(900, 1000).subarray(0, -1)];
  const paths = contents.map((bytes, i) => file(i % 2 === 0 ? bytes : gzipSync(bytes)));
  const keys: string[] = [];
  const end = await new Promise((resolve, reject) => {
    const window = new ByteWindow();
    const run = (): void => {
      for (;;) {
        switch (aof.next()) {
          case 'command':
            keys.push(argumentsOf(aof.parser)[1] ?? '');
            break;
          case 'hungry':
            if (window.fill(feed) === 0) return;
            break;
          case 'end':
            resolve(aof.end);
            return;
        }
      }
    };
    const feed = new FileFeed({ files: paths, format: 'aof', totalBytes: null, onReadable: run, onError: reject });
    const aof = new AofStream(window, feed, { commandBytes: 1 << 28 }, null);
    feed.start();
  });
  expect(keys).toEqual(Array.from({ length: 999 }, (_, i) => `key:${i}`));
  const offset = (contents[4]?.length ?? 0) + 1 - command(999).length;
  expect(end).toMatchObject({ kind: 'truncated', file: paths[4], offset, error: null });
});

describe('standard input', () => {
  const script = fileURLToPath(new URL('take-stdin.ts', import.meta.url));
  const sha1 = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex');
  const content = rdb(3_000_000);

  /** Pipes the pieces in, with a pause between them. */
  async function piped(pieces: readonly Buffer[]): Promise<unknown> {
    const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    for (const piece of pieces) {
      await new Promise((resolve) => child.stdin.write(piece, resolve));
      await delay(20);
    }
    child.stdin.end();
    await ended;
    return JSON.parse(output);
  }

  it('is read from a pipe, in any pieces', async () => {
    const expected = { length: content.length, sha1: sha1(content), error: null };
    const framed = Buffer.concat([Buffer.from(`$EOF:${MARK}\r\n`), content]);
    const cuts = [0, 1, 5, 47, 50, 60, 100_000, framed.length];
    const pieces = cuts.slice(1).map((cut, i) => framed.subarray(cuts[i], cut));
    expect(await piped(pieces)).toEqual(expected);
    const packed = gzipSync(content);
    expect(await piped([packed.subarray(0, 2), packed.subarray(2, 30), packed.subarray(30)])).toEqual(expected);
    expect(await piped([])).toMatchObject({ error: 'standard input is no RDB file: it is empty.' });
  });

  it('is read from a redirected file', () => {
    const path = file(content);
    const output = execFileSync('/bin/sh', ['-c', `"${process.execPath}" "${script}" < "${path}"`]).toString();
    expect(JSON.parse(output)).toEqual({ length: content.length, sha1: sha1(content), error: null });
  });
});

/** A feed that has begun; `told` waits for its next word. */
function openFeed(files: readonly string[], format: 'aof' | 'rdb' = 'aof') {
  let wake = () => {};
  const feed = new FileFeed({ files, format, totalBytes: null, onReadable: () => wake(), onError: () => wake() });
  feed.start();
  const told = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  return { feed, told };
}
