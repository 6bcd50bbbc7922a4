// The queue of changed keys: each once, in order, in bounded memory, with the rest on disk.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ChangeQueue } from '../../../source/readers/scan/change-queue.ts';
import { ElasticQueue } from '../../../source/spool/elastic-queue.ts';
import { waitFor } from '../../support/wait.ts';

const MIB = 2 ** 20;

function spool(memoryBytes: number, diskBytes: number): ElasticQueue {
  const directory = mkdtempSync(join(tmpdir(), 'redferry-queue-'));
  const queue = new ElasticQueue({
    ...{ memoryBytes, diskBytes, directory, name: 'changes' },
    onReadable: () => {},
    onRelief: () => {},
    onError: (error) => {
      throw error;
    },
  });
  onTestFinished(async () => {
    await queue.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return queue;
}

function add(queue: ChangeQueue, name: string, database = 0): void {
  const key = Buffer.from(name);
  queue.add(database, key, 0, key.length);
}

/** The next key as `database:name`, or null. */
function take(queue: ChangeQueue): string | null {
  let taken: string | null = null;
  queue.take((database, bytes, start, length) => {
    taken = `${database}:${bytes.toString('latin1', start, start + length)}`;
  });
  return taken;
}

describe('the queue of changed keys', () => {
  it('holds a key once, in the order in which it first changed, and again after it was taken', () => {
    const queue = new ChangeQueue(MIB, spool(MIB, 0));
    for (let i = 0; i < 100; i++) for (const name of ['a', 'b', 'a']) add(queue, name);
    add(queue, 'a', 3);
    expect(queue.size).toBe(3);
    expect(take(queue)).toBe('0:a');
    add(queue, 'a');
    add(queue, 'b');
    expect([take(queue), take(queue), take(queue), take(queue)]).toEqual(['0:b', '3:a', '0:a', null]);
    expect(queue.size).toBe(0);
  });

  it('loses no key and takes none twice when most of them stand on disk', async () => {
    const keys = 60_000;
    const queue = new ChangeQueue(256 * 1024, spool(MIB, 64 * MIB));
    for (let round = 0; round < 2; round++) for (let i = 0; i < keys; i++) add(queue, `key:${i}`, i % 3);
    const seen = new Map<string, number>();
    await waitFor(
      () => {
        for (let key = take(queue); key !== null; key = take(queue)) seen.set(key, (seen.get(key) ?? 0) + 1);
        return queue.size === 0;
      },
      { what: 'the queue to be empty' },
    );
    expect(seen.size).toBe(keys);
    expect(Math.max(...seen.values())).toBeLessThanOrEqual(2);
  });

  it('holds a million keys in the memory that it was given', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const queue = new ChangeQueue(16 * MIB, spool(16 * MIB, 1024 * MIB));
    const key = Buffer.alloc(11);
    for (let i = 0; i < 1_000_000; i++) {
      key.write(`k${String(i).padStart(10, '0')}`, 'latin1');
      queue.add(0, key, 0, 11);
      if (i % 50_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(queue.size).toBe(1_000_000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MIB);
  });
});
