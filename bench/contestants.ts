// Who is measured: redferry as it ships, native replication between the same servers, RedisShake where its binary is given.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Place } from './load.ts';
import { WatchedProcess } from './watched-process.ts';

export const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/** redferry in its own process, with the settings it has by default. */
export function startRedferry(source: Place, target: Place, more: readonly string[]): WatchedProcess {
  return new WatchedProcess(process.execPath, [
    CLI,
    'sync',
    '--headless',
    '--json',
    '--source',
    `${source.host}:${source.port}`,
    '--target',
    `${target.host}:${target.port}`,
    ...more,
  ]);
}

/** RedisShake's sync_reader with the settings it has by default. */
export function startRedisShake(binary: string, source: Place, target: Place, snapshotOnly: boolean): WatchedProcess {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-bench-shake-'));
  const file = join(folder, 'shake.toml');
  writeFileSync(
    file,
    `[sync_reader]\naddress = "${source.host}:${source.port}"\nsync_aof = ${!snapshotOnly}\n` +
      `[redis_writer]\naddress = "${target.host}:${target.port}"\n[advanced]\ndir = "${folder}"\nlog_level = "warn"\n`,
  );
  return new WatchedProcess(binary, [file], { cwd: folder });
}
