import { describe, expect, it } from 'vitest';
import { differences, fingerprintOf, type Setup, setupSchema } from '../../source/checkpoint/fingerprint.ts';

const SETUP: Setup = {
  source: { kind: 'standalone', ids: ['replid-1', 'run-1'], addresses: ['10.0.0.1:6379'] },
  target: { kind: 'cluster', ids: ['node-a', 'node-b'], addresses: ['10.0.1.1:7000', '10.0.1.2:7000'] },
  shards: [{ id: 0, ids: ['run-1', 'replid-1'] }],
  conflictPolicy: 'panic',
  databases: { 0: 0, 1: 3 },
  filters: { 'filter.flush': 'refuse', 'filter.publish': 'ignore' },
};

function changed(change: Partial<Setup>): string[] {
  return differences(SETUP, { ...SETUP, ...change });
}

describe('differences', () => {
  it('has nothing to say about the same setup, nor about its copy in JSON', () => {
    expect(differences(SETUP, setupSchema.parse(JSON.parse(JSON.stringify(SETUP))))).toEqual([]);
  });

  it('knows a server again behind another address, and after a failover', () => {
    expect(
      changed({
        source: { kind: 'sentinel', ids: ['replid-9', 'replid-1'], addresses: ['127.0.0.1:7777'] },
        target: { kind: 'cluster', ids: ['node-b', 'node-c'], addresses: ['10.9.9.9:1'] },
        shards: [{ id: 0, ids: ['replid-1'] }],
      }),
    ).toEqual([]);
  });

  it('takes another server at the same address for what it is', () => {
    expect(changed({ source: { ...SETUP.source, ids: ['replid-7', 'run-7'] } })).toEqual([
      'The source was a standalone at 10.0.0.1:6379 (replid-1 and 1 more), now it is a standalone at 10.0.0.1:6379 (replid-7 and 1 more).',
    ]);
  });

  it('goes by the address where nothing else is known', () => {
    expect(changed({ source: { ...SETUP.source, ids: [] } })).toEqual([]);
    expect(changed({ source: { ...SETUP.source, ids: [], addresses: ['10.0.0.2:6379'] } })).toHaveLength(1);
  });

  it('tells a cluster from a single server of the same name', () => {
    expect(changed({ target: { ...SETUP.target, kind: 'standalone' } })).toHaveLength(1);
  });

  it('says when the numbers of shards mean others; one more or fewer is no other setup', () => {
    expect(changed({ shards: [{ id: 0, ids: ['run-2'] }] })).toEqual([
      'Source shard 0 was run-1 or replid-1, now it is run-2.',
    ]);
    expect(changed({ shards: [...SETUP.shards, { id: 1, ids: ['x'] }] })).toEqual([]);
  });

  it('names each rule that is another', () => {
    expect(
      changed({
        conflictPolicy: 'rewrite',
        databases: { 0: 0, 1: 4, 2: 5 },
        filters: { 'filter.flush': 'forward', 'filter.keys': 'user:*' },
      }),
    ).toEqual([
      'The conflict policy was panic, now it is rewrite.',
      'Source database 1 went to 3, now it goes to 4.',
      'Source database 2 was not mapped, now it goes to 5.',
      'The setting filter.flush was refuse, now it is forward.',
      'The setting filter.keys was not set, now it is user:*.',
      'The setting filter.publish was ignore, now it is not set.',
    ]);
  });
});

describe('fingerprintOf', () => {
  it('does not depend on order', () => {
    const turned: Setup = {
      filters: { 'filter.publish': 'ignore', 'filter.flush': 'refuse' },
      databases: { 1: 3, 0: 0 },
      conflictPolicy: 'panic',
      shards: [{ ids: ['replid-1', 'run-1'], id: 0 }],
      target: { ...SETUP.target, ids: ['node-b', 'node-a'] },
      source: SETUP.source,
    };
    expect(fingerprintOf(turned)).toBe(fingerprintOf(SETUP));
    expect(fingerprintOf(SETUP)).toMatch(/^[0-9a-f]{32}$/);
  });

  it('depends on everything else', () => {
    const others: readonly Setup[] = [
      { ...SETUP, conflictPolicy: 'ignore' },
      { ...SETUP, databases: {} },
      { ...SETUP, filters: {} },
      { ...SETUP, shards: [] },
      { ...SETUP, target: SETUP.source },
    ];
    expect(new Set([SETUP, ...others].map(fingerprintOf)).size).toBe(6);
  });
});
