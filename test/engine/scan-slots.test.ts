// Slots of a scanned cluster move while it is scanned and written to: whoever owns a key at last has its value.
import { Cluster } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { slotOf } from '../../source/protocol/slot.ts';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate } from '../support/migration.ts';
import { SlotMover, writeToSlots } from '../support/moving-slots.ts';
import { following, SCAN_ONCE } from '../support/scan.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const HALF = 8192;

/** Slots of the first master that the load writes to. */
function busySlots(): readonly number[] {
  const slots = Array.from({ length: 1000 }, (_, n) => {
    const tag = Buffer.from(`${n}`);
    return slotOf(tag, 0, tag.length);
  });
  return [...new Set(slots)].filter((slot) => slot < HALF).slice(0, 200);
}

describe('slots that move during a scan', () => {
  it('and after it, under load: equal', async () => {
    const [source, target] = [await testCluster({ masters: 2 }), await testServer()];
    const [one, two] = source.masters;
    if (one === undefined || two === undefined) throw new Error('no node');
    // Not empty: a key that one shard wrote is another shard's own too, and not a conflict.
    const to = client(target);
    await to.set('theirs', '1');
    const load = writeToSlots(one);
    onTestFinished(() => load.stop());
    await waitFor(() => load.commands > 4000, { what: 'writes' });
    const mover = new SlotMover();
    onTestFinished(() => mover.close());
    const slots = busySlots();
    const run = migrate(endpointOf(one), endpointOf(target), {
      ...following(),
      conflictPolicy: 'ignore',
      scan: { ...SCAN_ONCE, changes: 'set', keysPerSecond: 500 },
    });
    const scanned = (): number => run.engine.snapshot().shards.reduce((sum, { keys }) => sum + keys.done, 0);
    await waitFor(() => scanned() > 100, { what: 'the scan to have begun' });
    const scanning = (): boolean => run.engine.snapshot().shards.some(({ state }) => state === 'full-sync');
    let moved = 0;
    for (; scanning() && moved < 100; moved++) await mover.move(slots[moved] ?? 0, one, two, source.masters);
    expect(moved).toBeGreaterThan(10);
    await run.streaming();
    for (const slot of slots.slice(moved)) await mover.move(slot, one, two, source.masters);
    const before = load.commands;
    await waitFor(() => load.commands > before + 2000, { what: 'writes' });
    await load.stop();
    const came = (): boolean => run.notices.some(({ message }) => /slots have come to this node/.test(message));
    await waitFor(came, { what: 'the slots to be seen' });
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    expect(run.conflicts).toEqual([]);
    expect(await to.del('theirs')).toBe(1);
    const report = await compare(source.masters, [target], { sourceCluster: true, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
    expect(report.checked).toBeGreaterThan(2000);
  });

  it.each([
    ['that have changed hands', true],
    ['that are still open at the end', false],
  ])('%s, whose changes nobody follows: said, and no success', async (_, changesHands) => {
    const [source, target] = [await testCluster({ masters: 2 }), await testServer()];
    const [one, two] = source.masters;
    if (one === undefined || two === undefined) throw new Error('no node');
    const from = new Cluster([one]);
    onTestFinished(() => from.disconnect());
    await Promise.all(Array.from({ length: 600 }, (_, n) => from.set(`key:{${n}}`, n)));
    const mover = new SlotMover();
    onTestFinished(() => mover.close());
    const run = migrate(endpointOf(one), endpointOf(target), { scan: { ...SCAN_ONCE, keysPerSecond: 150 } });
    const begun = (): number => run.engine.snapshot().shards.filter(({ keys }) => keys.done > 10).length;
    await waitFor(() => begun() === 2, { what: 'the scan' });
    const [slot = 0] = busySlots();
    await mover.open(slot, one, two);
    if (changesHands) await mover.assign(slot, one, two, source.masters);
    const result = await run.engine.ended;
    expect(result).toMatchObject({ exitCode: 6, refused: 2 });
    const told = result.refusals.map(({ reason }) => reason).join('\n');
    expect(told).toContain(`slots ${slot} came to this node`);
    expect(told).toContain(`slots ${slot} left this node`);
  });
});
