// How long a full sync takes: from the start of the program to its end, against native replication between the same servers.
import { startRedferry, startRedisShake } from './contestants.ts';
import type { Place } from './load.ts';
import { benchServer, replicaIsUp, until } from './servers.ts';
import type { WatchedProcess } from './watched-process.ts';

export interface FullSyncFigure {
  readonly who: string;
  readonly seconds: number;
  readonly keysPerSecond: number;
  /** Own processor time a key; null for native replication, which has no process of its own. */
  readonly cpuMicrosPerKey: number | null;
  readonly peakBytes: number | null;
}

/** Measures one after the other on the same source, each into a fresh target, `rounds` times; the median of each counts. */
export async function measureFullSync(
  keys: number,
  rounds: number,
  shake: string | null,
  fillSource: (source: Place) => Promise<unknown>,
): Promise<FullSyncFigure[]> {
  const source = await benchServer();
  try {
    await fillSource(source.server);
    const figures: FullSyncFigure[][] = [[], [], []];
    for (let round = 0; round < rounds; round++) {
      figures[0]?.push(await native(source, keys));
      figures[1]?.push(
        await program('redferry', keys, (target) => startRedferry(source.server, target, ['--snapshot-only'])),
      );
      if (shake === null) continue;
      figures[2]?.push(
        await program('RedisShake', keys, (target) => startRedisShake(shake, source.server, target, true)),
      );
    }
    return figures.flatMap((runs) => {
      const median = [...runs].sort((a, b) => a.seconds - b.seconds)[Math.floor(runs.length / 2)];
      return median === undefined ? [] : [median];
    });
  } finally {
    await source.stop();
  }
}

type Source = Awaited<ReturnType<typeof benchServer>>;

async function native(source: Source, keys: number): Promise<FullSyncFigure> {
  const target = await benchServer();
  try {
    const startedAt = performance.now();
    await target.redis.replicaof(source.server.host, source.server.port);
    await until(() => replicaIsUp(target.redis), 'the replica to be up');
    const seconds = (performance.now() - startedAt) / 1000;
    await checkKeys(target, keys);
    return {
      who: 'native replication',
      seconds,
      keysPerSecond: keys / seconds,
      cpuMicrosPerKey: null,
      peakBytes: null,
    };
  } finally {
    await target.stop();
  }
}

async function program(
  who: string,
  keys: number,
  start: (target: { readonly host: string; readonly port: number }) => WatchedProcess,
): Promise<FullSyncFigure> {
  const target = await benchServer();
  try {
    const watched = start(target.server);
    const code = await watched.ended;
    if (code !== 0) throw new Error(`${who} ended with ${code}: ${watched.stdout.slice(-500)}`);
    await checkKeys(target, keys);
    const { wallSeconds, cpuSeconds, peakBytes } = watched.usage();
    return {
      who,
      seconds: wallSeconds,
      keysPerSecond: keys / wallSeconds,
      cpuMicrosPerKey: (cpuSeconds / keys) * 1e6,
      peakBytes,
    };
  } finally {
    await target.stop();
  }
}

async function checkKeys(target: Source, keys: number): Promise<void> {
  const keyspace = await target.redis.info('keyspace');
  const there = [...keyspace.matchAll(/^db\d+:keys=(\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
  if (there !== keys) throw new Error(`the target has ${there} keys instead of ${keys}`);
}
