import { describe, expect, it } from 'vitest';
import { Crc64 } from '../../source/rdb/crc64.ts';
import { lzfDecompress } from '../../source/rdb/lzf.ts';

function bitwise(bytes: Uint8Array): bigint {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let i = 0; i < 8; i++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n;
  }
  return crc;
}

describe('Crc64', () => {
  it('gives the check value of the polynomial', () => {
    const crc = new Crc64();
    crc.update(Buffer.from('123456789'), 0, 9);
    expect(crc.value()).toBe(0xe9c6d914c4b8d9can);
  });

  it('equals the bitwise form, in any split', () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7919) & 255);
    for (const split of [0, 1, 7, 8, 9, 500, 999, 1000]) {
      const crc = new Crc64();
      crc.update(bytes, 0, split);
      crc.update(bytes, split, bytes.length);
      expect(crc.value()).toBe(bitwise(bytes));
    }
  });
});

describe('lzfDecompress', () => {
  it('unpacks literals and overlapping references', () => {
    // "a", then 9 bytes from distance 1: ten times "a".
    const packed = Uint8Array.from([0, 97, 0xe0, 0, 0]);
    const plain = new Uint8Array(10);
    expect(lzfDecompress(packed, 0, packed.length, plain)).toBe(true);
    expect(Buffer.from(plain).toString()).toBe('aaaaaaaaaa');
  });

  it('refuses references before the start and sizes that do not fit', () => {
    expect(lzfDecompress(Uint8Array.from([0x20, 5]), 0, 2, new Uint8Array(3))).toBe(false);
    expect(lzfDecompress(Uint8Array.from([0, 97]), 0, 2, new Uint8Array(2))).toBe(false);
  });
});
