// Servers and small questions for the measurements.
import { Redis } from 'ioredis';
import { type RunningServer, startServer } from '../source/demo/local-servers.ts';

/** As the baseline's servers were set: no persistence, no delay before a diskless snapshot; all else by default. */
const ARGS = ['--repl-diskless-sync-delay', '0', '--repl-diskless-load', 'on-empty-db'];

export interface BenchServer {
  readonly server: RunningServer;
  readonly redis: Redis;
  stop(): Promise<void>;
}

export async function benchServer(): Promise<BenchServer> {
  const server = await startServer({ args: ARGS });
  const redis = new Redis({ host: server.host, port: server.port });
  return {
    server,
    redis,
    stop: async () => {
      redis.disconnect();
      await server.stop();
    },
  };
}

/** Polls until the condition holds. @throws Error naming `what` after the deadline. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  what: string,
  deadlineMs = 180_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${deadlineMs / 1000} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** How many SETs the server has carried out. */
export async function setCalls(redis: Redis): Promise<number> {
  return Number(/cmdstat_set:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
}

/** Full synchronisations that the server has begun as a source. */
export async function fullSyncs(redis: Redis): Promise<number> {
  return Number(/sync_full:(\d+)/.exec(await redis.info('stats'))?.[1] ?? 0);
}

export async function replicaIsUp(redis: Redis): Promise<boolean> {
  return (await redis.info('replication')).includes('master_link_status:up');
}
