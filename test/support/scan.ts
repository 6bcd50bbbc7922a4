// What the tests of the scan reader share.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import type { RunSetup } from '../../source/commands/prepare-run.ts';
import type { ScanOrder } from '../../source/engine/run/shard-job.ts';

export const SCAN_ONCE: ScanOrder = {
  connections: 3,
  match: null,
  type: null,
  databases: null,
  keysPerSecond: null,
  bigValue: 8 * 2 ** 20,
  changes: 'none',
  sweeps: false,
};

/** Changes are followed, and what is missing for that is set; flushes reach the target. */
export function following(changes: ScanOrder['changes'] = 'set'): Partial<RunSetup> {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-keyspace-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return {
    scan: { ...SCAN_ONCE, changes },
    keyspace: { folder, restores: true },
    keyless: { flush: 'forward', swapdb: 'forward', publish: 'ignore', script: 'ignore', function: 'ignore' },
  };
}

export async function keyspaceEvents(redis: Redis): Promise<string> {
  const reply = (await redis.config('GET', 'notify-keyspace-events')) as readonly string[];
  return reply[1] ?? '';
}
