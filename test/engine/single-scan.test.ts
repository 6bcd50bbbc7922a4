// A node that can not be asked which slots it has: the scan goes on, and its end does not claim what nobody knows.
import { expect, onTestFinished, test } from 'vitest';
import { SingleScan } from '../../source/engine/scan/single-scan.ts';
import { SourceLink } from '../../source/readers/scan/source-link.ts';
import { askSlots } from '../../source/readers/scan/source-questions.ts';
import { testCluster } from '../support/servers.ts';

const OPTIONS = {
  tls: null,
  credentials: { username: null, password: null },
  connectTimeoutMs: 1000,
  readsReplica: false,
  clientName: 'redferry:test:slots',
};
const NOWHERE = { host: '127.0.0.1', port: 1 };

test('is told at the end, and breaks nothing', async () => {
  const scan = new SingleScan(OPTIONS);
  await scan.begins(NOWHERE);
  expect(await scan.ended(NOWHERE)).toMatch(/could not be asked: 127\.0\.0\.1:1 could not be reached/);
});

test('a replica names the slots of its master', async () => {
  const { replicas } = await testCluster({ masters: 1, replicasPerMaster: 1 });
  const address = replicas[0]?.[0];
  if (address === undefined) throw new Error('no replica');
  const link = new SourceLink({ ...OPTIONS, address });
  onTestFinished(() => link.close());
  await link.open();
  expect((await askSlots(link))?.own.size).toBe(16_384);
});
