import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LengthReader } from '../../source/rdb/length.ts';
import { RdbOutput } from '../../source/rdb/rdb-output.ts';

const written = (write: (out: RdbOutput) => void): string => {
  const out = new RdbOutput();
  write(out);
  return out.bytes.toString('hex', 0, out.length);
};

describe('lengths', () => {
  it('take the shortest form', () => {
    expect(written((out) => out.putLength(63))).toBe('3f');
    expect(written((out) => out.putLength(64))).toBe('4040');
    expect(written((out) => out.putLength(16383))).toBe('7fff');
    expect(written((out) => out.putLength(16384))).toBe('8000004000');
    expect(written((out) => out.putLength(2 ** 32 - 1))).toBe('80ffffffff');
    expect(written((out) => out.putLength(2 ** 32))).toBe('810000000100000000');
    expect(written((out) => out.putLength(2n ** 63n + 1n))).toBe('818000000000000001');
    expect(written((out) => out.putLength(-1n))).toBe('81ffffffffffffffff');
    expect(written((out) => out.putLength(2 ** 64))).toBe('81ffffffffffffffff');
  });

  it('read as what they were, given as a number or a bigint', () => {
    const reader = new LengthReader();
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        for (const given of [value, BigInt(value)]) {
          const out = new RdbOutput();
          out.putLength(given);
          expect(reader.read(out.bytes, 0, out.length)).toBe(out.length);
          expect(reader.value).toBe(value);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('may be written into the room left for them', () => {
    const out = new RdbOutput();
    out.putByte(7);
    const at = out.reserveLength();
    out.putText('text');
    out.patchLength(at, 70_000);
    expect(out.bytes.toString('hex', 0, out.length)).toBe('078000011170' + '0474657874');
  });
});

describe('scores as text', () => {
  const text = (score: number): string => {
    const out = new RdbOutput();
    out.putScoreText(score);
    expect(out.length).toBe(1 + (out.bytes[0] as number));
    return out.bytes.toString('latin1', 1, out.length);
  };

  it('are the same number again, to the last bit', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (score) => {
        expect(Object.is(Number(text(score)), score)).toBe(true);
      }),
      { numRuns: 500 },
    );
    expect(text(-0)).toBe('-0');
  });

  it('have one byte where there is no number', () => {
    expect(written((out) => out.putScoreText(Number.NaN))).toBe('fd');
    expect(written((out) => out.putScoreText(Number.POSITIVE_INFINITY))).toBe('fe');
    expect(written((out) => out.putScoreText(Number.NEGATIVE_INFINITY))).toBe('ff');
  });
});

describe('times', () => {
  it('have a sign and 64 bits', () => {
    for (const ms of [0, 1, -1, 1_700_000_000_000, -(2 ** 40) - 7, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
      const out = new RdbOutput();
      out.putMs(ms);
      expect(out.bytes.readBigInt64LE(0)).toBe(BigInt(ms));
    }
  });

  it('beyond 64 bits are the highest', () => {
    const out = new RdbOutput();
    out.putMs(2 ** 63);
    expect(out.bytes.readBigInt64LE(0)).toBeGreaterThan(2n ** 62n);
  });
});

describe('the buffer', () => {
  it('grows byte by byte', () => {
    const out = new RdbOutput();
    for (let i = 0; i < 20_000; i++) out.putByte(i & 255);
    expect(out.length).toBe(20_000);
    for (let i = 0; i < 20_000; i++) if (out.bytes[i] !== (i & 255)) expect(out.bytes[i]).toBe(i & 255);
  });

  it('grows and keeps what was written', () => {
    const out = new RdbOutput();
    const block = Buffer.alloc(1000, 'x');
    for (let i = 0; i < 5000; i++) out.putString(block, i % 10, 1000);
    let at = 0;
    const reader = new LengthReader();
    for (let i = 0; i < 5000; i++) {
      at = reader.read(out.bytes, at, out.length) + reader.value;
      expect(reader.value).toBe(1000 - (i % 10));
    }
    expect(at).toBe(out.length);
    const grown = out.bytes.length;
    out.reset();
    expect(out.length).toBe(0);
    // One big value must not hold its memory for the rest of the run.
    expect(out.bytes.length).toBeLessThan(grown / 100);
  });
});
