// What has to be confirmed, and what is written down of it.
import { expect, test } from 'vitest';
import type { EngineCommand } from '../../source/engine/contract/command.ts';
import { AUDIT_KEPT, type AuditEntry, type Order } from '../../source/engine/contract/order.ts';
import type { ShardSnapshot } from '../../source/engine/contract/shard-snapshot.ts';
import { CommandDesk } from '../../source/engine/run/command-desk.ts';
import { isConfirmed } from '../../source/engine/run/confirmation.ts';
import { targetName } from '../../source/engine/run/target-name.ts';
import { createFakeEngine } from '../support/fake-engine.ts';

const NAME = '10.9.4.20:6379';

function openDesk(edit: Partial<ShardSnapshot> = {}) {
  const fake = createFakeEngine({ startMs: 0 });
  fake.advance(40_000);
  fake.edit(1, edit);
  const written: AuditEntry[] = [];
  const obeyed: EngineCommand[] = [];
  const desk = new CommandDesk({
    snapshot: () => fake.engine.snapshot(),
    obey: async (command) => {
      obeyed.push(command);
      return { accepted: true, message: 'Done.', change: { from: 'a', to: 'b' } };
    },
    onAudit: (entry) => written.push(entry),
  });
  return { desk, written, obeyed };
}

const by = (confirmed: Order['confirmed']): Order => ({ client: 'ctl', confirmed });

test('the levels: finishing in sync and out of sync, repairing, pausing', async () => {
  const inSync = openDesk();
  expect(await inSync.desk.handle({ type: 'finish' }, by('no'))).toMatchObject({ accepted: false, needs: 'yes' });
  expect(await inSync.desk.handle({ type: 'finish' }, by('yes'))).toMatchObject({ accepted: true });
  for (const edit of [{ paused: true }, { state: 'full-sync' }, { lagSeconds: 60 }, { state: 'failed' }] as const) {
    const { desk, obeyed } = openDesk(edit);
    expect(await desk.handle({ type: 'finish' }, by('yes'))).toMatchObject({ accepted: false, needs: 'target' });
    expect(await desk.handle({ type: 'finish' }, by({ target: 'db2' }))).toMatchObject({ accepted: false });
    expect(obeyed).toEqual([]);
    expect(await desk.handle({ type: 'finish' }, by({ target: NAME }))).toMatchObject({ accepted: true });
  }
  const { desk } = openDesk();
  expect(await desk.handle({ type: 'repair', keys: [] }, by('yes'))).toMatchObject({
    needs: 'target',
    message: `This has to be confirmed with the target's name, ${NAME}.`,
  });
  expect(await desk.handle({ type: 'pause', shards: 'all' }, by('no'))).toMatchObject({ accepted: true });
});

test('every command is an entry, also those that were refused; of keys only their number', async () => {
  const { desk, written } = openDesk();
  await desk.handle({ type: 'finish' }, by('no'));
  await desk.handle({ type: 'repair', keys: [{ database: 0, key: 'c2VjcmV0' }] }, by({ target: NAME }));
  await desk.handle({ type: 'stop' });
  expect(written).toMatchObject([
    { id: 1, client: 'ctl', command: { type: 'finish' }, confirmed: 'no', accepted: false, change: null },
    { id: 2, command: { type: 'repair', keys: 1 }, confirmed: { target: NAME }, change: { from: 'a', to: 'b' } },
    { id: 3, client: 'redferry', command: { type: 'stop' }, confirmed: 'no', accepted: true },
  ]);
  expect(desk.entries).toEqual(written);
  for (let count = 0; count < AUDIT_KEPT; count++) await desk.handle({ type: 'stop' });
  expect(desk.entries).toHaveLength(AUDIT_KEPT);
  expect(desk.entries.at(-1)?.id).toBe(AUDIT_KEPT + 3);
});

test('a target is named with its scheme or without', () => {
  expect(targetName('redis://10.0.0.1:7000')).toBe('10.0.0.1:7000');
  expect(targetName('redis-sentinel://h1,h2/name')).toBe('h1,h2/name');
  expect(isConfirmed('target', { target: 'redis://a:1' }, 'redis://a:1')).toBe(true);
  expect(isConfirmed('target', { target: 'a:1' }, 'redis://a:1')).toBe(true);
  expect(isConfirmed('target', 'yes', 'redis://a:1')).toBe(false);
  expect(isConfirmed('yes', { target: 'b' }, 'redis://a:1')).toBe(false);
});
