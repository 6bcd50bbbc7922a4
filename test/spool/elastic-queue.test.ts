// The elastic queue against the plainest model there is: one growing counter of bytes. The byte at position n is a
// function of n, so a lost, doubled or exchanged byte shows at once.

import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FerryError } from '../../source/engine/errors.ts';
import { ElasticQueue } from '../../source/spool/elastic-queue.ts';
import type { ElasticQueueOptions } from '../../source/spool/queue-options.ts';
import { directoryDisk, type SpoolDisk } from '../../source/spool/spool-disk.ts';
import { waitFor } from '../support/wait.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spool-test-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** The byte that belongs at a position; its period has nothing to do with any chunk size. */
function byteAt(position: number): number {
  return (position * 31 + (position >> 8) * 17) & 0xff;
}

function piece(from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = byteAt(from + i);
  return bytes;
}

function expectPiece(bytes: Uint8Array, from: number, length: number): void {
  for (let i = 0; i < length; i++) {
    if (bytes[i] !== byteAt(from + i)) throw new Error(`byte ${from + i} is ${bytes[i]}, not ${byteAt(from + i)}`);
  }
}

function queueOf(options: Partial<ElasticQueueOptions>): ElasticQueue {
  return new ElasticQueue({
    memoryBytes: 256,
    diskBytes: 4096,
    directory,
    name: 'test',
    chunkBytes: 16,
    onReadable: () => {},
    onRelief: () => {},
    onError: (error) => {
      throw error;
    },
    ...options,
  });
}

/** Reads what there is, waiting for the disk, and checks it; gives the position reached. */
async function drain(queue: ElasticQueue, from: number, to: number, most = 64): Promise<number> {
  const into = new Uint8Array(most);
  let position = from;
  const deadline = Date.now() + 20_000;
  while (position < to) {
    const count = queue.read(into, 0, Math.min(most, to - position));
    expectPiece(into, position, count);
    position += count;
    if (count === 0) {
      if (Date.now() > deadline) throw new Error(`stuck at ${position} of ${to}, size ${queue.size}`);
      await sleep(1);
    }
  }
  return position;
}

/** A directory's disk that fails on command. */
function brokenDisk(): { disk: SpoolDisk; fail: { create: boolean; write: boolean; read: boolean } } {
  const fail = { create: false, write: false, read: false };
  const good = directoryDisk(directory, 'broken');
  const refuse = (): never => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  const disk: SpoolDisk = {
    async create() {
      if (fail.create) refuse();
      const file = await good.create();
      return {
        async write(pieces, position) {
          // As a real disk does: a part is written before it is full.
          if (fail.write) {
            await file.write(pieces.slice(0, 1), position);
            refuse();
          }
          await file.write(pieces, position);
        },
        async read(pieces, position) {
          if (fail.read) refuse();
          await file.read(pieces, position);
        },
        remove: () => file.remove(),
      };
    },
  };
  return { disk, fail };
}

describe('order and contents', () => {
  test('random pushes, reads and pauses, with a disk that fails now and then, give back what went in', async () => {
    let sawDisk = 0;
    let sawFull = 0;
    const step = fc.oneof(
      fc.record({ act: fc.constant('push' as const), size: fc.integer({ min: 0, max: 150 }) }),
      fc.record({ act: fc.constant('read' as const), size: fc.integer({ min: 1, max: 150 }) }),
      fc.record({ act: fc.constant('push' as const), size: fc.integer({ min: 0, max: 400 }) }),
      fc.record({ act: fc.constant('turn' as const), size: fc.integer({ min: 0, max: 3 }) }),
      fc.record({ act: fc.constant('limit' as const), size: fc.integer({ min: 16, max: 512 }) }),
      fc.record({ act: fc.constant('break' as const), size: fc.integer({ min: 0, max: 8 }) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 200 }),
        fc.constantFrom(0, 64, 500, 4096, 100_000),
        async (steps, diskBytes) => {
          const { disk, fail } = brokenDisk();
          const queue = queueOf({ diskBytes, disk, retryMs: 1, onError: () => {} });
          let pushed = 0;
          let read = 0;
          const into = new Uint8Array(160);
          for (const { act, size } of steps) {
            if (act === 'push') {
              queue.push(piece(pushed, size));
              pushed += size;
            } else if (act === 'read') {
              const count = queue.read(into, 3, size);
              expectPiece(into.subarray(3), read, count);
              read += count;
            } else if (act === 'turn') {
              if (size === 3) await sleep(1);
              else for (let i = 0; i <= size; i++) await new Promise(setImmediate);
            } else if (act === 'limit') {
              queue.setMemoryLimit(size);
            } else {
              fail.write = size === 1;
              fail.create = size === 2;
              fail.read = size === 3;
            }
            expect(queue.size).toBe(pushed - read);
            expect(queue.memoryBytes + queue.diskBytes).toBe(pushed - read);
            expect(queue.diskBytes).toBeLessThanOrEqual(diskBytes);
            if (queue.diskBytes > 0) sawDisk++;
            if (queue.full) sawFull++;
          }
          fail.read = false;
          await drain(queue, read, pushed);
          expect(queue.size).toBe(0);
          expect(queue.full).toBe(false);
          await queue.close();
        },
      ),
      { numRuns: 300 },
    );
    // The limits are meant to be small enough that all of it happens.
    expect(sawDisk).toBeGreaterThan(100);
    expect(sawFull).toBeGreaterThan(100);
  });

  test('a consumer that only reacts to onReadable gets everything', async () => {
    const total = 300_000;
    const into = new Uint8Array(100);
    let read = 0;
    let resume: (() => void) | null = null;
    const queue: ElasticQueue = queueOf({
      memoryBytes: 4096,
      diskBytes: 100_000,
      chunkBytes: 64,
      onReadable: () => {
        for (let i = 0; i < 40; i++) {
          const count = queue.read(into, 0, into.length);
          if (count === 0) return;
          expectPiece(into, read, count);
          read += count;
        }
        // Slow on purpose, so that the disk is needed: goes on in another turn.
        setTimeout(() => {
          if (queue.size > 0) drainSome();
        }, 0);
      },
      onRelief: () => resume?.(),
    });
    function drainSome(): void {
      for (;;) {
        const count = queue.read(into, 0, into.length);
        expectPiece(into, read, count);
        read += count;
        if (count < into.length) return;
      }
    }
    let most = 0;
    for (let pushed = 0; pushed < total; ) {
      queue.push(piece(pushed, Math.min(777, total - pushed)));
      pushed += Math.min(777, total - pushed);
      most = Math.max(most, queue.memoryBytes);
      if (queue.full)
        await new Promise<void>((resolve) => {
          resume = resolve;
        });
    }
    const deadline = Date.now() + 10_000;
    while (read < total && Date.now() < deadline) await sleep(5);
    expect(read).toBe(total);
    expect(most).toBeLessThan(4096 + 2048);
    await queue.close();
  });
});

describe('limits', () => {
  test('is full without a disk at its memory limit, and tells of relief once', () => {
    let relieved = 0;
    const queue = queueOf({ memoryBytes: 1000, diskBytes: 0, onRelief: () => relieved++ });
    queue.push(piece(0, 999));
    expect(queue.full).toBe(false);
    queue.push(piece(999, 1));
    expect(queue.full).toBe(true);
    const into = new Uint8Array(1000);
    queue.read(into, 0, 50);
    expect(queue.full).toBe(true);
    queue.read(into, 0, 50);
    expect(queue.full).toBe(false);
    queue.read(into, 0, 500);
    expect(relieved).toBe(1);
  });

  test('uses memory, then disk up to its limit, then is full', async () => {
    const queue = queueOf({ memoryBytes: 16_384, diskBytes: 65_536, chunkBytes: 256 });
    let pushed = 0;
    while (!queue.full && pushed < 1_000_000) {
      queue.push(piece(pushed, 512));
      pushed += 512;
      await sleep(0);
    }
    expect(queue.diskBytes).toBeGreaterThan(65_536 * 0.9);
    expect(queue.diskBytes).toBeLessThanOrEqual(65_536);
    expect(queue.memoryBytes).toBeLessThan(16_384 + 1024);
    await drain(queue, 0, pushed, 1000);
    expect(queue.diskBytes).toBe(0);
    await queue.close();
  });

  test('a lower memory limit sends what is above it to disk', async () => {
    const queue = queueOf({ memoryBytes: 1 << 20, diskBytes: 1 << 20, chunkBytes: 1024 });
    queue.push(piece(0, 200_000));
    expect(queue.diskBytes).toBe(0);
    queue.setMemoryLimit(65_536);
    const deadline = Date.now() + 5_000;
    while ((queue.memoryBytes > 65_536 || queue.full) && Date.now() < deadline) await sleep(1);
    expect(queue.memoryBytes).toBeLessThanOrEqual(65_536);
    expect(queue.full).toBe(false);
    await drain(queue, 0, 200_000, 5000);
    await queue.close();
  });
});

describe('a disk that fails', () => {
  test('is told once, loses nothing, means back-pressure, and is used again when it works', async () => {
    const { disk, fail } = brokenDisk();
    const errors: Error[] = [];
    const queue = queueOf({
      memoryBytes: 2048,
      disk,
      retryMs: 50,
      diskBytes: 1 << 20,
      onError: (error) => errors.push(error),
    });
    fail.write = true;
    let pushed = 0;
    while (!queue.full) {
      queue.push(piece(pushed, 100));
      pushed += 100;
      await sleep(1);
    }
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(FerryError);
    expect(errors[0]).toMatchObject({ code: 'spool' });
    expect(errors[0]?.message).toContain('ENOSPC');
    expect(queue.diskBytes).toBe(0);
    fail.write = false;
    let read = await drain(queue, 0, 300);
    await waitFor(
      () => {
        if (!queue.full) {
          queue.push(piece(pushed, 100));
          pushed += 100;
        }
        return queue.diskBytes > 0;
      },
      { what: 'the disk to be used again', intervalMs: 1 },
    );
    read = await drain(queue, read, pushed);
    expect(errors).toHaveLength(1);
    await queue.close();
  });

  test('that cannot be read for a while only delays', async () => {
    const { disk, fail } = brokenDisk();
    const errors: Error[] = [];
    const queue = queueOf({ disk, retryMs: 100, onError: (error) => errors.push(error) });
    let pushed = 0;
    while (queue.diskBytes < 1000) {
      queue.push(piece(pushed, 100));
      pushed += 100;
      await sleep(1);
    }
    fail.read = true;
    setTimeout(() => {
      fail.read = false;
    }, 500);
    await drain(queue, 0, pushed);
    expect(errors).toHaveLength(1);
    await queue.close();
  });

  test('a directory that is not there is an error, not a crash', async () => {
    const errors: Error[] = [];
    const missing = join(directory, 'missing');
    const queue = queueOf({ directory: missing, onError: (error) => errors.push(error) });
    queue.push(piece(0, 1000));
    await sleep(50);
    expect(errors[0]?.message).toContain('ENOENT');
    expect(queue.full).toBe(true);
    await drain(queue, 0, 1000);
    await queue.close();
  });
});

describe('files', () => {
  test('are for the owner only, and nothing is left in the directory', async () => {
    const own = await mkdtemp(join(directory, 'own-'));
    const modes: number[] = [];
    const disk = directoryDisk(own, 'mode');
    const file = await disk.create();
    await file.write([piece(0, 10), piece(10, 20)], 0);
    const back = [new Uint8Array(7), new Uint8Array(23)];
    await file.read(back, 0);
    expectPiece(Buffer.concat(back), 0, 30);
    await expect(file.read([new Uint8Array(31)], 0)).rejects.toThrow('ends at byte 30');
    for (const name of await readdir(own)) modes.push((await stat(join(own, name))).mode & 0o777);
    expect(modes.every((mode) => mode === 0o600)).toBe(true);
    await file.remove();
    expect(await readdir(own)).toEqual([]);
  });

  test('are gone after close, also with a write under way, and the queue is dead then', async () => {
    const own = await mkdtemp(join(directory, 'own-'));
    let told = 0;
    const queue = queueOf({ directory: own, onReadable: () => told++ });
    for (let pushed = 0; pushed < 4000; pushed += 100) {
      queue.push(piece(pushed, 100));
      if (pushed < 2000) await sleep(1);
    }
    expect(queue.diskBytes).toBeGreaterThan(0);
    await queue.close();
    expect(await readdir(own)).toEqual([]);
    expect(queue.size).toBe(0);
    expect(queue.full).toBe(false);
    const before = told;
    queue.push(piece(0, 100));
    expect(queue.read(new Uint8Array(10), 0, 10)).toBe(0);
    expect(queue.size).toBe(0);
    expect(told).toBe(before);
    await queue.close();
  });
});
