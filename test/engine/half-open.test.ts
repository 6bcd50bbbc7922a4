// Links that are open on both ends and over which nothing comes: a firewall that forgot them. Nobody is told, and the run
// has to notice by itself, without copying anything again.
import { expect, it, onTestFinished } from 'vitest';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate } from '../support/migration.ts';
import { testServer } from '../support/servers.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

it('the source: noticed by what the source has written, and gone on from there', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const [from, to] = [client(source), client(target)];
  const proxy = await startTcpProxy(source);
  onTestFinished(() => proxy.stop());
  const run = migrate(endpointOf(proxy), endpointOf(target));
  await run.streaming();
  await from.set('before', 1);
  await waitFor(() => to.get('before'), { what: 'the first write' });
  proxy.vanish();
  await from.set('after', 1);
  await waitFor(() => to.get('after'), { what: 'the write behind the silence', deadlineMs: 25_000 });
  expect(run.notices.some(({ message }) => /has sent nothing for \d+ s/.test(message))).toBe(true);
  expect(await from.info('stats')).toMatch(/sync_full:1\r/);
  await run.caughtUp();
  const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
  expect(report.differences).toEqual([]);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
});

it('the target: noticed by the replies that do not come, and nothing is doubled', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const [from, to] = [client(source), client(target)];
  const proxy = await startTcpProxy(target);
  onTestFinished(() => proxy.stop());
  const run = migrate(endpointOf(source), endpointOf(proxy));
  await run.streaming();
  await from.incr('counter');
  await waitFor(() => to.get('counter'), { what: 'the first write' });
  proxy.vanish();
  for (let i = 0; i < 100; i++) await from.incr('counter');
  await waitFor(async () => (await to.get('counter')) === '101', {
    what: 'the writes behind the silence',
    deadlineMs: 45_000,
  });
  expect(run.notices.some(({ message }) => /has not answered for \d+ s/.test(message))).toBe(true);
  expect(run.notices.some(({ message }) => message.includes('begins a new full sync'))).toBe(false);
  await run.caughtUp();
  expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
});
