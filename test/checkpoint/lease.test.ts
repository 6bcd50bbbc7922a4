import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  acquireLease,
  describeHolder,
  type Lease,
  type LeaseOptions,
  leaseKey,
  readLeftState,
  stateKey,
} from '../../source/checkpoint/lease.ts';
import type { AskedNode } from '../../source/checkpoint/node-request.ts';
import { isGone, thisProcess } from '../../source/checkpoint/process-identity.ts';
import type { StoredShard } from '../../source/checkpoint/shard-state.ts';
import { SlotBitmap } from '../../source/checkpoint/slot-bitmap.ts';
import { slotOf } from '../../source/protocol/slot.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { askServer } from './asked-server.ts';
import { someProgress } from './some-progress.ts';

const KEY = leaseKey('m', 'shard-0');

function options(home: AskedNode, change: Partial<LeaseOptions> = {}): LeaseOptions & { readonly losses: string[] } {
  const losses: string[] = [];
  return {
    migration: 'm',
    run: 'run',
    shard: 'shard-0',
    expiryMs: 600,
    home,
    nodes: [home],
    state: () => null,
    lost: (error) => losses.push(error.message),
    ...change,
    losses,
  };
}

async function acquired(wanted: LeaseOptions): Promise<Lease> {
  const outcome = await acquireLease(wanted);
  if (outcome.status !== 'acquired') throw new Error(outcome.status);
  onTestFinished(() => outcome.lease.release(false).catch(() => {}));
  return outcome.lease;
}

/** A lease of another machine, as its value stands on the target. */
function foreignLease(place = 'elsewhere', pid = 7, started = '1'): string {
  return `token ${JSON.stringify({ run: 'run', host: 'jump-2', place, pid, started, since: '2026-11-21T03:00:00.000Z' })}`;
}

/** When a child began, by proc(5). */
async function startOf(pid: number | undefined): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  return stat.split(' ')[21] as string;
}

describe('a lease', () => {
  it('is held by one, renewed, and free again when it is given back', async () => {
    const home = await askServer(await testServer());
    const first = options(home);
    const lease = await acquired(first);
    await delay(900);
    expect(lease.held).toBe(true);
    const second = await acquireLease(options(home));
    if (second.status !== 'busy') throw new Error(second.status);
    expect(second.holder).toMatchObject({ run: 'run', pid: process.pid });
    expect(second.expiresInMs).toBeGreaterThan(200);
    expect(describeHolder(second, 'shard-0')).toMatch(
      /^shard-0 is being migrated by process \d+ on .* \(run run\); .* in 0\.\d s\.$/,
    );
    await lease.release(false);
    expect(lease.held).toBe(false);
    await acquired(options(home));
    expect(first.losses).toEqual([]);
  });

  it('of another machine is waited for until it expires; then its connections are killed', async () => {
    const server = await testServer();
    const home = await askServer(server);
    const frozen = await askServer(server, 'redferry:run:shard-0:n1');
    await home.request(['SET', KEY, foreignLease(), 'PX', '300']);
    expect(await acquireLease(options(home))).toMatchObject({ status: 'busy', holder: { host: 'jump-2', pid: 7 } });
    const lease = await waitFor(
      async () => {
        const outcome = await acquireLease(options(home));
        return outcome.status === 'acquired' && outcome.lease;
      },
      { what: 'the lease' },
    );
    await expect(frozen.request(['PING'])).rejects.toThrow();
    await lease.release(false);
  });

  it('of a process of this machine that was killed is taken over at once, and it alone', async () => {
    const home = await askServer(await testServer());
    const { place } = await thisProcess();
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await home.request(['SET', KEY, foreignLease(place, child.pid, await startOf(child.pid)), 'PX', '60000']);
    expect((await acquireLease(options(home))).status).toBe('busy');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const [a, b] = await Promise.all([acquireLease(options(home)), acquireLease(options(home))]);
    expect([a.status, b.status].sort()).toEqual(['acquired', 'busy']);
    for (const each of [a, b]) if (each.status === 'acquired') await each.lease.release(true);
  });

  it('that somebody else has taken is lost, and not taken back', async () => {
    const home = await askServer(await testServer());
    const mine = options(home);
    const lease = await acquired(mine);
    await home.request(['SET', KEY, foreignLease(), 'PX', '60000']);
    expect(await lease.renew()).toBe(false);
    expect(mine.losses).toEqual([expect.stringContaining('taken by somebody else')]);
    await lease.release(true);
    expect(await home.request(['GET', KEY])).toBe(foreignLease());
  });

  it('that can not be renewed is lost when it expires, not later', async () => {
    const server = await testServer();
    const home = await askServer(server);
    const mine = options(home);
    const lease = await acquired(mine);
    server.kill('SIGSTOP');
    const since = performance.now();
    await waitFor(() => mine.losses.length > 0, { what: 'the loss' });
    server.kill('SIGCONT');
    expect(performance.now() - since).toBeLessThan(750);
    expect(mine.losses[0]).toContain('could not be renewed');
    expect(lease.held).toBe(false);
    expect(await lease.renew()).toBe(false);
    expect(mine.losses).toHaveLength(1);
  });

  it('that vanished while it was held (a flush, a failover) is put back', async () => {
    const home = await askServer(await testServer());
    const mine = options(home);
    const lease = await acquired(mine);
    await home.request(['FLUSHALL']);
    expect(await lease.renew()).toBe(true);
    expect(await home.request(['EXISTS', KEY])).toBe(1);
    expect(mine.losses).toEqual([]);
  });

  it('leaves the state on the target for another machine, behind its own end too', async () => {
    const home = await askServer(await testServer());
    const state: StoredShard = {
      engine: '0.1.0',
      run: 'run',
      shard: 'shard-0',
      savedAt: '2026-11-21T03:00:00.000Z',
      progress: someProgress(4711),
      markedSlots: SlotBitmap.of([1, 16_383]),
      recopied: [],
    };
    expect(await readLeftState(home, 'm', 'shard-0')).toBeNull();
    const lease = await acquired(options(home, { state: () => state }));
    expect(await lease.renew()).toBe(true);
    await home.request(['DEL', KEY]);
    const left = await readLeftState(home, 'm', 'shard-0');
    expect(left?.progress).toEqual(state.progress);
    expect([...(left?.markedSlots.slots() ?? [])]).toEqual([1, 16_383]);
    expect(await home.request(['PTTL', stateKey('m', 'shard-0')])).toBe(-1);
    await lease.renew();
    await lease.release(true);
    expect(await home.request(['DBSIZE'])).toBe(0);
  });

  it('is not taken where the fence can not be put up', async () => {
    const server = await testServer();
    const home = await askServer(server);
    const denied: AskedNode = { address: 'denied', request: () => Promise.reject(new Error('NOPERM no')) };
    await expect(acquireLease(options(home, { nodes: [home, denied] }))).rejects.toThrow(/denied does not let/);
    expect(await home.request(['EXISTS', KEY])).toBe(0);
  });
});

it('lease and state lie in one slot', () => {
  const slots = [leaseKey('m', 'shard-3'), stateKey('m', 'shard-3')].map((key) =>
    slotOf(Buffer.from(key), 0, key.length),
  );
  expect(slots[0]).toBe(slots[1]);
});

it('a process is gone only when that is certain', async () => {
  const own = await thisProcess();
  expect(await isGone(own, own)).toBe(false);
  expect(await isGone({ ...own, pid: process.ppid, started: await startOf(process.ppid) }, own)).toBe(false);
  // The number was given again.
  expect(await isGone({ ...own, started: '1' }, own)).toBe(true);
  expect(await isGone({ ...own, pid: 2 ** 22 + 1 }, own)).toBe(true);
  expect(await isGone({ ...own, pid: 2 ** 22 + 1, place: 'other' }, own)).toBe(false);
  expect(await isGone({ ...own, pid: process.ppid, started: '' }, own)).toBe(false);
  expect(await isGone({ ...own, pid: 2 ** 22 + 1, started: '' }, own)).toBe(true);
});
