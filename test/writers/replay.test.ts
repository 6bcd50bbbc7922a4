// What decides, when the stream is played again, what goes and what is passed over.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SLOT_COUNT } from '../../source/topology/topology.ts';
import { DatabaseLog } from '../../source/writers/database-log.ts';
import { ParkedSlots } from '../../source/writers/parked-slots.ts';
import { ReplayFilter } from '../../source/writers/replay-filter.ts';

const write = fc.record({ slot: fc.integer({ min: 0, max: 3 }), offset: fc.integer({ min: 1, max: 60 }) });

describe('ReplayFilter', () => {
  it('tells what it still has to let pass, for the filter after a link that was lost', () => {
    const missing = [
      { slot: 5, offset: 40 },
      { slot: 5, offset: 70 },
      { slot: 9, offset: 60 },
    ];
    const filter = ReplayFilter.after(100, missing, null);
    expect(filter.missingBehind(40)).toEqual([
      { slot: 5, offset: 70 },
      { slot: 9, offset: 60 },
    ]);
    expect(filter.missingBehind(70)).toEqual([]);
    // The target's marker says 100 for slot 5 as soon as the first of them has been sent again.
    const next = new ReplayFilter(new Float64Array(16_384).fill(100), filter.missingBehind(40));
    expect([next.has(5, 40), next.has(5, 70), next.has(9, 60)]).toEqual([true, false, false]);
  });

  it('has what lies before its limit and is not missing', () => {
    const filter = ReplayFilter.after(100, [{ slot: 5, offset: 40 }], null);
    expect(filter.has(5, 39)).toBe(true);
    expect(filter.has(5, 40)).toBe(false);
    expect(filter.has(6, 40)).toBe(true);
    expect(filter.has(5, 101)).toBe(false);
    expect(filter.until).toBe(100);
    expect(filter.reached(5, 40)).toBe(100);
    expect(filter.reached(5, 120)).toBe(120);
  });

  it('stays right however often a replay is broken off', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ upTo: fc.integer({ min: 1, max: 60 }), missing: fc.array(write, { maxLength: 6 }) }), {
          minLength: 1,
          maxLength: 5,
        }),
        (rounds) => {
          // The model: the set of writes that have taken effect; each round plays 1 to upTo and loses some of it.
          const done = new Set<string>();
          let filter: ReplayFilter | null = null;
          for (const { upTo, missing } of rounds) {
            const sent = new Set<string>();
            for (let offset = 1; offset <= upTo; offset++) {
              for (let slot = 0; slot < 4; slot++) {
                const id = `${slot}:${offset}`;
                if (filter?.has(slot, offset)) continue;
                if (done.has(id)) return false;
                sent.add(id);
              }
            }
            const lost = missing.filter(({ slot, offset }) => sent.has(`${slot}:${offset}`));
            for (const id of sent) if (!lost.some(({ slot, offset }) => id === `${slot}:${offset}`)) done.add(id);
            filter = ReplayFilter.after(upTo, lost, filter);
          }
          for (let offset = 1; offset <= 60; offset++) {
            for (let slot = 0; slot < 4; slot++) {
              if (filter?.has(slot, offset) !== done.has(`${slot}:${offset}`)) return false;
            }
          }
          return true;
        },
      ),
    );
  });

  it('takes a limit for each slot', () => {
    const skipUntil = new Float64Array(SLOT_COUNT).fill(50);
    skipUntil[7] = 80;
    const filter = new ReplayFilter(skipUntil, []);
    expect([filter.has(7, 80), filter.has(8, 80), filter.has(8, 50), filter.until]).toEqual([true, false, true, 80]);
  });
});

describe('DatabaseLog', () => {
  it('knows the database of every offset, also when the stream is played again', () => {
    const log = new DatabaseLog();
    log.selected(3, 10);
    log.selected(0, 20);
    log.selected(7, 30);
    expect([5, 10, 19, 20, 29, 31].map((offset) => log.at(offset))).toEqual([0, 3, 3, 0, 0, 7]);
    log.selected(0, 20);
    expect(log.at(40)).toBe(0);
    log.selected(7, 30);
    log.forget(25);
    expect([26, 40].map((offset) => log.at(offset))).toEqual([0, 7]);
    expect([...log.seen].sort()).toEqual([0, 3, 7]);
  });
});

describe('ParkedSlots', () => {
  it('notes what it passes over, and where the first of it stands', () => {
    const parked = new ParkedSlots();
    parked.park(9);
    expect(parked.passOver(8, 100, 90)).toBe(false);
    expect(parked.passOver(9, 100, 90)).toBe(true);
    expect(parked.passOver(9, 100, 90)).toBe(true);
    expect(parked.passOver(9, 130, 120)).toBe(true);
    expect(parked.position).toBe(90);
    expect(parked.release()).toEqual([
      { slot: 9, offset: 100 },
      { slot: 9, offset: 130 },
    ]);
    expect([parked.size, parked.position]).toEqual([0, Number.POSITIVE_INFINITY]);
  });
});
