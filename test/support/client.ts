// A client of a test's server. It lets go of it when the test ends, and says nothing when the server goes away before: what
// was asked of it fails all the same.
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import type { Place } from './migration.ts';

export interface ClientOptions {
  readonly db?: number;
  readonly password?: string;
}

/** Connects to a server of the test. */
export function client({ host, port }: Place, options: ClientOptions = {}): Redis {
  const redis = new Redis({ host, port, ...options });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  return redis;
}
