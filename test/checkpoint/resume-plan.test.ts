import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Setup } from '../../source/checkpoint/fingerprint.ts';
import {
  type ClusterFindings,
  planClusterResume,
  planStandaloneResume,
  type ResumePlan,
} from '../../source/checkpoint/resume-plan.ts';
import type { KnownNode, RecopiedSlots, ShardProgress } from '../../source/checkpoint/shard-state.ts';
import { SlotBitmap } from '../../source/checkpoint/slot-bitmap.ts';
import { shortOrLong } from '../support/long.ts';
import { REPLID, SimulatedTarget, SLOTS_USED, type SourceCommand } from './simulated-target.ts';

const HISTORY = { replid: REPLID, replid2: null, secondReplOffset: -1 };
const SETUP: Setup = {
  source: { kind: 'standalone', ids: [], addresses: [] },
  target: { kind: 'cluster', ids: [], addresses: [] },
  shards: [],
  conflictPolicy: 'panic',
  databases: {},
  filters: {},
};

function progressAt(offset: number, nodes: readonly KnownNode[] = [], db = 0): ShardProgress {
  return {
    source: { address: 'a:1', nodeId: null, replid: REPLID, replid2: null, secondReplOffset: -1 },
    phase: 'streaming',
    offset,
    db,
    targetWasEmpty: true,
    before: 'unknown',
    slots: [],
    recopying: false,
    kept: 0,
    keys: 0,
    nodes,
    setup: SETUP,
  };
}

const ALL = [{ first: 0, last: 16_383 }];
const A_KNOWN: KnownNode = {
  nodeId: 'a',
  replicaIds: ['a2'],
  slots: ALL,
  runId: 'run',
  replid: 'replid',
  markerSlot: 0,
  sentOffset: 900,
};
const A_NOW = { nodeId: 'a', runId: 'run', replid: 'replid', slots: ALL };

function plan(change: Partial<ClusterFindings>, marked: readonly number[] = []): ResumePlan {
  return planClusterResume({
    stored: { progress: progressAt(1000, [A_KNOWN]), markedSlots: SlotBitmap.of(marked), recopied: [] },
    history: HISTORY,
    earliestOffset: 0,
    nodes: [A_NOW],
    connectionMarkers: [],
    slotMarkers: new Map(),
    openSlots: new Set(),
    unanswered: null,
    ...change,
  });
}

function connection(namedNodeId: string, holderNodeId: string, offset: number, replid = REPLID, db = 0) {
  return { namedNodeId, holderNodeId, marker: { replid, offset, db } };
}

describe('resuming on a cluster', () => {
  it('goes on at the checkpoint where nothing has happened, and passes over by slot', () => {
    const done = plan({ slotMarkers: new Map([[7, { replid: REPLID, offset: 1500, db: 0 }]]) }, [7]);
    if (done.kind !== 'continue') throw new Error(done.kind);
    expect(done).toMatchObject({ startOffset: 1000, recopySlots: [], reasons: [] });
    expect([done.skipUntil[7], done.skipUntil[8]]).toEqual([1500, 1000]);
  });

  it('goes back to what a node that fell back has', () => {
    const done = plan({
      nodes: [{ ...A_NOW, runId: 'other' }],
      connectionMarkers: [connection('a', 'a', 600, REPLID, 3)],
    });
    expect(done).toMatchObject({ startOffset: 600, db: 3, recopySlots: [] });
    expect(done.reasons).toEqual(['node a fell back from 1000 to 600']);
  });

  it('does not go back for a node that has nothing behind its marker', () => {
    const nodes = [{ ...A_NOW, runId: 'other' }];
    expect(plan({ nodes, connectionMarkers: [connection('a', 'a', 900)] })).toMatchObject({ startOffset: 1000 });
    expect(plan({ nodes, connectionMarkers: [connection('a', 'a', 2000)] })).toMatchObject({ startOffset: 1000 });
  });

  it('believes a promoted replica the marker of its master, and nobody a marker of others', () => {
    const nodes = [{ ...A_NOW, nodeId: 'a2', runId: 'x' }];
    expect(plan({ nodes, connectionMarkers: [connection('a', 'a2', 700)] })).toMatchObject({ startOffset: 700 });
    const foreign = plan({ nodes, connectionMarkers: [connection('b', 'a2', 990)] });
    if (foreign.kind !== 'continue') throw new Error(foreign.kind);
    expect(foreign.recopySlots).toHaveLength(16_384);
  });

  it('copies a slot again whose marker should be there, or is of another history', () => {
    expect(plan({}, [5])).toMatchObject({ startOffset: 1000, recopySlots: [5] });
    const slotMarkers = new Map([[5, { replid: 'b'.repeat(40), offset: 2000, db: 0 }]]);
    expect(plan({ slotMarkers }, [5])).toMatchObject({
      recopySlots: [5],
      reasons: ['1 slot lost the marker that should be there, or their copy'],
    });
    expect(plan({ slotMarkers })).toMatchObject({ recopySlots: [] });
  });

  it('copies a slot again whose copy was lost, though an older marker is there', () => {
    const stored = {
      progress: progressAt(1000, [A_KNOWN]),
      markedSlots: SlotBitmap.of([5, 6]),
      recopied: [{ offset: 800, slots: SlotBitmap.of([5, 6]) }],
    };
    const slotMarkers = new Map([
      [5, { replid: REPLID, offset: 799, db: 0 }],
      [6, { replid: REPLID, offset: 800, db: 0 }],
    ]);
    expect(plan({ stored, slotMarkers })).toMatchObject({ recopySlots: [5] });
  });

  it('copies again what lies behind the backlog, instead of all', () => {
    const done = plan({
      earliestOffset: 800,
      nodes: [{ ...A_NOW, runId: 'other' }],
      connectionMarkers: [connection('a', 'a', 600)],
      slotMarkers: new Map([[7, { replid: REPLID, offset: 850, db: 1 }]]),
    });
    if (done.kind !== 'continue') throw new Error(done.kind);
    expect(done.recopySlots).toHaveLength(16_383);
    expect(done).toMatchObject({ startOffset: 850, db: 1 });
    expect(done.recopySlots).not.toContain(7);
    expect(done.skipUntil[6]).toBe(Number.POSITIVE_INFINITY);
  });

  it('begins anew where a write may have been refused before the marker, as its slot was between two nodes', () => {
    const marked = { slotMarkers: new Map([[7, { replid: REPLID, offset: 1500, db: 0 }]]), openSlots: new Set([7]) };
    const reasons = ['1 slot moved while writes to them were under way'];
    expect(plan({ ...marked, unanswered: null })).toMatchObject({ kind: 'full-sync', reasons });
    expect(plan({ ...marked, unanswered: new Map([[7, [1400, 1500]]]) })).toMatchObject({ kind: 'full-sync', reasons });
    // The marker's own write, or one behind it, which goes again.
    expect(plan({ ...marked, unanswered: new Map([[7, [1500, 1600]]]) }).kind).toBe('continue');
    expect(plan({ ...marked, openSlots: new Set(), unanswered: null }).kind).toBe('continue');
    // It has another owner, who is no successor of the former one.
    const nodes = [
      {
        ...A_NOW,
        slots: [
          { first: 0, last: 6 },
          { first: 8, last: 16_383 },
        ],
      },
      { ...A_NOW, nodeId: 'b', slots: [{ first: 7, last: 7 }] },
    ];
    expect(plan({ slotMarkers: marked.slotMarkers, nodes, unanswered: null }).kind).toBe('full-sync');
  });

  it('counts markers of the history before a failover as far as it was taken over', () => {
    const history = { replid: 'c'.repeat(40), replid2: REPLID, secondReplOffset: 1001 };
    expect(plan({ history })).toMatchObject({ kind: 'continue', startOffset: 1000 });
    expect(plan({ history: { ...history, secondReplOffset: 1000 } })).toMatchObject({ kind: 'full-sync' });
  });

  it.each<[string, Partial<ShardProgress>, number]>([
    ['an unfinished snapshot', { phase: 'copying' }, 0],
    ['no offset', { offset: null }, 0],
    ['a checkpoint behind the backlog', {}, 1001],
  ])('begins anew for %s', (_, change, earliestOffset) => {
    const stored = {
      progress: { ...progressAt(1000, [A_KNOWN]), ...change },
      markedSlots: new SlotBitmap(),
      recopied: [],
    };
    const done = plan({ stored, earliestOffset });
    expect(done).toMatchObject({ kind: 'full-sync' });
    expect(done.reasons).toHaveLength(1);
  });
});

describe('resuming on a standalone', () => {
  const stored = { progress: progressAt(1000), markedSlots: new SlotBitmap(), recopied: [] };
  const findings = { stored, history: HISTORY, earliestOffset: 500 };
  const marker = (offset: number, db: number, replid = REPLID) => ({ replid, offset, db });

  it('goes on at the largest marker of all databases, in its database', () => {
    const markers = [marker(900, 0), marker(1200, 4), marker(9999, 1, 'b'.repeat(40))];
    expect(planStandaloneResume({ ...findings, markers })).toMatchObject({ startOffset: 1200, db: 4, reasons: [] });
    expect(planStandaloneResume({ ...findings, markers: [marker(700, 2)] })).toMatchObject({
      startOffset: 700,
      db: 2,
      reasons: ['the target fell back from 1000 to 700; what it lost is sent again'],
    });
  });

  it('begins anew without a marker, and behind the backlog', () => {
    expect(planStandaloneResume({ ...findings, markers: [] }).kind).toBe('full-sync');
    expect(planStandaloneResume({ ...findings, markers: [marker(499, 0)] }).kind).toBe('full-sync');
  });
});

/** One life of a migration: commands, crashes, and what happens to the target meanwhile. */
function live(random: (below: number) => number): {
  /** Of how many slots in all resumes together, and how many of them were copied again. */
  readonly copied: { all: number; again: number };

  readonly target: SimulatedTarget;
  readonly stream: SourceCommand[];
} {
  const target = new SimulatedTarget();
  const stream: SourceCommand[] = [];
  const copied = { all: 0, again: 0 };
  let end = 100;
  for (let i = 0; i < 40 + random(60); i++) {
    end += 1 + random(5);
    stream.push({ slot: random(SLOTS_USED), bare: random(2) === 0, offset: end });
  }
  const sourceValues = (slot: number): number[] => {
    let values: number[] = [];
    for (const each of stream) if (each.slot === slot) values = each.bare ? [each.offset] : [...values, each.offset];
    return values;
  };
  const marked = new SlotBitmap();
  const markConnections = (offset: number): void => {
    for (const node of target.nodes) {
      node.markerSlot ??= [...node.slots][0] as number;
      node.queue.push({ kind: 'connection', slot: node.markerSlot, nodeId: node.nodeId, offset });
    }
  };
  // The snapshot is done: each node gets a first marker, and with it something to lose.
  let position = 100;
  for (const node of target.nodes) node.sentOffset = position;
  markConnections(position);
  for (const node of target.nodes) node.apply(node.queue.length);
  let skipUntil: Float64Array = new Float64Array(16_384);
  let checkpoint = {
    progress: progressAt(
      position,
      target.nodes.map((node) => node.known(position)),
    ),
    marked: marked.copy(),
    recopied: [] as RecopiedSlots[],
  };
  const save = (settled: number): void => {
    const nodes = target.nodes.map((node) => node.known(settled));
    checkpoint = { ...checkpoint, progress: progressAt(settled, nodes), marked: marked.copy() };
  };

  for (let crashes = 1 + random(4); ; crashes--) {
    let next = stream.findIndex(({ offset }) => offset > position);
    if (next < 0) next = stream.length;
    const stop = crashes === 0 ? stream.length : next + random(stream.length - next + 1);
    const settled = (): number => {
      let least = next === 0 ? 100 : (stream[next - 1] as SourceCommand).offset;
      for (const node of target.nodes) {
        for (const entry of node.queue) if (entry.kind === 'command') least = Math.min(least, entry.command.offset - 1);
      }
      // Positions are those of whole commands.
      return Math.max(position, ...stream.filter(({ offset }) => offset <= least).map(({ offset }) => offset));
    };
    while (next < stream.length && next < stop) {
      const command = stream[next++] as SourceCommand;
      if (command.offset > (skipUntil[command.slot] as number)) {
        const node = target.nodeOf(command.slot);
        if (!command.bare && !checkpoint.marked.has(command.slot)) {
          marked.add(command.slot);
          checkpoint = { ...checkpoint, marked: marked.copy() };
        }
        node.queue.push({ kind: 'command', command });
        node.sentOffset = command.offset;
      }
      for (const node of target.nodes) if (random(3) === 0) node.apply(random(4));
      if (random(4) === 0) markConnections(settled());
      if (random(5) === 0) save(settled());
      if (random(25) === 0) target.move(random(SLOTS_USED), target.nodes[random(3)] as never);
    }
    // What is on its way arrives in part; then the fence. At the end, or before a change of mind, all of it.
    for (const node of target.nodes) {
      node.apply(crashes === 0 ? node.queue.length : random(node.queue.length + 1));
      node.queue = [];
    }
    if (crashes === 0) return { target, stream, copied };

    for (let i = random(4); i > 0; i--) {
      const node = target.nodes[random(3)] as SimulatedTarget['nodes'][number];
      if (random(2) === 0) node.fallBack(random(12), random(2) === 0, `life-${crashes}-${i}`);
      else target.move(random(SLOTS_USED), node);
    }
    if (random(6) === 0) target.loseMarker(random(SLOTS_USED));
    const now = planClusterResume({
      stored: { progress: checkpoint.progress, markedSlots: checkpoint.marked, recopied: checkpoint.recopied },
      history: HISTORY,
      earliestOffset: random(3) === 0 ? (checkpoint.progress.offset as number) - random(15) : 0,
      nodes: target.nodes.map((node) => node.now()),
      connectionMarkers: target.connectionMarkers(checkpoint.progress.nodes),
      slotMarkers: target.slotMarkers(),
      openSlots: new Set(),
      // A slot moves in one step here.
      unanswered: new Map(),
    });
    if (now.kind !== 'continue') throw new Error(now.reasons.join());
    expect(now.startOffset).toBeLessThanOrEqual(checkpoint.progress.offset as number);
    position = now.startOffset;
    skipUntil = now.skipUntil;
    const again = now.recopySlots.filter((slot) => slot < SLOTS_USED);
    for (const slot of again) marked.add(slot);
    copied.all += SLOTS_USED;
    copied.again += again.length;
    for (const node of target.nodes) node.sentOffset = Math.max(node.sentOffset ?? 0, position);
    checkpoint.recopied.push({ offset: position, slots: SlotBitmap.of(again) });
    save(position);
    target.copyAgain(now, sourceValues, end);
    markConnections(position);
  }
}

/** mulberry32. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

describe('any life of a migration', () => {
  it('ends with every command applied once, whatever was killed, fell back or moved', {
    timeout: shortOrLong(60_000, 300_000),
  }, () => {
    const all = { all: 0, again: 0 };
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { target, stream, copied } = live(randomFrom(seed));
        all.all += copied.all;
        all.again += copied.again;
        for (let slot = 0; slot < SLOTS_USED; slot++) {
          let values: number[] = [];
          for (const each of stream) {
            if (each.slot === slot) values = each.bare ? [each.offset] : [...values, each.offset];
          }
          expect(target.values(slot)).toEqual(values);
        }
      }),
      { numRuns: shortOrLong(1500, 20_000) },
    );
    // A plan that copies everything again would pass as well.
    expect(all.again / all.all).toBeLessThan(0.2);
  });
});
