// What tests about expiries share: an application that renews its keys, and what a server itself says of a key.
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';

/** Not through redferry's comparer, which knows held expiries. */
export async function expiryOn(redis: Redis, key: string): Promise<number> {
  return Number(await redis.call('PEXPIRETIME', key));
}

/** Repeats `act` every `ms` until the function that it gives is called. */
export function every(ms: number, act: () => Promise<unknown>): () => Promise<void> {
  const stop = new AbortController();
  const done = (async () => {
    while (!stop.signal.aborted) {
      await act();
      await delay(ms, undefined, { signal: stop.signal }).catch(() => {});
    }
  })();
  return () => {
    stop.abort();
    return done;
  };
}
