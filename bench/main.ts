// `npm run bench`: measures full sync, stream and latency on real servers of this machine and prints tables with ratios.
// Options: --keys N, --commands N, --backlog N, --rounds N, --redis-shake PATH, --only full-sync|mixed|scan|stream|exact|walk.
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { stopAll } from '../source/demo/local-servers.ts';
import { type ExactFigure, measureExact } from './exact.ts';
import { type FullSyncFigure, measureFullSync } from './full-sync.ts';
import { fill } from './load.ts';
import { fillMixed, MIXED_KEYS } from './mixed.ts';
import { measureScan, type ScanFigure } from './scan.ts';
import { measureStream, type StreamFigure } from './stream.ts';
import { measureWalk } from './walk.ts';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '2000000' },
    commands: { type: 'string', default: '5000000' },
    backlog: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    'redis-shake': { type: 'string' },
    only: { type: 'string' },
  },
});
const shake = values['redis-shake'] ?? null;

const wanted = (what: string): boolean => values.only === undefined || values.only === what;
const number = (value: number | null, digits = 0): string => (value === null ? '-' : value.toFixed(digits));
const thousands = (value: number | null): string => (value === null ? '-' : `${Math.round(value / 1000)}k`);
const mib = (bytes: number | null): string => (bytes === null ? '-' : String(Math.round(bytes / 2 ** 20)));

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  console.log(line(head));
  console.log(`|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`);
  for (const row of rows) console.log(line(row));
}

function printFullSync(figures: readonly FullSyncFigure[], what: string): void {
  console.log(`\nFull sync of ${what}, standalone to standalone\n`);
  const native = figures[0];
  printTable(
    ['who', 'seconds', 'x native', 'keys/s', 'own CPU us a key', 'peak MiB'],
    figures.map((figure) => [
      figure.who,
      number(figure.seconds, 2),
      native === undefined ? '-' : number(figure.seconds / native.seconds, 2),
      thousands(figure.keysPerSecond),
      number(figure.cpuMicrosPerKey, 2),
      mib(figure.peakBytes),
    ]),
  );
}

function printScan(figures: readonly ScanFigure[], keys: number): void {
  console.log(`\nScan of ${keys} strings (11-byte keys, 473-byte values), standalone to standalone\n`);
  printTable(
    ['who', 'seconds', 'keys/s', 'source CPU us a key', 'own CPU us a key', 'peak MiB'],
    figures.map((figure) => [
      figure.who,
      number(figure.seconds, 2),
      thousands(keys / figure.seconds),
      number(figure.sourceMicrosPerKey, 2),
      number(figure.cpuMicrosPerKey, 2),
      mib(figure.peakBytes),
    ]),
  );
}

function printExact(figures: readonly ExactFigure[], commands: number): void {
  console.log(`\nExactly once: a backlog of ${commands} commands, with markers and without\n`);
  const without = (figure: ExactFigure): ExactFigure | undefined =>
    figures.find(
      (each) => each.target === figure.target && each.barePercent === figure.barePercent && !each.exactlyOnce,
    );
  printTable(
    ['target', 'bare %', 'exactly once', 'commands/s', 'target CPU us', 'x without', 'own CPU us'],
    figures.map((figure) => [
      figure.target,
      String(figure.barePercent),
      figure.exactlyOnce ? 'yes' : 'no',
      thousands(figure.commandsPerSecond),
      number(figure.targetMicrosPerCommand, 2),
      number(figure.targetMicrosPerCommand / (without(figure)?.targetMicrosPerCommand ?? Number.NaN), 2),
      number(figure.ownMicrosPerCommand, 2),
    ]),
  );
}

function printStream(figures: readonly StreamFigure[], commands: number): void {
  console.log(`\nStream: ${commands} SETs of 473 bytes at full speed, default output buffer limit\n`);
  printTable(
    [
      'who',
      'source/s',
      'applied/s',
      'behind at end',
      'full syncs',
      'CPU us',
      'peak MiB',
      'catch-up/s',
      'p50 ms',
      'p99 ms',
    ],
    figures.map((figure) => [
      figure.who,
      thousands(figure.sourceRate),
      thousands(figure.appliedRate),
      thousands(figure.behindAtEnd),
      String(figure.fullSyncs),
      number(figure.cpuMicrosPerCommand, 2),
      mib(figure.peakBytes),
      thousands(figure.catchUpRate),
      number(figure.latencyMillis?.median ?? null, 2),
      number(figure.latencyMillis?.p99 ?? null, 2),
    ]),
  );
}

console.log(
  `${availableParallelism()} cores, ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`,
);
try {
  const rounds = Number(values.rounds);
  if (wanted('full-sync')) {
    const keys = Number(values.keys);
    const figures = await measureFullSync(keys, rounds, shake, (source) => fill(source, keys));
    printFullSync(figures, `${keys} strings (11-byte keys, 473-byte values)`);
  }
  if (wanted('mixed')) {
    const figures = await measureFullSync(MIXED_KEYS, rounds, shake, fillMixed);
    printFullSync(figures, `${MIXED_KEYS} keys of mixed types, three of them with a million elements`);
  }
  if (wanted('scan')) {
    const keys = Number(values.keys);
    printScan(await measureScan(keys, rounds, shake, (source) => fill(source, keys)), keys);
  }
  if (wanted('walk')) {
    const { figures, bytes, keys } = await measureWalk(Number(values.keys), rounds);
    console.log(
      `\nWalking an RDB of ${Math.round(bytes / 1e6)} MB and ${keys} keys of mixed types, from the page cache\n`,
    );
    printTable(
      ['who', 'seconds', 'MB/s'],
      figures.map(({ who, seconds, megabytesPerSecond }) => [who, number(seconds, 2), number(megabytesPerSecond)]),
    );
  }
  if (wanted('stream')) {
    const order = { commands: Number(values.commands), backlog: Number(values.backlog) };
    printStream(await measureStream(order, shake), order.commands);
  }
  if (wanted('exact')) {
    const backlog = Number(values.backlog);
    printExact(await measureExact(backlog, rounds), backlog);
  }
} finally {
  await stopAll();
}
