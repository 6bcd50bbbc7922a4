// Slots against a real cluster node's CLUSTER KEYSLOT, tags against the slot function, both against the cases that went
// wrong elsewhere (tags made from keys).

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SLOTS, slotOf, slotTag } from '../../source/protocol/slot.ts';
import { type LocalServer, startLocalServer } from './local-server.ts';

function slotOfKey(key: Buffer): number {
  // In the middle of other bytes, braces among them: only the range counts.
  const buffer = Buffer.concat([Buffer.from('{x}{'), key, Buffer.from('}{y}')]);
  return slotOf(buffer, 4, key.length);
}

let server: LocalServer;
beforeAll(async () => {
  server = await startLocalServer('--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf');
});
afterAll(() => server.stop());

async function serverSlots(keys: readonly Buffer[]): Promise<number[]> {
  return Promise.all(keys.map(async (key) => Number(await server.client.call('CLUSTER', 'KEYSLOT', key))));
}

describe('slotOf', () => {
  test('is what the server says, for braces in every place', async () => {
    const keys = 'a}b,{}x,{x},m:{a}b},{,},{}, ,{{a}},a{b}{c},}{a},a{b,{a}{},{}{a},foo{}{bar},foo{{bar}}zap,x'.split(
      ',',
    );
    keys.push('');
    const bytes = keys.map((key) => Buffer.from(key));
    expect(bytes.map(slotOfKey)).toEqual(await serverSlots(bytes));
    expect(slotOfKey(Buffer.from('a}b'))).toBe(7866);
    expect(slotOfKey(Buffer.from('m:{a}b}'))).toBe(15495);
    expect(slotOfKey(Buffer.from('123456789'))).toBe(0x31c3);
  });

  test('is what the server says, for random keys', async () => {
    const byte = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x7b, 0x7d));
    const keys = fc.sample(fc.array(byte, { maxLength: 40 }), 5000).map((bytes) => Buffer.from(bytes));
    expect(keys.map(slotOfKey)).toEqual(await serverSlots(keys));
  });
});

describe('slotTag', () => {
  test('gives each slot a short tag of its own that hashes to it', () => {
    const tags = new Set<string>();
    for (let slot = 0; slot < SLOTS; slot++) {
      const tag = slotTag(slot);
      expect(tag).toMatch(/^[0-9a-z]{1,4}$/);
      expect(slotOfKey(Buffer.from(tag))).toBe(slot);
      expect(slotOfKey(Buffer.from(`redferry:run:{${tag}}:shard-0`))).toBe(slot);
      tags.add(tag);
    }
    expect(tags.size).toBe(SLOTS);
    expect(() => slotTag(SLOTS)).toThrow(RangeError);
    expect(() => slotTag(-1)).toThrow(RangeError);
  });

  test('never changes: markers on targets carry the tags', () => {
    expect([0, 1, 8191, 16_383].map(slotTag)).toMatchInlineSnapshot(`
      [
        "1bz",
        "emj",
        "7ho",
        "hia",
      ]
    `);
  });
});
