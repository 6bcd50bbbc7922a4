// A pause under heavy writes: the source's link stays, the queue takes what comes, and gives it all back. The long form
// (REDFERRY_LONG=1) pauses for a minute and prints its figures; it needs 3 GB on the disk of the temporary folder.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { client } from '../support/client.ts';
import { LONG, shortOrLong } from '../support/long.ts';
import { compare } from '../support/migration.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { fromTo } from './pair.ts';
import { runProgram, startProgram } from './run-program.ts';

const MB = 1024 * 1024;
const PAUSE_SECONDS = shortOrLong(4, 60);
const BYTES_A_SECOND = 50 * MB;
const VALUE = randomBytes(100 * 1024);
const KEYS = 300;
const TICK_MS = 20;
const MOST_RSS = 200 * MB;

/** SETs of 100 KB, so many that they are `BYTES_A_SECOND`; what falls behind is made up for. */
function startWrites(redis: Redis) {
  const begunAtMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - begunAtMs) / 1000) * BYTES_A_SECOND;
    while (sent * VALUE.length < due) {
      VALUE.writeUInt32LE(sent, 0);
      redis.set(`key:${sent % KEYS}`, VALUE).catch(() => {});
      sent++;
    }
  }, TICK_MS);
  return {
    stop: async (): Promise<number> => {
      clearInterval(timer);
      await redis.ping();
      return (sent * VALUE.length) / ((performance.now() - begunAtMs) / 1000);
    },
  };
}

interface Status {
  readonly event: string;
  readonly shards: readonly {
    readonly state: string;
    readonly paused: boolean;
    readonly lagBytes: number;
    readonly queued: number;
    readonly spoolBytes: number;
    readonly etaSeconds: number | null;
    readonly budget: { readonly secondsToFull: number | null } | null;
  }[];
}

/** Files of the queue that the process holds open; on disk they have no name any more. */
const openSpools = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).includes('.spool');
    } catch {
      return false;
    }
  }).length;

/** The most that the process has ever held in memory, bytes (VmHWM of proc(5)). */
const peakOfMemory = (pid: number): number =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024;

test.runIf(process.platform === 'linux')(
  `${PAUSE_SECONDS} s of pause under 50 MB/s: no new full sync, nothing lost, memory within 200 MB, no file left`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'redferry-pause-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const env = { REDFERRY_STATE_DIR: join(folder, 'state') };
    const config = join(folder, 'config.json');
    writeFileSync(config, JSON.stringify({ limits: { spoolDirectory: folder } }), { mode: 0o600 });
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const writer = client(source);
    const run = startProgram([...fromTo(source, target), '--config', config, '--json'], env);
    const statuses = (): Status[] =>
      run
        .stdout()
        .split('\n')
        .slice(0, -1)
        .map((line): Status => JSON.parse(line))
        .filter(({ event }) => event === 'status');
    const shard = () => statuses().at(-1)?.shards[0];
    await waitFor(() => shard()?.state === 'streaming', { what: 'the stream' });

    const writes = startWrites(writer);
    expect((await runProgram(['ctl', 'pause'], env)).code).toBe(0);
    const pausedAtMs = performance.now();
    await waitFor(() => performance.now() - pausedAtMs > PAUSE_SECONDS * 1000, {
      what: 'the pause',
      deadlineMs: PAUSE_SECONDS * 1000 + 10_000,
    });
    // Never above the limit of memory: the rest is on disk, and the countdown is running.
    await waitFor(() => (shard()?.spoolBytes ?? 0) > 50 * MB, { what: 'the queue on disk' });
    const held = shard();
    expect(held?.queued).toBeGreaterThan(PAUSE_SECONDS * BYTES_A_SECOND * 0.5);
    // 8 GB at 50 MB/s.
    expect(held?.budget?.secondsToFull).toBeGreaterThan(60);
    expect(held?.budget?.secondsToFull).toBeLessThan(400);
    expect(openSpools(run.pid)).toBeGreaterThan(0);
    const written = await writes.stop();
    expect(written).toBeGreaterThan(BYTES_A_SECOND * 0.7);

    const resumedAtMs = performance.now();
    const before = statuses().length;
    expect((await runProgram(['ctl', 'resume'], env)).code).toBe(0);
    await waitFor(() => shard()?.lagBytes === 0 && shard()?.queued === 0, { what: 'lag 0', deadlineMs: 120_000 });
    const drainSeconds = (performance.now() - resumedAtMs) / 1000;
    // Of a short backlog there is nothing to estimate.
    if (LONG)
      expect(
        statuses()
          .slice(before)
          .some(({ shards }) => (shards[0]?.etaSeconds ?? 0) > 0),
      ).toBe(true);
    await waitFor(() => openSpools(run.pid) === 0, { what: 'the files of the queue to go' });
    const peak = peakOfMemory(run.pid);
    expect(peak).toBeLessThan(MOST_RSS);
    const stats = await writer.info('stats');
    expect(stats).toMatch(/^sync_full:1\r$/m);
    expect(stats).toMatch(/^sync_partial_err:0\r$/m);
    run.kill('SIGTERM');
    expect(await run.ended).toMatchObject({ code: 0 });
    expect(readdirSync(folder).filter((name) => name.includes('.spool'))).toEqual([]);
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences).toEqual([]);
    if (LONG) {
      const inMB = (bytes: number | undefined) => `${Math.round((bytes ?? 0) / MB)} MB`;
      console.info(
        `${PAUSE_SECONDS} s of pause: ${inMB(written)} a second written, ${inMB(held?.queued)} queued, ${inMB(held?.spoolBytes)} of them on disk, ` +
          `lag 0 ${drainSeconds.toFixed(1)} s after the resume, peak of memory ${inMB(peak)}`,
      );
    }
  },
  PAUSE_SECONDS * 1000 + 180_000,
);
