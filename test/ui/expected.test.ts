// What keys go by between a command and the picture that shows it.
import { expect, test } from 'vitest';
import type { EngineCommand } from '../../source/engine/contract/command.ts';
import type { EngineSnapshot } from '../../source/engine/contract/engine-snapshot.ts';
import type { ShardChanges } from '../../source/engine/contract/shard-snapshot.ts';
import { expected, isUnseen } from '../../source/ui/expected.ts';
import { createFakeEngine } from '../support/fake-engine.ts';

const after = (snapshot: EngineSnapshot, ...commands: readonly EngineCommand[]): EngineSnapshot =>
  expected(
    snapshot,
    commands.map((command) => ({ command, answeredAtMs: null })),
  );

const withChanges = (flags: string): EngineSnapshot => {
  const fake = createFakeEngine({ shards: 1 });
  const changes: ShardChanges = {
    ...{ followedBy: null, flags, needed: 'AE', verdict: null },
    ...{ waiting: 0, oldestSeconds: 0 },
  };
  fake.edit(0, { changes });
  return fake.engine.snapshot();
};

test('the last of several commands counts, for the shards that it names', () => {
  const snapshot = createFakeEngine().engine.snapshot();
  const picture = after(snapshot, { type: 'pause', shards: 'all' }, { type: 'resume', shards: [1] });
  expect(picture.shards.map(({ paused }) => paused)).toEqual([true, false, true]);
  expect(snapshot.shards.some(({ paused }) => paused)).toBe(false);
});

test('a rate of some shards is theirs, one of all the limit of the run, and what is configured is not known', () => {
  const snapshot = createFakeEngine().engine.snapshot();
  const rate = { bytesPerSecond: 4096, operationsPerSecond: null };
  expect(after(snapshot, { type: 'setRate', shards: [2], rate }).shards.map((shard) => shard.rate)).toMatchObject([
    { bytesPerSecond: null },
    { bytesPerSecond: null },
    rate,
  ]);
  expect(after(snapshot, { type: 'setRate', shards: 'all', rate }).rate.limit).toEqual(rate);
  expect(after(snapshot, { type: 'setRate', shards: 'all', rate: null })).toEqual(snapshot);
});

test('keyspace events that are on their way are enough; those put back are unknown until they are seen', () => {
  const flagsAfter = (flags: string, on: boolean): string | null | undefined =>
    after(withChanges(flags), { type: 'setKeyspaceEvents', shards: [0], on }).shards[0]?.changes?.flags;
  expect([flagsAfter('', true), flagsAfter('AE', false), flagsAfter('K', false)]).toEqual(['AE', '?', 'K']);
});

test('a command counts until a picture is a second newer than its answer', () => {
  const snapshot = createFakeEngine().engine.snapshot();
  const { takenAtMs } = snapshot;
  const isAwaited = (answeredAtMs: number | null) =>
    isUnseen({ command: { type: 'pause', shards: 'all' }, answeredAtMs }, snapshot);
  expect([null, takenAtMs, takenAtMs - 999, takenAtMs - 1000].map(isAwaited)).toEqual([true, true, true, false]);
});

test('a run that was stopped or finished drains, before any picture says so', () => {
  const snapshot = createFakeEngine().engine.snapshot();
  expect(snapshot.phase).toBe('running');
  expect(after(snapshot, { type: 'stop' }).phase).toBe('draining');
  expect(after(snapshot, { type: 'finish' }).phase).toBe('draining');
});
