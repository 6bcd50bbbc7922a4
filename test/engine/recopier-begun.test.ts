// That keys are being copied again is told the moment it begins: a kill before the next sample must not hide it.
import { expect, test } from 'vitest';
import { Recopier } from '../../source/engine/recopy/recopier.ts';
import { Barrier } from '../../source/engine/shard/barrier.ts';
import { CommandTable } from '../../source/protocol/command-table.ts';
import { endpointOf } from '../support/migration.ts';

const REDIS_7 = { product: 'Redis', major: 7, minor: 0, patch: 15, text: '7.0.15' } as const;
const HERE = { host: '127.0.0.1', port: 1 };

function stage(): { readonly recopier: Recopier; readonly begun: () => number } {
  let begun = 0;
  const recopier = new Recopier(
    {
      slots: null,
      targetKeys: async () => [],
      origin: { endpoint: endpointOf(HERE), version: REDIS_7, cluster: false },
      target: REDIS_7,
      makeTable: () => new CommandTable(),
      valueBytes: 1024,
    },
    {
      barrier: new Barrier(),
      offset: 0,
      historyOffset: 0,
      replaying: false,
      address: HERE,
      replid: null,
      handedOver: () => {},
      run: () => {},
      begun: () => {
        expect(recopier.busy).toBe(true);
        begun++;
      },
      refused: () => {},
      once: () => {},
      lost: () => {},
    },
  );
  return { recopier, begun: () => begun };
}

const key = (name: string) => ({ database: 0, key: Buffer.from(name) });

test('once for what is asked for together, before anything is done', () => {
  const { recopier, begun } = stage();
  void recopier.request([key('a'), key('b')]);
  expect(begun()).toBe(1);
  void recopier.request([key('c')]);
  expect(begun()).toBe(1);
  recopier.close();
});

test('for slots that another shard has let go of too', () => {
  const { recopier, begun } = stage();
  void recopier.takeSlots([1, 2], false);
  expect(begun()).toBe(1);
  recopier.close();
});
