// A target far away, and a source that never pauses: at no moment is everything answered for, and the shard has caught up
// all the same.
import { connect, createServer, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { endpointOf, migrate, type Place } from '../support/migration.ts';
import { testServer } from '../support/servers.ts';

const WAY_MS = 30;
const WRITE_MS = 5;

/** Passes everything on to the server, later. */
async function farAway({ host, port }: Place): Promise<Place> {
  const late = (from: Socket, to: Socket): void => {
    from.on('data', (bytes) => setTimeout(() => to.write(bytes), WAY_MS));
    from.on('error', () => {});
    from.on('close', () => to.destroy());
  };
  const server = createServer((near) => {
    const far = connect(port, host);
    late(near, far);
    late(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { host, port: address.port };
}

it('a shard whose stream is applied within a second has caught up, although something is always under way', async () => {
  const source = await testServer({ args: ['--repl-diskless-sync-delay', '0'] });
  const target = await testServer();
  const writer = new Redis({ host: source.host, port: source.port });
  onTestFinished(() => writer.disconnect());
  const timer = setInterval(() => void writer.incr('counter').catch(() => {}), WRITE_MS);
  onTestFinished(() => clearInterval(timer));
  const run = migrate(endpointOf(source), endpointOf(await farAway(target)));
  await run.streaming();
  clearInterval(timer);
  await run.caughtUp();
  expect(await run.stop()).toMatchObject({ outcome: 'completed' });
});
