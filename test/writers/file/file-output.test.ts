import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { FerryError } from '../../../source/engine/errors.ts';
import { FileOutput } from '../../../source/writers/file/file-output.ts';
import { waitFor } from '../../support/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'redferry-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const newPath = (): string => join(folder, `out-${++files}`);
const MIB = 1024 * 1024;

function pattern(length: number, seed = 1): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7 + (i >> 8)) & 255));
}

describe('FileOutput', () => {
  it('writes everything in order, and only `finish` gives the file its name', async () => {
    const path = newPath();
    const output = await FileOutput.open(path);
    const big = pattern(3 * MIB + 17);
    output.append(Buffer.from('begin'), 0, 5);
    output.append(big, 0, big.length);
    const at = output.reserve(4);
    output.out.write('end.', at, 'latin1');
    output.commit(at + 4);
    expect(output.position).toBe(5 + big.length + 4);
    expect(existsSync(path)).toBe(false);
    expect(statSync(output.partPath).mode & 0o777).toBe(0o600);
    await output.finish();
    expect(existsSync(output.partPath)).toBe(false);
    expect(readFileSync(path).equals(Buffer.concat([Buffer.from('begin'), big, Buffer.from('end.')]))).toBe(true);
  });

  it('is saturated while more is unwritten than its limit, then says so', async () => {
    let reliefs = 0;
    const output = await FileOutput.open(newPath(), { unwrittenBytes: MIB, onRelief: () => reliefs++ });
    const megabyte = pattern(MIB);
    for (let i = 0; i < 4; i++) output.append(megabyte, 0, MIB);
    expect(output.saturated).toBe(true);
    expect(output.idle).toBe(false);
    await waitFor(() => reliefs > 0 && !output.saturated, { what: 'relief' });
    output.flush();
    await waitFor(() => output.idle, { what: 'an idle output' });
    expect(output.writtenPosition).toBe(4 * MIB);
    await output.abandon();
  });

  it('tells what of the source is in the file', async () => {
    const output = await FileOutput.open(newPath());
    output.note(100);
    output.append(pattern(10), 0, 10);
    output.note(110);
    expect(output.settledPosition).toBeLessThan(110);
    output.flush();
    await waitFor(() => output.idle, { what: 'an idle output' });
    expect(output.settledPosition).toBe(110);
    output.append(pattern(10), 0, 10);
    expect(output.settledPosition).toBe(110);
    await output.abandon();
  });

  it('gathers what is flushed while it writes', async () => {
    const output = await FileOutput.open(newPath());
    const buffers = new Set<Buffer>();
    for (let i = 0; i < 1000; i++) {
      output.append(pattern(10, i), 0, 10);
      output.flush();
      buffers.add(output.out);
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(buffers.size).toBeLessThan(30);
    await waitFor(() => output.idle, { what: 'an idle output' });
    expect(output.writtenPosition).toBe(10_000);
    await output.finish();
    expect(
      readFileSync(output.path).equals(Buffer.concat(Array.from({ length: 1000 }, (_, i) => pattern(10, i)))),
    ).toBe(true);
  });

  it('refuses a name that is taken, before and after the work', async () => {
    const path = newPath();
    writeFileSync(path, 'mine');
    await expect(FileOutput.open(path)).rejects.toThrow(/exists already/);
    const later = newPath();
    const output = await FileOutput.open(later);
    output.append(Buffer.from('new'), 0, 3);
    writeFileSync(later, 'mine');
    await expect(output.finish()).rejects.toThrow(/exists already.*whole and stands in .*\.part/);
    expect(readFileSync(later, 'utf8')).toBe('mine');
    expect(readFileSync(output.partPath, 'utf8')).toBe('new');
  });

  it('replaces a file, and what a run left, when it may; never a directory', async () => {
    const path = newPath();
    writeFileSync(path, 'old');
    writeFileSync(`${path}.part`, 'left over, and longer than what comes');
    const output = await FileOutput.open(path, { overwrite: true });
    output.append(Buffer.from('new'), 0, 3);
    await output.finish();
    expect(readFileSync(path, 'utf8')).toBe('new');
    const directory = newPath();
    mkdirSync(directory);
    await expect(FileOutput.open(directory, { overwrite: true })).rejects.toThrow(/is a directory/);
  });

  it('names what is in the way', async () => {
    const path = newPath();
    const first = await FileOutput.open(path);
    await expect(FileOutput.open(path)).rejects.toThrow(/another run writes it/);
    await expect(FileOutput.open(join(folder, 'nowhere', 'file'))).rejects.toThrow(
      /there is no such folder \(ENOENT\)/,
    );
    await first.abandon();
    expect(existsSync(first.partPath)).toBe(false);
    await first.abandon();
  });

  it.runIf(existsSync('/dev/full'))('says once that the disk is full, and takes no more', async () => {
    const errors: FerryError[] = [];
    const path = newPath();
    const output = await FileOutput.open(path, { onError: (error) => errors.push(error) });
    // The handle's file becomes /dev/full: the only disk at hand that is always full.
    const handle = await (await import('node:fs/promises')).open('/dev/full', 'w');
    const original = Object.getPrototypeOf(handle).write;
    Object.getPrototypeOf(handle).write = function write(...args: unknown[]): unknown {
      return original.apply(handle, args);
    };
    try {
      for (let i = 0; i < 5; i++) output.append(pattern(MIB), 0, MIB);
      await waitFor(() => errors.length > 0, { what: 'the error' });
    } finally {
      Object.getPrototypeOf(handle).write = original;
      await handle.close();
    }
    expect(errors.map((error) => error.message)).toEqual([
      `${output.partPath} can not be written on after 0 bytes: the disk is full (ENOSPC).`,
    ]);
    for (let i = 0; i < 20; i++) output.append(pattern(MIB), 0, MIB);
    expect(output.saturated).toBe(true);
    expect(output.idle).toBe(false);
    await expect(output.finish()).rejects.toThrow(/the disk is full/);
    await output.abandon();
    expect(existsSync(output.partPath)).toBe(false);
  });

  it('cuts the file where it is told to', async () => {
    const path = newPath();
    const output = await FileOutput.open(path);
    output.append(Buffer.from('kept, dropped'), 0, 13);
    await output.finish(4);
    expect(readFileSync(path, 'utf8')).toBe('kept');
  });

  it('puts patches where they belong, written or not, and shows the former bytes to the observer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ length: fc.integer({ min: 9, max: 700_000 }), wait: fc.boolean() }), { maxLength: 8 }),
        fc.array(fc.nat({ max: 2 ** 30 }), { maxLength: 8 }),
        async (blocks, places) => {
          const path = newPath();
          const seen: Buffer[] = [];
          const output = await FileOutput.open(path);
          output.observe((bytes, start, end) => seen.push(Buffer.from(bytes.subarray(start, end))));
          const wanted: Buffer[] = [];
          for (const [index, { length, wait }] of blocks.entries()) {
            const block = pattern(length, index);
            output.append(block, 0, length);
            wanted.push(block);
            if (wait) await new Promise((resolve) => setImmediate(resolve));
            const place = places[index];
            if (place === undefined) continue;
            const sofar = Buffer.concat(wanted);
            const position = place % (sofar.length - 8);
            const patch = Buffer.from('PATCHED!');
            output.patch(position, patch);
            patch.copy(sofar, position);
            wanted.splice(0, wanted.length, sofar);
          }
          output.observe(null);
          await output.finish();
          expect(readFileSync(path).equals(Buffer.concat(wanted))).toBe(true);
          const blocksSeen = Buffer.concat(blocks.map(({ length }, index) => pattern(length, index)));
          expect(Buffer.concat(seen).equals(blocksSeen)).toBe(true);
          rmSync(path);
        },
      ),
      { numRuns: 25 },
    );
  });
});
