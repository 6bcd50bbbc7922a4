// The slot in which a node's marker stands is opened and stays so: the marker has gone ahead with the slot's keys, and the
// node refuses it there from then on. It stands in another slot of the node then, and the stream does not stumble over it.
import { expect, it, onTestFinished } from 'vitest';
import { slotTag } from '../../source/protocol/slot.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate, type Place } from '../support/migration.ts';
import { SlotMover } from '../support/moving-slots.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

/** A run that streams to two masters, and what moves slots between them. */
async function stage() {
  const source = await testServer({ args: ['--repl-diskless-sync-delay', '0'] });
  const target = await testCluster({ masters: 2 });
  const [holder, other] = target.masters;
  if (holder === undefined || other === undefined) throw new Error('the cluster is small');
  const mover = new SlotMover();
  onTestFinished(() => mover.close());
  const run = migrate(endpointOf(source), endpointOf(holder));
  await run.streaming();
  return { source, target, holder, other, mover, run };
}

it("a node's marker leaves a slot that is between two nodes", async () => {
  const { source, target, holder, other, mover, run } = await stage();
  await run.caughtUp();
  const id = String(await client(holder).call('CLUSTER', 'MYID'));
  const markers = async (place: Place): Promise<string[]> => client(place).keys(`redferry:*:${id}`);
  const [marker] = await markers(holder);
  expect(marker).toContain(`{${slotTag(0)}}`);

  await mover.open(0, holder, other);
  expect(await markers(holder)).toEqual([]);
  const writer = client(source);
  let written = 0;
  await waitFor(
    async () => {
      await writer.set(`{${slotTag(1)}}key`, String(++written));
      return (await markers(holder)).length > 0;
    },
    { what: 'the marker in another slot' },
  );
  const refusals = async (): Promise<number> => {
    const errors = await client(holder).info('errorstats');
    return Number(/errorstat_ASK:count=(\d+)/.exec(errors)?.[1] ?? 0);
  };
  const before = await refusals();
  for (let i = 0; i < 10; i++) {
    await writer.set(`{${slotTag(1)}}key`, String(++written));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(await refusals()).toBe(before);

  await mover.assign(0, holder, other, target.masters);
  await writer.set(`{${slotTag(0)}}key`, 'follows its slot');
  await run.caughtUp();
  const report = await compare([source], target.masters, { sourceCluster: false, targetCluster: true });
  expect(report.differences).toEqual([]);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  for (const place of target.masters) expect(await client(place).keys('redferry:*')).toEqual([]);
});

it.each([
  ['a master of the run', false],
  ['a master that has no slot yet', true],
])('markers that have gone ahead to %s in a slot that is still open at the end are taken away', async (_, joins) => {
  const { source, target, holder, other, mover, run } = await stage();
  await client(source).set(`{${slotTag(0)}}key`, 'value');
  await run.caughtUp();
  const next = joins ? await join(holder) : other;
  await mover.open(0, holder, next);
  const inSlot = async (): Promise<string[]> => client(next).keys(`*{${slotTag(0)}}*`);
  expect(await inSlot()).toHaveLength(3);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
  expect(await inSlot()).toEqual([`{${slotTag(0)}}key`]);
  for (const place of [...target.masters, next]) expect(await client(place).keys('redferry:*')).toEqual([]);
});

/** A new master of the cluster, without a slot. */
async function join(first: Place): Promise<Place> {
  const joined = await testServer({ args: ['--cluster-enabled', 'yes'] });
  await client(first).call('CLUSTER', 'MEET', joined.host, joined.port);
  await waitFor(async () => /cluster_state:ok/.test(String(await client(joined).call('CLUSTER', 'INFO'))), {
    what: 'the node to be known',
  });
  return joined;
}
