// How fast the elastic queue is, printed and not asserted: a loaded machine is no defect. What is asserted is that
// nothing is lost and that a burst's memory is given back.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ElasticQueue } from '../../source/spool/elastic-queue.ts';

const MEGA = 1024 * 1024;

interface Figures {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly mostOnDisk: number;
}

/** Pushes `total` bytes as a socket would, the consumer behind by `behind` bytes at most. */
async function run(directory: string, memoryBytes: number, behind: number, total: number): Promise<Figures> {
  let relieve: (() => void) | null = null;
  let readable: (() => void) | null = null;
  const queue = new ElasticQueue({
    memoryBytes,
    diskBytes: 2048 * MEGA,
    directory,
    name: 'speed',
    onReadable: () => readable?.(),
    onRelief: () => relieve?.(),
    onError: (error) => {
      throw error;
    },
  });
  const socketBuffer = Buffer.alloc(65_536, 7);
  const into = Buffer.alloc(512 * 1024);
  const cpu = process.cpuUsage();
  const begin = performance.now();
  let pushed = 0;
  let read = 0;
  let mostOnDisk = 0;
  while (read < total) {
    if (pushed < total && !queue.full) {
      for (let i = 0; i < 16 && pushed < total; i++, pushed += socketBuffer.length) queue.push(socketBuffer);
    }
    mostOnDisk = Math.max(mostOnDisk, queue.diskBytes);
    const wait = new Promise<void>((resolve) => {
      readable = resolve;
      relieve = resolve;
    });
    if (pushed - read > behind || pushed >= total) {
      const count = queue.read(into, 0, into.length) + queue.read(into, 0, into.length);
      read += count;
      if (count === 0) await wait;
    } else if (queue.full) {
      await wait;
    }
    await new Promise(setImmediate);
  }
  const used = process.cpuUsage(cpu);
  const seconds = (performance.now() - begin) / 1000;
  await queue.close();
  return { seconds, cpuSeconds: (used.user + used.system) / 1e6, mostOnDisk };
}

test('throughput in memory and through the disk', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'spool-speed-'));
  const resident = process.memoryUsage.rss();
  try {
    const cases = [
      { name: 'memory only', memory: 64 * MEGA, behind: MEGA, total: 2048 * MEGA },
      { name: 'bursts of 256 MiB', memory: 512 * MEGA, behind: 256 * MEGA, total: 1024 * MEGA },
      { name: 'through disk', memory: 32 * MEGA, behind: 256 * MEGA, total: 1024 * MEGA },
    ];
    for (const { name, memory, behind, total } of cases) {
      const { seconds, cpuSeconds, mostOnDisk } = await run(directory, memory, behind, total);
      const gigabytes = total / 1e9;
      console.log(
        `${name}: ${(gigabytes / seconds).toFixed(2)} GB/s, ${((cpuSeconds / gigabytes) * 1000).toFixed(0)} ms CPU a GB, ` +
          `${(mostOnDisk / MEGA).toFixed(0)} MiB on disk at most, ` +
          `${((process.memoryUsage.rss() - resident) / MEGA).toFixed(0)} MiB more resident`,
      );
    }
    expect(process.memoryUsage.rss() - resident).toBeLessThan(96 * MEGA);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
