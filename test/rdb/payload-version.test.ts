import { describe, expect, it } from 'vitest';
import { acceptedVersions, payloadVersion } from '../../source/rdb/payload-version.ts';
import type { ServerVersion } from '../../source/topology/topology.ts';

const server = (product: ServerVersion['product'], major: number, minor: number): ServerVersion => ({
  product,
  major,
  minor,
  patch: 0,
  text: '',
});

describe('acceptedVersions', () => {
  it('follows the releases', () => {
    expect(acceptedVersions(server('Redis', 6, 0)).redis).toBe(9);
    expect(acceptedVersions(server('Redis', 7, 0)).redis).toBe(10);
    expect(acceptedVersions(server('Redis', 7, 4)).redis).toBe(12);
    expect(acceptedVersions(server('Redis', 8, 0)).redis).toBe(12);
    expect(acceptedVersions(server('Valkey', 8, 1))).toEqual({ redis: 11, valkey: 0 });
    expect(acceptedVersions(server('Valkey', 9, 1))).toEqual({ redis: 11, valkey: 80 });
  });
});

describe('payloadVersion', () => {
  it("is the source's own where the target takes it", () => {
    expect(payloadVersion(0, 10, 'redis', { redis: 12, valkey: 0 })).toBe(10);
    expect(payloadVersion(22, 80, 'valkey', { redis: 11, valkey: 80 })).toBe(80);
  });

  it('is the lowest that has the type where the target is older', () => {
    expect(payloadVersion(4, 12, 'redis', { redis: 9, valkey: 0 })).toBe(8);
    expect(payloadVersion(17, 12, 'redis', { redis: 11, valkey: 80 })).toBe(10);
    expect(payloadVersion(0, 80, 'valkey', { redis: 12, valkey: 0 })).toBe(8);
  });

  it('stays where no older version has the type: the target refuses, and that is recorded', () => {
    expect(payloadVersion(20, 12, 'redis', { redis: 10, valkey: 0 })).toBe(12);
    expect(payloadVersion(24, 12, 'redis', { redis: 11, valkey: 80 })).toBe(12);
  });
});
