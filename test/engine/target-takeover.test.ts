// A replica takes over while its master is frozen, and the master does not know when it wakes: it works off what is in its
// socket buffers and answers OK to it, then hears who is master now. No link breaks, and all of that is lost.
import { expect, it, onTestFinished } from 'vitest';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

it('what a master answers for after it was replaced is sent again to its successor, once', async () => {
  const source = await testServer();
  const target = await testCluster({ masters: 3, replicasPerMaster: 1, nodeTimeoutMs: 5000 });
  const from = client(source);
  const [entry, frozen] = target.masters;
  const successor = target.replicas[1]?.[0];
  if (entry === undefined || frozen === undefined || successor === undefined) throw new Error('the cluster is small');
  const promoted = client(successor);
  await waitFor(async () => (await promoted.info('replication')).includes('master_link_status:up'), {
    what: 'the replica to follow',
  });
  const run = migrate(endpointOf(source), endpointOf(entry));
  await run.streaming();
  const countUp = async (): Promise<void> => {
    for (let i = 0; i < 600; i++) await from.incr(`counter:${i % 60}`);
  };
  await countUp();
  await run.caughtUp();

  frozen.kill('SIGSTOP');
  onTestFinished(() => frozen.kill('SIGCONT'));
  await countUp();
  await promoted.call('CLUSTER', 'FAILOVER', 'TAKEOVER');
  await waitFor(async () => (await promoted.info('replication')).includes('role:master'), { what: 'the takeover' });
  frozen.kill('SIGCONT');
  await waitFor(async () => (await client(frozen).info('replication')).includes('role:slave'), {
    what: 'the old master to hear of it',
  });
  await countUp();
  await run.streaming();
  await run.caughtUp();
  expect(run.notices.filter(({ message }) => message.includes('begins a new full sync'))).toEqual([]);
  const masters = [entry, successor, ...target.masters.slice(2)];
  const report = await compare([source], masters, { sourceCluster: false, targetCluster: true });
  expect(report.differences.slice(0, 5)).toEqual([]);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
});
