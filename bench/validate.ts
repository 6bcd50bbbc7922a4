// `npm run build && node bench/validate.ts`: how many keys a second the full comparison does, in both directions and in one, on two
// servers with the same strings of 473 bytes; beside it redis-full-check where its binary is given (it looks in one direction). Processor time is
// told for each side, since on a machine that has other work to do it is the only figure that stays.
// Options: --keys N, --rounds N, --redis-full-check PATH.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { stopAll } from '../source/demo/local-servers.ts';
import { CLI } from './contestants.ts';
import { fill } from './load.ts';
import { type BenchServer, benchServer } from './servers.ts';
import { cpuSecondsOf, WatchedProcess } from './watched-process.ts';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '2000000' },
    rounds: { type: 'string', default: '3' },
    'redis-full-check': { type: 'string' },
  },
});
const keys = Number(values.keys);
const rounds = Number(values.rounds);

const resultLine = z.looseObject({ event: z.literal('result'), outcome: z.string(), equal: z.number() });

interface Figure {
  readonly who: string;
  readonly seconds: number;
  readonly ownMicrosPerKey: number;
  readonly serversMicrosPerKey: number;
  readonly peakMegabytes: number;
}

try {
  const [source, target] = await Promise.all([benchServer(), benchServer()]);
  await Promise.all([fill(source.server, keys), fill(target.server, keys)]);
  const figures: Figure[] = [];
  for (let round = 0; round < rounds; round++) {
    figures.push(await redferry(source, target, 'both directions'));
    figures.push(await redferry(source, target, 'one direction'));
    const binary = values['redis-full-check'];
    if (binary !== undefined) figures.push(await fullCheck(binary, source, target));
  }
  console.table(
    figures.map(({ who, seconds, ownMicrosPerKey, serversMicrosPerKey, peakMegabytes }) => ({
      who,
      seconds: Number(seconds.toFixed(2)),
      'keys/s': Math.round(keys / seconds),
      'own us/key': Number(ownMicrosPerKey.toFixed(2)),
      'servers us/key': Number(serversMicrosPerKey.toFixed(2)),
      'peak MB': Math.round(peakMegabytes),
    })),
  );
} finally {
  await stopAll();
}
process.exit(0);

function address({ server: { host, port } }: BenchServer): string {
  return `${host}:${port}`;
}

/** Runs `work` and adds what the servers spent on it. */
async function measure(
  who: string,
  servers: readonly BenchServer[],
  work: () => Promise<{ readonly ownSeconds: number; readonly peakBytes: number }>,
): Promise<Figure> {
  const spent = (): number => servers.reduce((sum, { server }) => sum + cpuSecondsOf(server.pid), 0);
  const before = spent();
  const startedAt = performance.now();
  const { ownSeconds, peakBytes } = await work();
  return {
    who,
    seconds: (performance.now() - startedAt) / 1000,
    ownMicrosPerKey: (ownSeconds / keys) * 1e6,
    serversMicrosPerKey: ((spent() - before) / keys) * 1e6,
    peakMegabytes: peakBytes / 1e6,
  };
}

function redferry(
  source: BenchServer,
  target: BenchServer,
  looks: 'both directions' | 'one direction',
): Promise<Figure> {
  return measure(`redferry, ${looks}`, [source, target], async () => {
    const args = [CLI, 'validate', '--full', '--json', '--source', address(source), '--target', address(target)];
    if (looks === 'one direction') args.push('--source-only');
    const watched = new WatchedProcess(process.execPath, args);
    const code = await watched.ended;
    const line: unknown = JSON.parse(watched.stdout.trim().split('\n').at(-1) ?? 'null');
    const { outcome, equal } = resultLine.parse(line);
    if (code !== 0 || outcome !== 'equal' || equal !== keys) throw new Error(watched.stdout.slice(-1000));
    const { cpuSeconds, peakBytes } = watched.usage();
    return { ownSeconds: cpuSeconds, peakBytes };
  });
}

function fullCheck(binary: string, source: BenchServer, target: BenchServer): Promise<Figure> {
  const directory = mkdtempSync(join(tmpdir(), 'redferry-full-check-'));
  return measure('redis-full-check, one direction', [source, target], async () => {
    try {
      const args = ['-s', address(source), '-t', address(target), '--comparemode=1', '--comparetimes=1'];
      const watched = new WatchedProcess(binary, [...args, '-d', join(directory, 'result.db')], { cwd: directory });
      const code = await watched.ended;
      if (code !== 0) throw new Error(`redis-full-check ended with ${code}: ${watched.stdout.slice(-500)}`);
      const { cpuSeconds, peakBytes } = watched.usage();
      return { ownSeconds: cpuSeconds, peakBytes };
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
}
