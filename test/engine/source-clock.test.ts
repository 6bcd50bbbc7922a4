import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SourceClock, type SourceClockOptions } from '../../source/engine/source/source-clock.ts';
import { Connection } from '../../source/validation/connection.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

/** A server that answers as its fields say. */
class FakeServer {
  /** Its clock minus ours. */
  shiftMs = 0;
  /** Of the TIME to come: how long it takes, one by one; then 0. */
  delaysMs: number[] = [];
  /** In place of an answer to TIME, INFO. */
  timeAnswer: string | null = null;
  infoAnswer: string | null = null;
  offset = 0;
  silent = false;
  /** How many bytes of an answer go out at once. */
  piece = 1000;
  asked = { time: 0, info: 0 };
  connections = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('data', (bytes) => void this.#answer(socket, bytes.toString()));
    });
    onTestFinished(() => this.stop());
  }

  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  stop(): void {
    this.cut();
    this.#server.close();
  }

  async #answer(socket: Socket, command: string): Promise<void> {
    if (this.silent) return;
    const isTime = /TIME/.test(command);
    if (isTime) {
      this.asked.time++;
      // The clock is read halfway, as on a way of equal length there and back.
      const half = (this.delaysMs.shift() ?? 0) / 2;
      await delay(half);
      const now = performance.timeOrigin + performance.now() + this.shiftMs;
      await delay(half);
      const [seconds, microseconds] = [Math.floor(now / 1000), Math.floor((now % 1000) * 1000)].map(String);
      await this.#send(socket, this.timeAnswer ?? `*2\r\n${bulk(seconds)}${bulk(microseconds)}`);
    } else {
      this.asked.info++;
      await this.#send(socket, this.infoAnswer ?? bulk(`# Replication\r\nmaster_repl_offset:${this.offset}\r\n`));
    }
  }

  async #send(socket: Socket, answer: string): Promise<void> {
    for (let at = 0; at < answer.length; at += this.piece) {
      socket.write(answer.slice(at, at + this.piece));
      if (this.piece < answer.length) await delay(1);
    }
  }
}

function bulk(text = ''): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function clockOf(
  port: number,
  more: Partial<SourceClockOptions> = {},
  credentials: { username: string | null; password: string | null } = { username: null, password: null },
): { clock: SourceClock; notices: string[] } {
  const notices: string[] = [];
  const clock = new SourceClock({
    connection: { address: { host: '127.0.0.1', port }, tls: null, credentials, connectTimeoutMs: 500 },
    appliedOffset: () => null,
    onNotice: (message) => notices.push(message),
    rhythm: { measureMs: 200, lookMs: 20, waitMs: 800 },
    ...more,
  });
  onTestFinished(() => clock.stop());
  return { clock, notices };
}

describe('SourceClock', () => {
  it('measures the difference of the clocks within its error bound', async () => {
    for (const shiftMs of [0, 86_400_000, -3_600_000.25]) {
      const server = new FakeServer();
      server.shiftMs = shiftMs;
      const { clock, notices } = clockOf(await server.listen());
      expect(clock.errorMs).toBeNull();
      clock.start();
      await clock.ready;
      expect(server.asked.time).toBe(5);
      const error = clock.errorMs ?? Number.NaN;
      expect(error).toBeLessThan(50);
      expect(Math.abs(clock.offsetMs - shiftMs)).toBeLessThanOrEqual(error + 1);
      expect(notices).toEqual([]);
      clock.stop();
    }
  });

  it('believes the sample with the least round trip', async () => {
    const server = new FakeServer();
    server.delaysMs = [60, 120, 0, 200, 80];
    const { clock } = clockOf(await server.listen());
    clock.start();
    await clock.ready;
    expect(clock.errorMs).toBeLessThan(25);
    expect(server.delaysMs).toEqual([]);
  });

  it('measures anew while it runs, on the same connection', async () => {
    const server = new FakeServer();
    const { clock } = clockOf(await server.listen());
    clock.start();
    await clock.ready;
    expect(Math.abs(clock.offsetMs)).toBeLessThan(50);
    server.shiftMs = 5000;
    await waitFor(() => Math.abs(clock.offsetMs - 5000) < 50, { what: 'the new difference', deadlineMs: 3000 });
    expect(server.connections).toBe(1);
  });

  it('reads answers in pieces', async () => {
    const server = new FakeServer();
    server.piece = 3;
    server.shiftMs = 7000;
    server.offset = 1234;
    const { clock } = clockOf(await server.listen());
    clock.start();
    await clock.ready;
    expect(Math.abs(clock.offsetMs - 7000)).toBeLessThanOrEqual((clock.errorMs ?? 0) + 1);
    await waitFor(() => Number.isFinite(clock.reachedAtMs(1234)), { what: 'the offset' });
  });

  it('tells by when the source had come to an offset, and forgets what is applied', async () => {
    const server = new FakeServer();
    server.offset = 100;
    let applied: number | null = null;
    const { clock } = clockOf(await server.listen(), { appliedOffset: () => applied });
    expect(clock.reachedAtMs(1)).toBe(Number.POSITIVE_INFINITY);
    clock.start();
    await waitFor(() => Number.isFinite(clock.reachedAtMs(100)), { what: 'the first look' });
    const first = clock.reachedAtMs(100);
    await delay(300);
    const movedAtMs = Date.now();
    server.offset = 200;
    await waitFor(() => Number.isFinite(clock.reachedAtMs(200)), { what: 'the offset to move' });
    expect(clock.reachedAtMs(100)).toBe(first);
    for (const offset of [101, 200]) {
      expect(clock.reachedAtMs(offset)).toBeGreaterThanOrEqual(movedAtMs);
      expect(clock.reachedAtMs(offset)).toBeLessThan(movedAtMs + 200);
    }
    expect(clock.reachedAtMs(201)).toBe(Number.POSITIVE_INFINITY);
    applied = 150;
    await waitFor(() => clock.reachedAtMs(100) !== first, { what: 'the first mark to go' });
    expect(clock.reachedAtMs(151)).toBeGreaterThanOrEqual(movedAtMs);
  });

  it('connects again quietly and goes on', async () => {
    const server = new FakeServer();
    const { clock, notices } = clockOf(await server.listen());
    clock.start();
    await clock.ready;
    server.shiftMs = 9000;
    server.cut();
    await waitFor(() => Math.abs(clock.offsetMs - 9000) < 50, { what: 'the new difference', deadlineMs: 5000 });
    expect(server.connections).toBe(2);
    expect(notices).toEqual([]);
  });

  it('waits while the source is loading', async () => {
    const server = new FakeServer();
    server.timeAnswer = '-LOADING Redis is loading the dataset in memory\r\n';
    server.shiftMs = 3000;
    const { clock, notices } = clockOf(await server.listen(), {
      rhythm: { measureMs: 200, lookMs: 20, waitMs: 8000 },
    });
    clock.start();
    await waitFor(() => server.asked.time > 0, { what: 'the first question' });
    server.timeAnswer = null;
    await clock.ready;
    expect(Math.abs(clock.offsetMs - 3000)).toBeLessThan(50);
    expect(notices).toEqual([]);
  });

  it('goes by our clock when the source forbids TIME, says so once, and reads offsets on', async () => {
    const server = new FakeServer();
    server.timeAnswer = "-NOPERM this user has no permissions to run the 'time' command\r\n";
    const port = await server.listen();
    const { clock, notices } = clockOf(port);
    clock.start();
    await clock.ready;
    await waitFor(() => server.asked.info > 3, { what: 'more looks' });
    expect(clock.offsetMs).toBe(0);
    expect(clock.errorMs).toBeNull();
    expect(server.asked.time).toBe(1);
    expect(notices).toEqual([
      `The source 127.0.0.1:${port} does not tell its time (NOPERM this user has no permissions to run the 'time' command): its expiries go by our clock; grant +time.`,
    ]);
  });

  it('measures on when the source forbids INFO', async () => {
    const server = new FakeServer();
    server.infoAnswer = "-NOPERM this user has no permissions to run the 'info' command\r\n";
    const { clock, notices } = clockOf(await server.listen());
    clock.start();
    await clock.ready;
    await waitFor(() => server.asked.time >= 10, { what: 'a second measurement' });
    expect(server.asked.info).toBe(1);
    expect(clock.reachedAtMs(0)).toBe(Number.POSITIVE_INFINITY);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/replication offset \(NOPERM .*grant \+info/);
  });

  it('lets the pipeline go on without a source that does not answer, and measures when it does', async () => {
    const server = new FakeServer();
    server.silent = true;
    server.shiftMs = 4000;
    const { clock, notices } = clockOf(await server.listen());
    clock.start();
    await clock.ready;
    expect(clock.offsetMs).toBe(0);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/has not told its time within 0\.8 s/);
    server.silent = false;
    await waitFor(() => clock.errorMs !== null, { what: 'the measurement', deadlineMs: 5000 });
    expect(Math.abs(clock.offsetMs - 4000)).toBeLessThan(50);
    expect(notices).toHaveLength(1);
  });

  it('asks nothing after it was stopped, and lets whoever waits go', async () => {
    const server = new FakeServer();
    server.silent = true;
    const { clock, notices } = clockOf(await server.listen());
    clock.start();
    await waitFor(() => server.connections === 1, { what: 'the connection' });
    clock.stop();
    await clock.ready;
    server.silent = false;
    await delay(100);
    expect(server.asked).toEqual({ time: 0, info: 0 });
    expect(server.connections).toBe(1);
    expect(notices).toEqual([]);
  });

  it('measures a real server, and is refused by one that forbids it', async () => {
    const server = await testServer();
    const admin = await Connection.open({ host: server.host, port: server.port });
    onTestFinished(() => admin.close());
    const { clock } = clockOf(server.port);
    clock.start();
    await clock.ready;
    expect(clock.errorMs).toBeLessThan(25);
    expect(Math.abs(clock.offsetMs)).toBeLessThanOrEqual((clock.errorMs ?? 0) + 1);

    await admin.call(['ACL', 'SETUSER', 'narrow', 'on', '>secret', '+psync', '+replconf', '+ping']);
    const narrow = clockOf(server.port, {}, { username: 'narrow', password: 'secret' });
    narrow.clock.start();
    await narrow.clock.ready;
    await waitFor(() => narrow.notices.length === 2, { what: 'both notices' });
    expect(narrow.notices.join(' ')).toMatch(/grant \+time.*grant \+info/);

    const stranger = clockOf(server.port, {}, { username: 'narrow', password: 'wrong' });
    stranger.clock.start();
    await stranger.clock.ready;
    expect(stranger.clock.offsetMs).toBe(0);
    expect(stranger.notices).toHaveLength(1);
    expect(stranger.notices[0]).toMatch(/refused the credentials .* go by our clock/);
  });
});
