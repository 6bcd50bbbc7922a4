// What exactly-once costs: a backlog of commands of which a given share may travel bare is worked off with markers and
// without, towards a standalone and towards three masters.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startCluster } from '../source/demo/local-servers.ts';
import { startRedferry } from './contestants.ts';
import type { Place } from './load.ts';
import { benchServer, until } from './servers.ts';

export interface ExactFigure {
  readonly target: 'standalone' | 'three masters';
  /** Of 100 commands so many may travel bare. */
  readonly barePercent: number;
  readonly exactlyOnce: boolean;
  readonly commandsPerSecond: number;
  /** Of all target nodes together. */
  readonly targetMicrosPerCommand: number;
  readonly ownMicrosPerCommand: number;
}

const KEYSPACE = 20_000;
const COMMANDS_A_WRITE = 500;
/** As long as the values of the other measurements. */
const VALUE = 'v'.repeat(465);
const SHARES = [90, 50, 0];
/** Written last, enough of them that every master gets some. */
const END_KEYS = Array.from({ length: 30 }, (_, i) => `end:${i}`);

/** Kinds that may be played again, and kinds that may not: the chaos test's. */
const BARE: readonly ((key: number, i: number) => readonly string[])[] = [
  (key, i) => ['SET', `s:${key}`, `${VALUE}${i}`],
];
const WRAPPED: readonly ((key: number, i: number) => readonly string[])[] = [
  (key) => ['INCR', `c:${key}`],
  (key) => ['APPEND', `a:${key}`, 'x'],
  (key, i) => ['LPUSH', `l:${key}`, String(i)],
  (key, i) => ['XADD', `x:${key}`, '*', 'f', String(i)],
  (key, i) => ['HINCRBY', `n:${key}`, 'f', String(i % 3)],
  (key) => ['EXPIRE', `s:${key}`, '100000'],
];

function command(i: number, barePercent: number): string {
  // A fixed mixed order: the same commands in every measurement.
  const mixed = (i * 7919) % 100;
  const kinds = mixed < barePercent ? BARE : WRAPPED;
  const kind = kinds[(i * 31) % kinds.length] as (typeof BARE)[number];
  const args = kind((i * 104_729) % KEYSPACE, i);
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
}

function writeAll({ host, port }: Place, commands: number, barePercent: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host);
    const end = END_KEYS.map((key) => `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$1\r\n1\r\n`).join('');
    let sent = 0;
    let tail = '';
    const send = (): void => {
      for (;;) {
        if (sent === commands) {
          sent++;
          socket.write(`${end}*2\r\n$4\r\nECHO\r\n$8\r\nfinished\r\n`);
        }
        if (sent > commands) return;
        let text = '';
        const until = Math.min(commands, sent + COMMANDS_A_WRITE);
        for (; sent < until; sent++) text += command(sent, barePercent);
        if (!socket.write(text)) return;
      }
    };
    socket.on('drain', send);
    socket.on('error', reject);
    socket.on('data', (replies) => {
      tail = (tail + replies.toString('latin1')).slice(-40);
      if (!tail.includes('finished')) return;
      socket.destroy();
      resolve();
    });
    send();
  });
}

async function cpuSeconds(nodes: readonly Redis[]): Promise<number> {
  const infos = await Promise.all(nodes.map((node) => node.info('cpu')));
  const field = (info: string, name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
  return infos.reduce((sum, info) => sum + field(info, 'used_cpu_user') + field(info, 'used_cpu_sys'), 0);
}

async function measureOne(
  target: ExactFigure['target'],
  barePercent: number,
  exactlyOnce: boolean,
  commands: number,
): Promise<ExactFigure> {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-bench-exact-'));
  const config = join(folder, 'config.json');
  writeFileSync(config, JSON.stringify({ target: { exactlyOnce } }));
  const source = await benchServer();
  const cluster = target === 'standalone' ? null : await startCluster({ masters: 3 });
  const single = cluster === null ? await benchServer() : null;
  const places = cluster?.masters ?? (single === null ? [] : [single.server]);
  const nodes = places.map(({ host, port }) => new Redis({ host, port }));
  const first = places[0] as Place;
  const watched = startRedferry(source.server, first, ['--config', config]);
  const visible = async (key: string): Promise<boolean> => {
    const found = await Promise.all(nodes.map((node) => node.keys(key)));
    return found.flat().length > 0;
  };
  try {
    await source.redis.config('SET', 'client-output-buffer-limit', 'replica 0 0 0');
    await source.redis.set('begun', '1');
    await until(() => visible('begun'), 'redferry to follow');
    watched.child.kill('SIGSTOP');
    await writeAll(source.server, commands, barePercent);
    const ends = await Promise.all(END_KEYS.map(async (key) => [key, await ownerOf(nodes, key)] as const));
    const targetBefore = await cpuSeconds(nodes);
    const ownBefore = watched.usage().cpuSeconds;
    const startedAt = performance.now();
    watched.child.kill('SIGCONT');
    await until(async () => {
      const found = await Promise.all(ends.map(([key, node]) => node.exists(key)));
      return found.every((exists) => exists === 1);
    }, 'the end');
    const seconds = (performance.now() - startedAt) / 1000;
    return {
      target,
      barePercent,
      exactlyOnce,
      commandsPerSecond: commands / seconds,
      targetMicrosPerCommand: (((await cpuSeconds(nodes)) - targetBefore) / commands) * 1e6,
      ownMicrosPerCommand: ((watched.usage().cpuSeconds - ownBefore) / commands) * 1e6,
    };
  } finally {
    watched.child.kill('SIGKILL');
    for (const node of nodes) node.disconnect();
    await Promise.all([source.stop(), single?.stop(), cluster?.stop()]);
    rmSync(folder, { recursive: true });
  }
}

/** The node that answers for the key. */
async function ownerOf(nodes: readonly Redis[], key: string): Promise<Redis> {
  const answers = await Promise.allSettled(nodes.map((node) => node.exists(key)));
  const owner = nodes[answers.findIndex(({ status }) => status === 'fulfilled')];
  if (owner === undefined) throw new Error(`no node answers for ${key}`);
  return owner;
}

/** @param commands of each backlog. @param rounds with and without in turn; the median by the target's CPU counts. */
export async function measureExact(commands: number, rounds: number): Promise<ExactFigure[]> {
  const figures: ExactFigure[] = [];
  for (const target of ['standalone', 'three masters'] as const) {
    for (const share of SHARES) {
      const found: [ExactFigure[], ExactFigure[]] = [[], []];
      for (let round = 0; round < rounds; round++) {
        found[0].push(await measureOne(target, share, false, commands));
        found[1].push(await measureOne(target, share, true, commands));
      }
      figures.push(...found.map(median));
    }
  }
  return figures;
}

function median(figures: readonly ExactFigure[]): ExactFigure {
  const sorted = figures.toSorted((a, b) => a.targetMicrosPerCommand - b.targetMicrosPerCommand);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new RangeError('a median needs a round');
  return middle;
}
