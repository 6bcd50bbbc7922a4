import { describe, expect, it } from 'vitest';
import { SHARD_STATES } from '../../source/engine/contract/shard-snapshot.ts';
import { isFinal, nextShardState, SHARD_TABLE, type ShardEvent } from '../../source/engine/shard/shard-state.ts';

describe('the life of a shard', () => {
  it('goes the usual way', () => {
    const way: ShardEvent[] = [
      'connected',
      'handshaken',
      'snapshot-begins',
      'snapshot-applied',
      'caught-up',
      'stop',
      'drained',
    ];
    let state = nextShardState('connecting', 'connected');
    for (const event of way.slice(1)) state = nextShardState(state, event);
    expect(state).toBe('done');
  });

  it('can fail from every state that is not final, and from no other', () => {
    for (const state of SHARD_STATES) {
      if (isFinal(state)) expect(() => nextShardState(state, 'fail')).toThrow();
      else expect(nextShardState(state, 'fail')).toBe('failed');
    }
  });

  it('names state and event of an impossible step', () => {
    expect(() => nextShardState('streaming', 'drained')).toThrow('a shard that is streaming knows no "drained"');
  });

  it('reaches every state from the first, and leads only to known ones', () => {
    const reached = new Set<string>(['connecting']);
    for (let grown = 0; grown !== reached.size; ) {
      grown = reached.size;
      for (const state of SHARD_STATES)
        if (reached.has(state)) for (const next of Object.values(SHARD_TABLE[state])) reached.add(next);
    }
    expect([...reached].sort()).toEqual([...SHARD_STATES].sort());
  });
});
