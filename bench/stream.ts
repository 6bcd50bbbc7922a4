// The stream: a source under writes at full speed with Redis's default limit for a replica's output buffer, then a
// backlog that has gathered while the program was stopped, then the time from a write to its being visible.
import { startRedferry, startRedisShake } from './contestants.ts';
import { write } from './load.ts';
import { type BenchServer, benchServer, fullSyncs, replicaIsUp, setCalls, until } from './servers.ts';
import type { WatchedProcess } from './watched-process.ts';

const KEYSPACE = 1_000_000;
const LATENCY_SAMPLES = 300;

export interface StreamFigure {
  readonly who: string;
  /** Writes a second that the source took meanwhile. */
  readonly sourceRate: number;
  /** Writes a second applied, from the first write to the last one applied. */
  readonly appliedRate: number;
  /** Writes the target was behind when the load ended. */
  readonly behindAtEnd: number;
  readonly fullSyncs: number;
  readonly cpuMicrosPerCommand: number | null;
  readonly peakBytes: number | null;
  /** Writes a second while a backlog is worked off; null where it was not measured. */
  readonly catchUpRate: number | null;
  readonly latencyMillis: { readonly median: number; readonly p99: number } | null;
}

export interface StreamOrder {
  readonly commands: number;
  readonly backlog: number;
}

/** Measures whoever `follow` starts. */
async function measure(
  who: string,
  order: StreamOrder,
  follow: (source: BenchServer, target: BenchServer) => Promise<WatchedProcess | null>,
): Promise<StreamFigure> {
  const [source, target] = [await benchServer(), await benchServer()];
  let watched: WatchedProcess | null = null;
  try {
    watched = await follow(source, target);
    await source.redis.set('begun', '1');
    await until(async () => (await target.redis.exists('begun')) === 1, `${who} to follow`);
    const latencyMillis = await measureLatency(source, target);
    const cpuBefore = watched?.usage().cpuSeconds ?? 0;
    const before = await setCalls(target.redis);
    const startedAt = performance.now();
    const loadSeconds = await write(source.server, { commands: order.commands, keyspace: KEYSPACE, rate: null });
    const behindAtEnd = order.commands - ((await setCalls(target.redis)) - before);
    await lastApplied(source, target, `${who} to apply the load`);
    const seconds = (performance.now() - startedAt) / 1000;
    const cpuSeconds = (watched?.usage().cpuSeconds ?? 0) - cpuBefore;
    const catchUpRate = watched === null ? null : await measureCatchUp(who, source, target, watched, order.backlog);
    return {
      who,
      sourceRate: order.commands / loadSeconds,
      appliedRate: order.commands / seconds,
      behindAtEnd,
      fullSyncs: await fullSyncs(source.redis),
      cpuMicrosPerCommand: watched === null ? null : (cpuSeconds / order.commands) * 1e6,
      peakBytes: watched?.usage().peakBytes ?? null,
      catchUpRate,
      latencyMillis,
    };
  } finally {
    watched?.child.kill('SIGKILL');
    await Promise.all([source.stop(), target.stop()]);
  }
}

/** The program stands still while writes gather in the source's buffer, then works them off. */
async function measureCatchUp(
  who: string,
  source: BenchServer,
  target: BenchServer,
  watched: WatchedProcess,
  backlog: number,
): Promise<number> {
  // What gathers is more than the default limit allows for a minute.
  await source.redis.config('SET', 'client-output-buffer-limit', 'replica 0 0 0');
  watched.child.kill('SIGSTOP');
  await write(source.server, { commands: backlog, keyspace: KEYSPACE, rate: null, round: 1 });
  const startedAt = performance.now();
  watched.child.kill('SIGCONT');
  await lastApplied(source, target, `${who} to catch up`);
  return backlog / ((performance.now() - startedAt) / 1000);
}

/** Waits for a last write to be visible: a count of commands on the target would count those of the tool's own. */
async function lastApplied(source: BenchServer, target: BenchServer, what: string): Promise<void> {
  const value = String(performance.now());
  await source.redis.set('last', value);
  await until(async () => (await target.redis.get('last')) === value, what);
}

/** One write at a time on an idle source, and how long until the target shows it. */
async function measureLatency(source: BenchServer, target: BenchServer): Promise<{ median: number; p99: number }> {
  const samples: number[] = [];
  for (let i = 0; i < LATENCY_SAMPLES; i++) {
    const value = String(i);
    const startedAt = performance.now();
    await source.redis.set('latency', value);
    while ((await target.redis.get('latency')) !== value);
    samples.push(performance.now() - startedAt);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  samples.sort((a, b) => a - b);
  return { median: samples[Math.floor(samples.length / 2)] ?? 0, p99: samples[Math.floor(samples.length * 0.99)] ?? 0 };
}

/** @param shake path of RedisShake's binary, or null. */
export async function measureStream(order: StreamOrder, shake: string | null): Promise<StreamFigure[]> {
  const figures = [
    await measure('native replication', order, async (source, target) => {
      await target.redis.replicaof(source.server.host, source.server.port);
      await until(() => replicaIsUp(target.redis), 'the replica to be up');
      return null;
    }),
    await measure('redferry', order, async (source, target) => startRedferry(source.server, target.server, [])),
  ];
  if (shake !== null) {
    figures.push(
      await measure('RedisShake', order, async (source, target) =>
        startRedisShake(shake, source.server, target.server, false),
      ),
    );
  }
  return figures;
}
