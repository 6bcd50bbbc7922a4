// A link to the target that is opened in the middle of the full sync, for the first key that is there already, finds the
// target out of reach: that is a broken link like others, and no end of the shard.
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { compare, endpointOf, migrate } from '../support/migration.ts';
import { testServer } from '../support/servers.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

it('begins the shard anew when the target can be reached again', async () => {
  // A second in which the shard is connected and has not met the key yet.
  const source = await testServer({ args: ['--repl-diskless-sync-delay', '1'] });
  const target = await testServer();
  const [from, to] = [new Redis(source.port, source.host), new Redis(target.port, target.host)];
  onTestFinished(() => {
    from.disconnect();
    to.disconnect();
  });
  await from.mset({ a: 'new', b: 'new' });
  await to.set('a', 'old');
  const proxy = await startTcpProxy(target);
  onTestFinished(() => proxy.stop());
  const run = migrate(endpointOf(source), endpointOf(proxy), { conflictPolicy: 'rewrite' });
  await waitFor(async () => (await from.info('replication')).includes('connected_slaves:1'), { what: 'the shard' });
  proxy.refuse(true);
  await waitFor(() => run.notices.some(({ message }) => message.includes('begins a new full sync')), {
    what: 'the shard to begin anew',
  });
  proxy.refuse(false);
  await run.streaming();
  await run.caughtUp();
  const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
  expect(report.differences).toEqual([]);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
});
