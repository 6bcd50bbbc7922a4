import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamHistory } from '../../source/readers/stream-history.ts';

/** The byte that stands at a position of the stream. */
const byteAt = (position: number): number => (position * 31 + (position >> 8)) & 255;

class EndlessSource {
  size = 0;
  #next: number;

  constructor(from: number) {
    this.#next = from;
  }

  read(into: Uint8Array, offset: number, length: number): number {
    const count = Math.min(length, this.size);
    for (let i = 0; i < count; i++) into[offset + i] = byteAt(this.#next++);
    this.size -= count;
    return count;
  }
}

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('arrive' as const), bytes: fc.integer({ min: 1, max: 400_000 }) }),
    fc.record({ kind: fc.constant('read' as const), bytes: fc.integer({ min: 1, max: 500_000 }) }),
    fc.record({ kind: fc.constant('settle' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ kind: fc.constant('rewind' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  ),
  { maxLength: 60 },
);

describe('StreamHistory', () => {
  it('gives the same bytes again from every place that is needed or within the limit', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 1_000_000 }), (todo, limit) => {
        const begin = 1000;
        const ahead = Buffer.from(Array.from({ length: 700 }, (_, i) => byteAt(begin + i)));
        const source = new EndlessSource(begin + ahead.length);
        let settled = begin;
        let next = begin + ahead.length;
        let end = next;
        const history = new StreamHistory(source, { bytes: limit, needed: () => settled });
        history.begin(begin, ahead);
        for (const step of todo) {
          switch (step.kind) {
            case 'arrive':
              source.size += step.bytes;
              break;
            case 'read': {
              const into = Buffer.alloc(step.bytes);
              const count = history.read(into, 0, step.bytes);
              for (let i = 0; i < count; i++) if (into[i] !== byteAt(next + i)) return false;
              next += count;
              end = Math.max(end, next);
              break;
            }
            case 'settle':
              settled = Math.max(settled, Math.floor(settled + (next - settled) * step.share));
              break;
            case 'rewind': {
              const from = Math.max(history.start, 0);
              next = Math.floor(from + (end - from) * step.share);
              history.rewind(next);
              settled = Math.min(settled, next);
              break;
            }
          }
          if (history.start > settled || history.size !== source.size + end - next) return false;
        }
        return true;
      }),
      { numRuns: 60 },
    );
  });

  it('keeps no more than the limit and a chunk or two once all is settled', () => {
    const source = new EndlessSource(0);
    let next = 0;
    const history = new StreamHistory(source, { bytes: 1_000_000, needed: () => next });
    history.begin(0, Buffer.alloc(0));
    const into = Buffer.alloc(100_000);
    for (let i = 0; i < 100; i++) {
      source.size += into.length;
      next += history.read(into, 0, into.length);
    }
    expect(next - history.start).toBeLessThanOrEqual(1_000_000 + 2 * 256 * 1024);
    expect(next - history.start).toBeGreaterThanOrEqual(1_000_000);
    expect(() => history.rewind(history.start - 1)).toThrow(RangeError);
  });
});
