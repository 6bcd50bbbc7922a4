// How fast an RDB file is walked, from the page cache, on one core: every key found and handed out, nothing written. Beside
// it redis-check-rdb, which walks the same file and decodes its values, and cat, which only reads it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startServer } from '../source/demo/local-servers.ts';
import { ByteWindow } from '../source/readers/byte-window.ts';
import { FileFeed } from '../source/readers/file/file-feed.ts';
import { SnapshotParser } from '../source/readers/snapshot-parser.ts';
import type { SnapshotSink } from '../source/readers/snapshot-sink.ts';
import { fill } from './load.ts';
import { fillMixed } from './mixed.ts';

export interface WalkFigure {
  readonly who: string;
  readonly seconds: number;
  readonly megabytesPerSecond: number;
}

const WALK_LIMITS = { valueBytes: 64 * 1024 * 1024 };

/** @param strings how many keys of 473 bytes stand beside the mixed data. @returns figures, and the file's bytes and keys. */
export async function measureWalk(
  strings: number,
  rounds: number,
): Promise<{ readonly figures: readonly WalkFigure[]; readonly bytes: number; readonly keys: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'redferry-walk-'));
  try {
    const path = await saveMixed(directory, strings);
    const bytes = statSync(path).size;
    let keys = 0;
    const contestants: readonly (readonly [who: string, run: () => Promise<void> | void])[] = [
      [
        'redferry',
        async () => {
          keys = await walk(path, bytes);
        },
      ],
      ['redis-check-rdb', () => runProgram('redis-check-rdb', [path])],
      ['cat', () => runProgram('cat', [path])],
    ];
    const seconds = contestants.map((): number[] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [index, [, run]] of contestants.entries()) {
        const startedAt = performance.now();
        await run();
        seconds[index]?.push((performance.now() - startedAt) / 1000);
      }
    }
    const figures = contestants.map(([who], index) => {
      const median = [...(seconds[index] ?? [])].sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN;
      return { who, seconds: median, megabytesPerSecond: bytes / 1e6 / median };
    });
    return { figures, bytes, keys };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function saveMixed(directory: string, strings: number): Promise<string> {
  const server = await startServer({ args: ['--dir', directory, '--dbfilename', 'walk.rdb'] });
  const redis = new Redis({ host: server.host, port: server.port });
  try {
    await fillMixed(server);
    await fill(server, strings);
    await redis.save();
    return join(directory, 'walk.rdb');
  } finally {
    redis.disconnect();
    await server.stop();
  }
}

/** Walks the whole file; gives the number of keys. */
function walk(path: string, totalBytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let keys = 0;
    const window = new ByteWindow();
    const sink: SnapshotSink = {
      saturated: false,
      header: () => {},
      entry: () => {
        keys++;
      },
      beginBig: () => ({ kind: 'skip', skipped: () => {} }),
      announcedKeys: () => {},
      aux: () => {},
      functionLibrary: () => {},
      leftOut: () => {},
    };
    const parser = new SnapshotParser(window, sink, WALK_LIMITS);
    const feed = new FileFeed({
      files: [path],
      format: 'rdb',
      totalBytes,
      onReadable: () => {
        let status = parser.parse();
        while (status === 'hungry' && window.fill(feed) > 0) status = parser.parse();
        if (status === 'end') void feed.close().then(() => resolve(keys));
      },
      onError: reject,
    });
    feed.start();
  });
}

function runProgram(name: string, args: readonly string[]): void {
  const { error, status } = spawnSync(name, args, { stdio: 'ignore' });
  if (error !== undefined || status !== 0) throw error ?? new Error(`${name} ended with ${status}`);
}
