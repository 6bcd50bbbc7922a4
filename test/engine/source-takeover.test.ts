// A master of the source dies and its replica takes over at once: for a while the dead one is still listed as a master,
// without slots. The shard goes on from the replica; no master has joined, and none has left.
import type { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

async function takeOver(replica: Redis): Promise<void> {
  await waitFor(async () => (await replica.info('replication')).includes('master_link_status:up'), {
    what: 'the replica to follow',
  });
  await replica.call('CLUSTER', 'FAILOVER');
  await waitFor(async () => (await replica.info('replication')).includes('role:master'), {
    what: 'the replica to be a master',
  });
}

it('a promoted replica carries on the shard of its master', async () => {
  const source = await testCluster({ masters: 3, replicasPerMaster: 1, nodeTimeoutMs: 5000 });
  const target = await testServer();
  const [entry, victim] = source.masters;
  const [successor, early] = [source.replicas[1]?.[0], source.replicas[2]?.[0]];
  if (entry === undefined || victim === undefined || successor === undefined || early === undefined)
    throw new Error('the cluster is small');
  const promoted = client(successor);
  await waitFor(async () => (await promoted.info('replication')).includes('master_link_status:up'), {
    what: 'the replica to follow',
  });
  const run = migrate(endpointOf(entry), endpointOf(target), {
    // One takes over before the run looks at the source again.
    planned: () => takeOver(client(early)),
  });
  await run.streaming();
  await run.caughtUp();

  victim.kill('SIGKILL');
  await victim.waitForExit();
  await promoted.call('CLUSTER', 'FAILOVER', 'TAKEOVER');
  // A key of the promoted node: of any tag that it takes.
  const key = await waitFor(
    async () => {
      for (let tag = 0; tag < 50; tag++) {
        const wrote = await promoted.set(`after:{${tag}}`, 1).catch(() => null);
        if (wrote === 'OK') return `after:{${tag}}`;
      }
      return null;
    },
    { what: 'the promoted node to take writes' },
  );
  const to = client(target);
  await waitFor(() => to.get(key), { what: 'the write', deadlineMs: 30_000, intervalMs: 200 });
  await run.streaming();
  await run.caughtUp();
  expect(run.engine.snapshot().shards).toHaveLength(3);
  expect(run.notices.filter(({ message }) => /joined|shard is finished|new full sync/.test(message))).toEqual([]);
  const masters = [entry, successor, early];
  const report = await compare(masters, [target], { sourceCluster: true, targetCluster: false });
  expect(report.differences).toEqual([]);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
});
