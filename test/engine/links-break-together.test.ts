// The links of one shard to all nodes of its target break at the same moment: that is one trouble, not one for each link.
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { formatAddress } from '../../source/topology/endpoint.ts';
import { compare, endpointOf, migrate } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

it('begins the shard anew once at most, and the thread lives', async () => {
  const [source, target] = await Promise.all([testServer(), testCluster({ masters: 3 })]);
  const redis = new Redis(source.port, source.host);
  onTestFinished(() => redis.disconnect());
  await redis.mset(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key:${i}`, i])));
  const proxies = await Promise.all(target.masters.map((master) => startTcpProxy(master)));
  onTestFinished(async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
  });
  const [first] = proxies;
  if (first === undefined) throw new Error('the cluster has no master');
  const addressMap = Object.fromEntries(
    target.masters.map((master, i) => [formatAddress(master), formatAddress(proxies[i] ?? first)]),
  );
  const run = migrate(endpointOf(source), endpointOf(first, { addressMap }));
  await run.streaming();
  const accepted = proxies.map((proxy) => proxy.accepted);
  for (const proxy of proxies) proxy.cut();
  await waitFor(() => proxies.every((proxy, i) => proxy.accepted > (accepted[i] ?? 0)), {
    what: 'new links to all nodes',
    deadlineMs: 20_000,
  });
  await redis.incr('after');
  await run.streaming();
  await run.caughtUp();
  expect(run.notices.filter(({ message }) => message.includes('begins a new full sync')).length).toBeLessThan(2);
  const report = await compare([source], target.masters, { sourceCluster: false, targetCluster: true });
  expect(report.differences.slice(0, 5)).toEqual([]);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
});
