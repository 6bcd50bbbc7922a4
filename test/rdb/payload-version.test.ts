import { describe, expect, it } from 'vitest';
import { type AcceptedVersions, acceptedVersions, lowestVersion } from '../../source/rdb/payload-version.ts';
import { type ValueWay, valueWays } from '../../source/rdb/value-way.ts';
import type { ServerVersion } from '../../source/topology/topology.ts';

const server = (product: ServerVersion['product'], major: number, minor: number): ServerVersion => ({
  product,
  major,
  minor,
  patch: 0,
  text: '',
});

const accepted = (product: ServerVersion['product'], major: number, minor: number): AcceptedVersions =>
  acceptedVersions(server(product, major, minor));

describe('acceptedVersions', () => {
  it.each([
    [2, 8, 6],
    [3, 0, 6],
    [3, 2, 7],
    [4, 0, 8],
    [5, 0, 9],
    [6, 0, 9],
    [6, 2, 9],
    [7, 0, 10],
    [7, 2, 11],
    [7, 4, 12],
    [8, 0, 12],
    [8, 4, 12],
    [8, 6, 13],
    [8, 8, 14],
    [8, 10, 15],
    [9, 0, 15],
  ])('of Redis %i.%i are up to %i', (major, minor, rdb) => {
    expect(accepted('Redis', major, minor)).toEqual({ redis: rdb, valkey: 0 });
  });

  it("of Valkey end at 11, and are its own numbers' since 9", () => {
    expect(accepted('Valkey', 7, 2)).toEqual({ redis: 11, valkey: 0 });
    expect(accepted('Valkey', 8, 1)).toEqual({ redis: 11, valkey: 0 });
    expect(accepted('Valkey', 9, 0)).toEqual({ redis: 11, valkey: 80 });
    expect(accepted('Valkey', 9, 1)).toEqual({ redis: 11, valkey: 80 });
    expect(accepted('Valkey', 9, 2)).toEqual({ redis: 11, valkey: 81 });
  });
});

describe('lowestVersion', () => {
  it('knows that the dialects mean different types by the same number', () => {
    expect([lowestVersion(22, 'redis'), lowestVersion(22, 'valkey')]).toEqual([12, 80]);
    expect([lowestVersion(24, 'redis'), lowestVersion(24, 'valkey')]).toEqual([12, 0]);
    expect([lowestVersion(21, 'redis'), lowestVersion(21, 'valkey')]).toEqual([11, 11]);
  });
});

describe('valueWays', () => {
  const redis7 = { version: 10, dialect: 'redis' } as const;
  const redis8 = { version: 12, dialect: 'redis' } as const;
  const valkey9 = { version: 80, dialect: 'valkey' } as const;
  const restore = (version: number): ValueWay => ({ kind: 'restore', version });
  const rewrite: ValueWay = { kind: 'rewrite' };
  const way = (type: number, header: Parameters<typeof valueWays>[0], target: AcceptedVersions): ValueWay | undefined =>
    valueWays(header, target)[type];

  it("stamps the source's own version where the target takes it", () => {
    expect(way(0, redis7, accepted('Redis', 8, 0))).toEqual(restore(10));
    expect(way(18, redis7, accepted('Valkey', 9, 0))).toEqual(restore(10));
    expect(way(22, valkey9, accepted('Valkey', 9, 1))).toEqual(restore(80));
  });

  it('stamps the lowest that has the type where the target is older or of the other dialect', () => {
    expect(way(4, redis8, accepted('Redis', 6, 0))).toEqual(restore(6));
    expect(way(17, redis8, accepted('Valkey', 9, 1))).toEqual(restore(10));
    expect(way(5, valkey9, accepted('Redis', 8, 0))).toEqual(restore(8));
    expect(way(21, valkey9, accepted('Redis', 7, 2))).toEqual(restore(11));
    expect(way(7, redis8, accepted('Redis', 6, 0))).toEqual(restore(8));
    expect(way(0, { version: 81, dialect: 'valkey' }, accepted('Valkey', 9, 0))).toEqual(restore(6));
  });

  it('stamps exactly 6 for servers before 3.2, also on files older than that', () => {
    expect(way(13, { version: 3, dialect: 'redis' }, accepted('Redis', 3, 0))).toEqual(restore(6));
    expect(way(13, redis8, accepted('Redis', 3, 0))).toEqual(restore(6));
    for (const type of [5, 14, 16, 17, 18, 20]) expect(way(type, redis8, accepted('Redis', 3, 0))).toEqual(rewrite);
  });

  it('rewrites what the target has no name for', () => {
    for (const type of [16, 17, 18, 19, 20, 21, 24, 25]) {
      expect(way(type, redis8, accepted('Redis', 6, 0)), String(type)).toEqual(rewrite);
    }
    expect(way(20, redis8, accepted('Redis', 7, 0))).toEqual(rewrite);
    expect(way(24, redis8, accepted('Valkey', 9, 0))).toEqual(rewrite);
    expect(way(24, redis8, accepted('Redis', 7, 4))).toEqual(restore(12));
    expect(way(22, valkey9, accepted('Redis', 8, 0))).toEqual(rewrite);
    expect(way(22, valkey9, accepted('Valkey', 8, 1))).toEqual(rewrite);
  });

  it('never restores the hashes of the release candidates, nor those whose template stands elsewhere', () => {
    const redis810 = accepted('Redis', 8, 10);
    for (const type of [22, 23]) expect(way(type, redis8, redis810)).toEqual(rewrite);
    for (const type of [30, 32]) expect(way(type, { version: 15, dialect: 'redis' }, redis810)).toEqual(rewrite);
    for (const type of [29, 31]) expect(way(type, { version: 15, dialect: 'redis' }, redis810)).toEqual(restore(15));
  });

  it('brings the streams of 8.6 and 8.8 as far back as 5.0', () => {
    const redis88 = { version: 14, dialect: 'redis' } as const;
    expect(way(27, redis88, accepted('Redis', 8, 8))).toEqual(restore(14));
    expect(way(27, redis88, accepted('Redis', 8, 6))).toEqual(rewrite);
    expect(way(26, redis88, accepted('Redis', 8, 6))).toEqual(restore(13));
    expect(way(26, redis88, accepted('Valkey', 9, 0))).toEqual(rewrite);
    expect(way(27, redis88, accepted('Redis', 5, 0))).toEqual(rewrite);
    expect(way(15, redis88, accepted('Redis', 4, 0))).toMatchObject({
      kind: 'impossible',
      reason: expect.stringContaining('5.0'),
    });
  });

  it('says why what has no counterpart is impossible', () => {
    const redis810 = { version: 15, dialect: 'redis' } as const;
    const reason = (type: number, header: Parameters<typeof valueWays>[0], target: AcceptedVersions): string => {
      const found = way(type, header, target);
      return found?.kind === 'impossible' ? found.reason : '';
    };
    expect(reason(28, redis810, accepted('Redis', 8, 6))).toContain('Redis 8.8');
    expect(way(28, redis810, accepted('Redis', 8, 8))).toEqual(restore(14));
    expect(reason(33, redis810, accepted('Redis', 8, 10))).toContain('Enterprise');
    expect(reason(23, { version: 81, dialect: 'valkey' }, accepted('Valkey', 9, 0))).toContain('Valkey 9.2');
    expect(way(23, { version: 81, dialect: 'valkey' }, accepted('Valkey', 9, 2))).toEqual(restore(81));
    expect(reason(24, valkey9, accepted('Valkey', 9, 0))).toContain('type 24');
    expect(reason(6, redis7, accepted('Redis', 7, 0))).toContain('4.0');
    expect(reason(7, redis7, accepted('Redis', 3, 2))).toContain('4.0');
    expect(reason(8, redis7, accepted('Redis', 7, 0))).toContain('type 8');
    expect(reason(150, redis7, accepted('Redis', 7, 0))).toContain('type 150');
  });
});
