import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  connectionMarkerName,
  countsFor,
  encodeConnectionMarker,
  formatMarker,
  parseMarker,
  SlotMarkers,
  slotMarkerName,
} from '../../source/checkpoint/marker.ts';
import { encodeCommand } from '../../source/protocol/resp-encode.ts';
import { SLOTS, slotOf } from '../../source/protocol/slot.ts';

const REPLID = '8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb';
const RUN = '20261121-031400-ab12';

describe('a slot marker', () => {
  it('is the SET of its name and value, written in place, whatever stood there', () => {
    fc.assert(
      fc.property(
        fc.nat(SLOTS - 1),
        fc.oneof(fc.nat(1000), fc.maxSafeNat()),
        fc.nat(100_000),
        fc.nat(200),
        fc.nat(1 << 30).map((n) => `shard-${n}`),
        (slot, offset, db, at, shard) => {
          const markers = new SlotMarkers(RUN, shard, REPLID);
          const buffer = Buffer.alloc(at + markers.maxBytes + 1, '#');
          const end = markers.put(buffer, at, slot, offset, db);
          const expected = encodeCommand(['SET', slotMarkerName(RUN, shard, slot), `${REPLID}:${offset}:${db}`]);
          expect(buffer.toString('latin1', at, end)).toBe(expected.toString('latin1'));
          expect(buffer.subarray(0, at).every((byte) => byte === 35)).toBe(true);
          expect(buffer.subarray(end).every((byte) => byte === 35)).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('lies in its slot', () => {
    for (let slot = 0; slot < SLOTS; slot += 37) {
      const name = Buffer.from(slotMarkerName('r', 'shard-3', slot));
      expect(slotOf(name, 0, name.length)).toBe(slot);
    }
  });

  it('takes a new replid', () => {
    const markers = new SlotMarkers(RUN, 'shard-0', REPLID);
    const next = 'f'.repeat(40);
    markers.setReplid(next);
    const buffer = Buffer.alloc(markers.maxBytes);
    expect(buffer.toString('latin1', 0, markers.put(buffer, 0, 7, 1, 2))).toContain(`${next}:1:2`);
    expect(() => markers.setReplid('short')).toThrow(RangeError);
  });

  it.each(['', 'a:b', 'a{b}', 'a b', 'ä', 'x'.repeat(65)])('refuses "%s" as the name of a run', (run) => {
    expect(() => new SlotMarkers(run, 'shard-0', REPLID)).toThrow(RangeError);
    expect(() => slotMarkerName(run, 'shard-0', 0)).toThrow(RangeError);
  });

  it("works for every length of a run's name", () => {
    for (let length = 1; length <= 64; length++) {
      const markers = new SlotMarkers('r'.repeat(length), 'shard-12', REPLID);
      const buffer = Buffer.alloc(markers.maxBytes);
      for (const slot of [0, 1, 2, 5000]) {
        const end = markers.put(buffer, 0, slot, 9, 0);
        const name = slotMarkerName('r'.repeat(length), 'shard-12', slot);
        expect(buffer.toString('latin1', 0, end)).toBe(
          encodeCommand(['SET', name, `${REPLID}:9:0`]).toString('latin1'),
        );
      }
    }
  });
});

describe("a marker's value", () => {
  it('reads back what was written', () => {
    const marker = { replid: REPLID, offset: Number.MAX_SAFE_INTEGER, db: 15 };
    expect(parseMarker(formatMarker(marker))).toEqual(marker);
    expect(encodeConnectionMarker(connectionMarkerName('r', 'shard-1', 0, 'node'), marker).toString()).toContain(
      `redferry:r:{1bz}:shard-1:node\r\n$60\r\n${REPLID}:9007199254740991:15\r\n`,
    );
  });

  it.each([
    '',
    'x',
    ':1:0',
    `${REPLID}:1`,
    `${REPLID}:-1:0`,
    `${REPLID}:1:0:`,
    `${REPLID}:1e3:0`,
    `${REPLID}:9007199254740993:0`,
  ])('is none: "%s"', (value) => expect(parseMarker(value)).toBeNull());

  it('counts for its own history, and for the next one up to where they part', () => {
    const own = { replid: 'b', replid2: 'a', secondReplOffset: 101 };
    expect(countsFor({ replid: 'b', offset: 10_000 }, own)).toBe(true);
    expect(countsFor({ replid: 'a', offset: 100 }, own)).toBe(true);
    expect(countsFor({ replid: 'a', offset: 101 }, own)).toBe(false);
    expect(countsFor({ replid: 'c', offset: 1 }, own)).toBe(false);
    expect(countsFor({ replid: 'a', offset: 1 }, { replid: 'b', replid2: null, secondReplOffset: -1 })).toBe(false);
  });
});
