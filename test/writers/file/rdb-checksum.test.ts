import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Crc64 } from '../../../source/rdb/crc64.ts';
import { RdbChecksum } from '../../../source/writers/file/rdb-checksum.ts';

function crcOf(bytes: Uint8Array): bigint {
  const crc = new Crc64();
  crc.update(bytes, 0, bytes.length);
  return crc.value();
}

describe('RdbChecksum', () => {
  it('is the CRC of the file as it is in the end, wherever zeros became bytes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ text: fc.uint8Array({ maxLength: 40 }), patch: fc.uint8Array({ maxLength: 9 }) })),
        fc.array(fc.nat({ max: 20 })),
        (pieces, order) => {
          const checksum = new RdbChecksum();
          const final: number[] = [];
          const open: { at: number; patch: Uint8Array }[] = [];
          for (const [index, { text, patch }] of pieces.entries()) {
            checksum.update(text, 0, text.length);
            checksum.update(new Uint8Array(patch.length), 0, patch.length);
            final.push(...text, ...patch);
            open.push({ at: final.length - patch.length, patch });
            const next = order[index] ?? 0;
            if (next % 3 !== 0) continue;
            const [done] = open.splice(next % open.length, 1);
            if (done === undefined) continue;
            checksum.patched(done.patch, final.length - done.at - done.patch.length, final.length);
          }
          for (const { at, patch } of open) checksum.patched(patch, final.length - at - patch.length, final.length);
          expect(checksum.value(final.length)).toBe(crcOf(Uint8Array.from(final)));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('carries a change over gigabytes', () => {
    // 3 GB of zeros behind 8 bytes, in one step and in three.
    const patch = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    const once = new RdbChecksum();
    once.patched(patch, 3e9, 3e9 + 8);
    const inSteps = new RdbChecksum();
    inSteps.patched(patch, 0, 8);
    inSteps.patched(new Uint8Array(1), 0, 1e9);
    inSteps.patched(new Uint8Array(1), 0, 2e9);
    expect(inSteps.value(3e9 + 8)).toBe(once.value(3e9 + 8));
    expect(once.value(3e9 + 8)).not.toBe(0n);
  });
});
