import { describe, expect, it } from 'vitest';
import { SnapshotPermits } from '../../source/engine/run/snapshot-permits.ts';
import { LagMarks } from '../../source/engine/shard/lag-marks.ts';

describe('SnapshotPermits', () => {
  it('lets so many shards of one host in at once, in their order, and other hosts beside them', () => {
    const granted: number[] = [];
    const permits = new SnapshotPermits(2, (shard) => granted.push(shard));
    for (const shard of [0, 1, 2, 3]) permits.want(shard, 'a');
    permits.want(9, 'b');
    expect(granted).toEqual([0, 1, 9]);
    permits.giveBack(1);
    expect(granted).toEqual([0, 1, 9, 2]);
    // One that waits may give up; one that never asked may say it is done.
    permits.giveBack(3);
    permits.giveBack(7);
    permits.giveBack(0);
    expect(granted).toEqual([0, 1, 9, 2]);
    permits.want(4, 'a');
    expect(granted.at(-1)).toBe(4);
  });
});

describe('LagMarks', () => {
  it('tells the age of the oldest unapplied byte', () => {
    const marks = new LagMarks();
    marks.received(100, 1000);
    marks.received(200, 2000);
    marks.received(300, 3000);
    expect(marks.ageSeconds(50, 300, 5000)).toBe(4);
    expect(marks.ageSeconds(150, 300, 5000)).toBe(3);
    expect(marks.ageSeconds(299, 300, 5000)).toBe(2);
    expect(marks.ageSeconds(300, 300, 5000)).toBe(0);
  });

  it('stays bounded under a long backlog and keeps the oldest', () => {
    const marks = new LagMarks();
    for (let i = 1; i <= 100_000; i++) marks.received(i, i * 10);
    expect(marks.ageSeconds(0, 100_000, 1_000_000)).toBeCloseTo(999.99, 1);
  });
});
