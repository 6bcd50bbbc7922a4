// Slots of the target that move to another node while the stream flows.
import type { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate, type Place } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const clients = new Map<number, Redis>();

function clientOf(place: Place): Redis {
  const known = clients.get(place.port) ?? client(place);
  clients.set(place.port, known);
  return known;
}

/** Moves a slot with its keys as `redis-cli --cluster reshard` does. */
async function moveSlot(slot: number, from: Place, to: Place, all: readonly Place[]): Promise<void> {
  const [source, target] = [clientOf(from), clientOf(to)];
  const [fromId, toId] = [await source.call('CLUSTER', 'MYID'), await target.call('CLUSTER', 'MYID')].map(String);
  await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId ?? '');
  await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId ?? '');
  for (;;) {
    const keys = (await source.callBuffer('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as Buffer[];
    if (keys.length === 0) break;
    await source.callBuffer('MIGRATE', to.host, to.port, '', 0, 5000, 'KEYS', ...keys);
  }
  for (const node of [to, from, ...all]) await clientOf(node).call('CLUSTER', 'SETSLOT', slot, 'NODE', toId ?? '');
}

it('the stream follows slots that move between the nodes of the target, in order and without doubling', async () => {
  const source = await testServer({ args: ['--repl-diskless-sync-delay', '0'] });
  const target = await testCluster({ masters: 3 });
  const sample = { keys: 3000, cluster: true, seed: 17, databases: [0] };
  await fillSample([source], { ...sample, cluster: false });
  const [first, second] = target.masters;
  if (first === undefined || second === undefined) throw new Error('the cluster has too few masters');
  const run = migrate(endpointOf(source), endpointOf(first));
  await run.streaming();
  const load = await startLoad([source], { ...sample, cluster: false, ratePerSecond: 3000 });
  await waitFor(() => load.stats().commands > 2000, { deadlineMs: 20_000, what: 'writes' });
  const from = client(source);
  for (let slot = 0; slot < 300; slot++) await moveSlot(slot, first, second, target.masters);
  // Commands whose effect a second execution would show, one after the other, over all slots.
  for (let i = 0; i < 2000; i++) from.incr(`counter:${i % 500}`);
  await waitFor(() => load.stats().commands > 12_000, { deadlineMs: 60_000, what: 'more writes' });
  await load.stop();
  await run.caughtUp();
  const report = await compare([source], target.masters, { sourceCluster: false, targetCluster: true });
  expect(report.differences.filter(({ detail }) => !isDrift(detail)).slice(0, 5)).toEqual([]);
  const said = run.notices.map(({ message }) => message).join('\n');
  expect(said).toContain('their commands follow them');
  expect(said).not.toContain('new full sync');
  expect(await run.stop()).toMatchObject({ outcome: 'completed', refused: 0 });
});

/** MIGRATE gives a key's time to live and not its expiry: it drifts by how long that takes. */
function isDrift(detail: string): boolean {
  const [, ours = '', theirs = ''] = /^expires (\S+Z), on the target (\S+Z)$/.exec(detail) ?? [];
  return Math.abs(Date.parse(ours) - Date.parse(theirs)) < 100;
}
