// Slots of the source that move between its masters while the stream flows: nothing is lost, doubled or brought back.
import { expect, it, onTestFinished } from 'vitest';
import { startServer } from '../../source/demo/local-servers.ts';
import { fillSample } from '../../source/demo/sample-data.ts';
import { slotTag } from '../../source/protocol/slot.ts';
import { compare, endpointOf, type Migration, migrate, type Place } from '../support/migration.ts';
import { type SlotLoad, SlotMover, writeToSlots } from '../support/moving-slots.ts';
import { SERVER_KINDS } from '../support/other-servers.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

function mover(): SlotMover {
  const made = new SlotMover();
  onTestFinished(() => made.close());
  return made;
}

function writes(first: Place): SlotLoad {
  const load = writeToSlots(first);
  onTestFinished(() => load.stop());
  return load;
}

function two(masters: readonly Place[]): [Place, Place] {
  const [first, second] = masters;
  if (first === undefined || second === undefined) throw new Error('the cluster has too few masters');
  return [first, second];
}

/** The run has seen what each master owns now, and carries all of it. */
async function settled(run: Migration, masters: readonly Place[], slots: SlotMover): Promise<void> {
  await waitFor(
    async () => {
      const owned = await Promise.all(masters.map((node) => ownedBy(slots, node)));
      const { shards } = run.engine.snapshot();
      const carried = owned.filter((own) => own !== '').every((own) => shards.some((shard) => shard.slots === own));
      return carried && shards.every(({ slotsArriving }) => slotsArriving === 0);
    },
    { deadlineMs: 30_000, what: 'the slots to be carried' },
  );
}

/** `0-39,300`, as a shard tells it; empty for a node without slots. */
async function ownedBy(slots: SlotMover, node: Place): Promise<string> {
  const lines = String(await slots.at(node).call('CLUSTER', 'NODES')).split('\n');
  const mine = lines.find((line) => / myself,/.test(line)) ?? '';
  return mine.trim().split(' ').slice(8).join(',');
}

for (const kind of ['standalone', 'cluster'] as const) {
  it(`300 slots of the source move under load, towards a ${kind}: equal`, async () => {
    const [source, target] = await Promise.all([
      testCluster({ masters: 3 }),
      kind === 'standalone' ? testServer().then((one) => [one]) : testCluster({ masters: 3 }).then((it) => it.masters),
    ]);
    await fillSample(source.masters, { keys: 6000, cluster: true, seed: 5, databases: [0] });
    const [first, second] = two(source.masters);
    const run = migrate(endpointOf(first), endpointOf(target[0] ?? first));
    await run.streaming();
    const load = writes(first);
    await waitFor(() => load.commands > 3000, { deadlineMs: 20_000, what: 'writes' });
    const slots = mover();
    for (let slot = 0; slot < 150; slot++) await slots.move(slot, first, second, source.masters);
    // The old shard falls behind: nothing of its slots may pass in the new one before it has caught up, or what was
    // deleted last in the old one would stay for ever.
    const doomed = Array.from({ length: 150 }, (_, i) => `doomed:{${slotTag(150 + i)}}`);
    for (const key of doomed) await slots.at(first).set(key, 'x');
    const offset = Number(/master_repl_offset:(\d+)/.exec(await slots.at(first).info('replication'))?.[1]);
    const applied = (): number => run.engine.snapshot().shards[0]?.offset.applied ?? 0;
    await waitFor(() => applied() >= offset, { what: 'them to arrive' });
    await run.engine.dispatch({ type: 'pause', shards: [0] });
    for (const key of doomed) await slots.at(first).del(key);
    for (let slot = 150; slot < 300; slot++) await slots.move(slot, first, second, source.masters);
    const arriving = (): number => run.engine.snapshot().shards[1]?.slotsArriving ?? 0;
    await waitFor(() => arriving() >= 140, { what: 'the slots to wait for their old shard' });
    await run.engine.dispatch({ type: 'resume', shards: [0] });
    // And some of them back, while the others are still on their way.
    for (let slot = 0; slot < 40; slot++) await slots.move(slot, second, first, source.masters);
    await load.stop();
    await settled(run, source.masters, slots);
    await run.caughtUp();
    const { shards } = run.engine.snapshot();
    expect(shards.map((shard) => shard.slots?.split(',')[0])).toEqual(['0-39', '40-299', expect.any(String)]);
    const report = await compare(source.masters, target, { sourceCluster: true, targetCluster: kind === 'cluster' });
    expect(report.differences).toEqual([]);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', refused: 0 });
  });
}

it('a master that joins the source becomes a shard of the run; one that leaves is finished', async () => {
  const source = await testCluster({ masters: 3 });
  const target = await testServer();
  await fillSample(source.masters, { keys: 3000, cluster: true, seed: 6, databases: [0] });
  const [first] = two(source.masters);
  const run = migrate(endpointOf(first), endpointOf(target));
  await run.streaming();
  const load = writes(first);
  const slots = mover();
  const joined = await startServer({ args: ['--cluster-enabled', 'yes', '--repl-diskless-sync-delay', '0'] });
  onTestFinished(() => joined.stop());
  await slots.at(joined).call('CLUSTER', 'MEET', first.host, first.port);
  const all = [...source.masters, joined];
  const knows = async (node: Place): Promise<boolean> => {
    const info = String(await slots.at(node).call('CLUSTER', 'INFO'));
    return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:4');
  };
  await waitFor(async () => (await Promise.all(all.map(knows))).every(Boolean), { what: 'it to be known to all' });
  for (let slot = 0; slot < 60; slot++) await slots.move(slot, first, joined, all);
  await waitFor(() => run.engine.snapshot().shards.length === 4, { what: 'the new panel' });
  await settled(run, all, slots);
  expect(run.engine.snapshot().shards.at(-1)).toMatchObject({ name: 'shard-3', slots: '0-59', state: 'streaming' });
  // And back again: a master that has lost its last slot becomes a replica of the new owner (7.0), or is taken away (6.0).
  for (let slot = 0; slot < 60; slot++) await slots.move(slot, joined, first, all);
  await load.stop();
  if ((await slots.at(joined).info('replication')).includes('role:master')) {
    const id = String(await slots.at(joined).call('CLUSTER', 'MYID'));
    for (const node of source.masters) await slots.at(node).call('CLUSTER', 'FORGET', id);
  }
  await waitFor(() => run.engine.snapshot().shards.at(-1)?.state === 'done', { what: 'the panel to be finished' });
  await settled(run, all, slots);
  await run.caughtUp();
  const report = await compare(source.masters, [target], { sourceCluster: true, targetCluster: false });
  expect(report.differences).toEqual([]);
  expect(await run.stop()).toMatchObject({ outcome: 'completed', refused: 0 });
});

for (const { label, binary } of SERVER_KINDS.filter(({ label }) => label === 'valkey-9')) {
  it(`slots that move as a whole, as ${label} can, are copied when they have changed hands`, async () => {
    const source = await testCluster({ masters: 3, binary });
    const target = await testServer({ binary });
    await fillSample(source.masters, { keys: 6000, cluster: true, seed: 7, databases: [0] });
    const [first, second] = two(source.masters);
    const run = migrate(endpointOf(first), endpointOf(target));
    await run.streaming();
    const load = writes(first);
    await waitFor(() => load.commands > 2000, { deadlineMs: 20_000, what: 'writes' });
    const slots = mover();
    const to = String(await slots.at(second).call('CLUSTER', 'MYID'));
    await slots.at(first).call('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', 0, 299, 'NODE', to);
    const shard = (): string => run.engine.snapshot().shards[1]?.slots ?? '';
    await waitFor(() => shard().startsWith('0-299'), { deadlineMs: 30_000, what: 'the slots to change hands' });
    await load.stop();
    await settled(run, source.masters, slots);
    await run.caughtUp();
    const report = await compare(source.masters, [target], { sourceCluster: true, targetCluster: false });
    expect(report.differences).toEqual([]);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', refused: 0 });
  });
}
