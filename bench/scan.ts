// How long the scan reader takes for a source of strings, beside what the source alone needs to give them by DUMP and by
// GET, and beside RedisShake's scan reader.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RespBuilder } from '../source/protocol/resp-builder.ts';
import { SourceLink } from '../source/readers/scan/source-link.ts';
import { startRedferry } from './contestants.ts';
import type { Place } from './load.ts';
import { type BenchServer, benchServer } from './servers.ts';
import { cpuSecondsOf, WatchedProcess } from './watched-process.ts';

export interface ScanFigure {
  readonly who: string;
  readonly seconds: number;
  /** The source's processor time a key. */
  readonly sourceMicrosPerKey: number;
  readonly cpuMicrosPerKey: number | null;
  readonly peakBytes: number | null;
}

const PIPELINE = 500;

/** @param keys in the source, named `key:<seven digits>` by `fillSource`. */
export async function measureScan(
  keys: number,
  rounds: number,
  shake: string | null,
  fillSource: (source: Place) => Promise<unknown>,
): Promise<ScanFigure[]> {
  const source = await benchServer();
  try {
    await fillSource(source.server);
    const figures: ScanFigure[] = [];
    for (const command of ['DUMP', 'GET']) figures.push(await alone(source, command, keys));
    figures.push(
      await median(rounds, () =>
        program('redferry', source, keys, (target) =>
          startRedferry(source.server, target, ['--reader', 'scan', '--snapshot-only']),
        ),
      ),
    );
    if (shake !== null)
      figures.push(
        await median(rounds, () =>
          program('RedisShake', source, keys, (target) => startShake(shake, source.server, target)),
        ),
      );
    return figures;
  } finally {
    await source.stop();
  }
}

async function median(rounds: number, run: () => Promise<ScanFigure>): Promise<ScanFigure> {
  const figures: ScanFigure[] = [];
  for (let round = 0; round < rounds; round++) figures.push(await run());
  const sorted = figures.sort((a, b) => a.seconds - b.seconds);
  return sorted[Math.floor(sorted.length / 2)] as ScanFigure;
}

/** One connection that only asks, and nobody who takes what comes. */
async function alone(source: BenchServer, command: string, keys: number): Promise<ScanFigure> {
  const { host, port } = source.server;
  const link = new SourceLink({
    address: { host, port },
    tls: null,
    credentials: { username: null, password: null },
    connectTimeoutMs: 5000,
    clientName: 'bench',
    readsReplica: false,
  });
  await link.open();
  const names = await namesOf(source);
  const before = cpuSecondsOf(source.server.pid);
  const startedAt = performance.now();
  const request = new RespBuilder(64 * 1024);
  for (let at = 0; at < names.length; at += PIPELINE) {
    request.clear();
    const part = names.slice(at, at + PIPELINE);
    for (const name of part) request.add(command, name);
    link.release(await link.ask(request.written(), part.length, 0));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  link.close();
  const cpu = cpuSecondsOf(source.server.pid) - before;
  return {
    who: `source alone, ${command}`,
    seconds,
    sourceMicrosPerKey: (cpu / keys) * 1e6,
    cpuMicrosPerKey: null,
    peakBytes: null,
  };
}

async function namesOf({ redis }: BenchServer): Promise<Buffer[]> {
  const names: Buffer[] = [];
  for (let cursor = '0'; ; ) {
    const [next, keys] = await redis.scanBuffer(cursor, 'COUNT', 10_000);
    names.push(...keys);
    cursor = next.toString();
    if (cursor === '0') return names;
  }
}

async function program(
  who: string,
  source: BenchServer,
  keys: number,
  start: (target: Place) => WatchedProcess,
): Promise<ScanFigure> {
  const target = await benchServer();
  try {
    const before = cpuSecondsOf(source.server.pid);
    const watched = start(target.server);
    const code = await watched.ended;
    if (code !== 0) throw new Error(`${who} ended with ${code}: ${watched.stdout.slice(-500)}`);
    const there = await target.redis.dbsize();
    if (there !== keys) throw new Error(`${who}: the target has ${there} keys instead of ${keys}`);
    const { wallSeconds, cpuSeconds, peakBytes } = watched.usage();
    return {
      who,
      seconds: wallSeconds,
      sourceMicrosPerKey: ((cpuSecondsOf(source.server.pid) - before) / keys) * 1e6,
      cpuMicrosPerKey: (cpuSeconds / keys) * 1e6,
      peakBytes,
    };
  } finally {
    await target.stop();
  }
}

/** RedisShake's scan_reader with the COUNT that its documentation names for speed. */
function startShake(binary: string, source: Place, target: Place): WatchedProcess {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-bench-shake-'));
  const file = join(folder, 'shake.toml');
  writeFileSync(
    file,
    `[scan_reader]\naddress = "${source.host}:${source.port}"\nscan = true\nksn = false\ncount = 1000\n` +
      `[redis_writer]\naddress = "${target.host}:${target.port}"\n[advanced]\ndir = "${folder}"\nlog_level = "warn"\n`,
  );
  return new WatchedProcess(binary, [file], { cwd: folder });
}
