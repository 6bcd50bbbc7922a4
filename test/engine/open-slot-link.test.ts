// A link to the target breaks while a slot is between two nodes, and unread replies stand in it: one write of the slot was
// refused, as its key is new, and the next one took effect, with the slot's marker. Only the lost replies told of it.
import { expect, it, onTestFinished } from 'vitest';
import { formatAddress } from '../../source/topology/endpoint.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate, type Place } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

it('what was refused unheard is not taken for done: the shard is copied anew', async () => {
  const source = await testServer({ args: ['--repl-diskless-sync-delay', '0'] });
  const target = await testCluster({ masters: 2 });
  const [first, second] = target.masters;
  if (first === undefined || second === undefined) throw new Error('the cluster is small');
  const writer = client(source);
  await writer.incr('{open}old');
  const proxies = await Promise.all(target.masters.map(startTcpProxy));
  for (const proxy of proxies) onTestFinished(() => proxy.stop());
  const addressMap = Object.fromEntries(
    target.masters.map((node, i) => [formatAddress(node), formatAddress(proxies[i] ?? node)]),
  );
  const run = migrate(endpointOf(source), endpointOf(first, { addressMap }));
  await run.streaming();
  await run.caughtUp();
  const slot = Number(await client(first).call('CLUSTER', 'KEYSLOT', '{open}old'));
  const isFirst = (await client(first).keys('{open}*')).length > 0;
  const [holder, other, proxy] = isFirst ? [first, second, proxies[0]] : [second, first, proxies[1]];
  const id = async (node: Place): Promise<string> => String(await client(node).call('CLUSTER', 'MYID'));
  await client(other).call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await id(holder));
  await client(holder).call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await id(other));

  proxy?.stall('down');
  const writes = writer.pipeline();
  for (const key of ['{open}new', '{open}old']) {
    writes.incr(key);
    // So much that it is sent although replies are outstanding, and the next write stands in a block of its own.
    for (let i = 0; i < 32; i++) writes.set(`filler:${i}`, 'x'.repeat(16_384));
  }
  await writes.exec();
  await waitFor(async () => (await client(holder).get('{open}old')) === '2', { what: 'the second write' });
  await expect(client(holder).get('{open}new')).rejects.toThrow('ASK');
  proxy?.cut();
  proxy?.resume();
  await waitFor(() => run.notices.some(({ message }) => message.includes('moved while writes')), {
    deadlineMs: 20_000,
    what: 'the reason of the new full sync',
  });
  for (const node of [other, holder]) await client(node).call('CLUSTER', 'SETSLOT', slot, 'STABLE');

  await run.streaming();
  await run.caughtUp();
  const report = await compare([source], target.masters, { sourceCluster: false, targetCluster: true });
  expect(report.differences).toEqual([]);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
});
