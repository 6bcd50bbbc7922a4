// Where a shard goes on when its node is gone: with what has taken that node's place, and never with another shard's master.
import { expect, test } from 'vitest';
import { successor } from '../../source/engine/shard/shard-restart.ts';
import type { SlotRange, TopologyShard } from '../../source/topology/topology.ts';

function address(port: number) {
  return { host: '10.0.0.1', port };
}

function master(
  nodeId: string,
  port: number,
  replicaIds: readonly string[],
  slots: readonly SlotRange[],
): TopologyShard {
  return { id: 0, address: address(port), nodeId, replicaIds, slots };
}

/** Its first slot was moved to `other` before its master died. */
const GONE = {
  address: address(1),
  nodeId: 'a',
  replicaIds: ['b'],
  slots: [
    { first: 5, last: 5 },
    { first: 100, last: 200 },
  ],
};
const OTHER = master('other', 9, [], [{ first: 0, last: 99 }]);

test.each([
  ['a master still, although its slots are others now', master('a', 1, [], [{ first: 300, last: 300 }])],
  ['a replica that took over', master('b', 2, [], [{ first: 300, last: 300 }])],
  ['one that the old master follows now', master('c', 3, ['a'], [{ first: 300, last: 300 }])],
  ['one that nobody knew, with most of the slots', master('d', 4, [], [{ first: 100, last: 200 }])],
])('%s', (_what, wanted) => {
  expect(successor(GONE, [OTHER, wanted])).toBe(wanted);
});

test('nobody, where none has any of its slots', () => {
  expect(successor({ ...GONE, slots: [] }, [OTHER])).toBeUndefined();
});
