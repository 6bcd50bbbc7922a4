// Rates as pure functions and buckets: what is shared, what is held back, what is typed, when windows hold.
import { expect, test } from 'vitest';
import { RateGate, UNLIMITED } from '../../source/engine/rate/rate-gate.ts';
import { windowAt } from '../../source/engine/rate/rate-schedule.ts';
import { shareRate } from '../../source/engine/rate/rate-shares.ts';
import { isHigher, parseRate, rateInWords } from '../../source/engine/rate/rate-words.ts';
import { TargetStrain } from '../../source/engine/rate/target-strain.ts';
import { NO_THROTTLE, Throttle, type ThrottledShard } from '../../source/engine/rate/throttle.ts';
import { parseStrain } from '../../source/engine/run/target-probe.ts';

const bytes = (bytesPerSecond: number) => ({ bytesPerSecond, operationsPerSecond: null });

/** What goes through a gate in ten seconds when there is always more, in pieces of `piece` bytes of `each` bytes a command. */
const tenSeconds = (gate: RateGate, clock: { ms: number }, piece: number, each: number) => {
  const from = { bytes: gate.bytes, operations: gate.operations };
  const endMs = clock.ms + 10_000;
  while (clock.ms < endMs) {
    const allowed = gate.allowance();
    if (allowed === 0) clock.ms += gate.hold(true);
    else {
      const moved = Math.max(piece, Math.min(allowed, 1_000_000));
      gate.spend(moved, moved / each);
    }
  }
  return { bytes: (gate.bytes - from.bytes) / 10, operations: (gate.operations - from.operations) / 10 };
};

const openGate = () => {
  const clock = { ms: 0 };
  return { clock, gate: new RateGate(() => clock.ms) };
};

test.each([100_000, 5_000_000])('a gate lets %i bytes a second through, whatever the pieces', (rate) => {
  for (const piece of [4096, 500_000]) {
    const { gate, clock } = openGate();
    gate.setRate(bytes(rate));
    expect(tenSeconds(gate, clock, piece, 100).bytes / rate).toBeCloseTo(1, 0);
    expect(gate.isHolding).toBe(true);
    clock.ms += 2000;
    expect(gate.isHolding).toBe(false);
  }
});

test('a gate counts operations by their mean size, and the smaller of both limits counts', () => {
  const { gate, clock } = openGate();
  gate.setRate({ bytesPerSecond: 10_000_000, operationsPerSecond: 2000 });
  const { operations } = tenSeconds(gate, clock, 4096, 50);
  expect(operations).toBeGreaterThan(1900);
  expect(operations).toBeLessThan(2200);
  gate.setRate({ bytesPerSecond: 20_000, operationsPerSecond: 2000 });
  expect(tenSeconds(gate, clock, 4096, 50).bytes).toBeLessThan(23_000);
});

test('a debt of a slow rate is forgiven when the rate changes, and there is no limit without one', () => {
  const { gate, clock } = openGate();
  gate.setRate(bytes(1000));
  gate.spend(1_000_000, 10);
  expect(gate.allowance()).toBe(0);
  gate.setRate(bytes(1_000_000));
  clock.ms += 50;
  expect(gate.allowance()).toBeGreaterThan(10_000);
  gate.setRate(UNLIMITED);
  expect(gate.allowance()).toBe(Number.POSITIVE_INFINITY);
});

test('who needs nothing lends its part to who is held back, and the parts add up', () => {
  const sum = (parts: readonly number[]) => parts.reduce((total, part) => total + part, 0);
  const idle = { used: 0, wants: false };
  const busy = { used: 300, wants: true };
  expect(shareRate(900, [busy, busy, busy])).toEqual([300, 300, 300]);
  const lent = shareRate(900, [busy, idle, idle]);
  expect(lent).toEqual([840, 30, 30]);
  expect(sum(shareRate(900, [busy, { used: 100, wants: false }, idle]))).toBeCloseTo(900);
  expect(shareRate(900, [idle, idle, idle])).toEqual([300, 300, 300]);
  expect(shareRate(900, [])).toEqual([]);
});

test.each([
  ['20mb', { bytesPerSecond: 20 * 1024 ** 2, operationsPerSecond: null }, '20mb/s'],
  ['5000', { bytesPerSecond: null, operationsPerSecond: 5000 }, '5000 op/s'],
  ['1.5GB/s, 300 op/s', { bytesPerSecond: 1.5 * 1024 ** 3, operationsPerSecond: 300 }, '1.5gb/s and 300 op/s'],
  ['300op 64kb', { bytesPerSecond: 65_536, operationsPerSecond: 300 }, '64kb/s and 300 op/s'],
  ['off', UNLIMITED, 'no limit'],
] as const)('"%s" is a rate', (text, rate, words) => {
  expect(parseRate(text)).toEqual(rate);
  expect(rateInWords(rate)).toBe(words);
});

test.each(['', 'fast', '0', '20mb 30mb', '-1', '5 5', 'off 3', '1e3'])('"%s" is no rate', (text) => {
  expect(parseRate(text)).toBeNull();
});

test('a rate is higher when it allows more in any way', () => {
  expect(isHigher(bytes(10), bytes(20))).toBe(true);
  expect(isHigher(bytes(10), UNLIMITED)).toBe(true);
  expect(isHigher(bytes(20), bytes(10))).toBe(false);
  expect(isHigher(UNLIMITED, bytes(10))).toBe(false);
  expect(isHigher(bytes(20), { bytesPerSecond: 10, operationsPerSecond: 5 })).toBe(false);
});

test('windows hold in local time, over midnight as well, and the first one counts', () => {
  const window = (from: string, to: string) => ({ from, to, ...UNLIMITED });
  const at = (hours: number, minutes: number) => new Date(2026, 10, 21, hours, minutes);
  const night = window('22:00', '05:00');
  const day = window('08:00', '18:30');
  for (const [hours, minutes, expected] of [
    [22, 0, night],
    [4, 59, night],
    [5, 0, null],
    [8, 0, day],
    [18, 29, day],
    [18, 30, null],
  ] as const) {
    expect(windowAt([night, day], at(hours, minutes))).toBe(expected);
  }
  const always = window('00:00', '00:00');
  expect(windowAt([always, night], at(23, 0))).toBe(always);
  expect(windowAt([], at(1, 0))).toBeNull();
});

test('the automatic throttle slows down at once, speeds up in small steps, and lets go', () => {
  const strain = new TargetStrain({ latencyMs: 20, memoryPercent: 90, cpuPercent: null });
  const reading = (latencyMs: number, memoryPercent = 50) => [
    { node: 't:1', latencyMs, memoryPercent, cpuPercent: 500 },
  ];
  strain.look(reading(19), 10_000_000);
  expect([strain.cap, strain.reason]).toEqual([null, null]);
  strain.look(reading(45), 10_000_000);
  expect(strain.cap).toBe(7_000_000);
  expect(strain.reason).toMatch(/^latency of target t:1 45 ms, limit 20 ms: at most 6\.\d+mb\/s$/);
  strain.look(reading(45), 7_000_000);
  expect(strain.cap).toBe(4_900_000);
  // Near its limit it stays where it is.
  strain.look(reading(19), 4_900_000);
  expect(strain.cap).toBe(4_900_000);
  strain.look(reading(5), 4_900_000);
  expect(strain.cap).toBeCloseTo(4_900_000 * 1.25);
  // Nodes that do not answer say nothing.
  strain.look([], 0);
  expect(strain.cap).toBeCloseTo(4_900_000 * 1.25);
  strain.look(reading(5), 100);
  expect(strain.cap).toBeNull();
  strain.look(reading(25, 95), 10_000_000);
  expect(strain.cap).toBe(1024);
  expect(strain.reason).toMatch(/^latency .*; memory of target t:1 95 %, limit 90 %: at most 1kb\/s$/);
});

test('INFO tells how full and how busy a node is', () => {
  const info =
    'used_memory:500\r\nmaxmemory:1000\r\ntotal_system_memory:4000\r\nused_cpu_sys:1.5\r\nused_cpu_user:2.5\r\n';
  expect(parseStrain(info)).toEqual({ memoryPercent: 50, cpuSeconds: 4 });
  expect(parseStrain(info.replace('maxmemory:1000', 'maxmemory:0'))).toMatchObject({ memoryPercent: 12.5 });
  expect(parseStrain('')).toEqual({ memoryPercent: null, cpuSeconds: null });
});

const openThrottle = (settings = NO_THROTTLE, at = new Date(2026, 10, 21, 12)) => {
  const shard = (id: number): ThrottledShard => ({
    id,
    name: `shard-${id}`,
    ...{ final: false, bytesPerSecond: 0, operationsPerSecond: 0, slowed: true },
  });
  const shards = [shard(0), shard(1)];
  const sent = new Map<number, unknown>();
  const throttle = new Throttle(settings, {
    shards: () => shards,
    send: (id, rate) => sent.set(id, rate),
    now: () => at,
  });
  throttle.tick();
  return { throttle, sent, shards };
};

test('a shard gets its part of the run, or its own rate when that is lower; the reason names what binds', () => {
  const { throttle, sent, shards } = openThrottle();
  expect(sent.size).toBe(0);
  expect(throttle.setRate('all', bytes(1000))).toEqual({
    accepted: true,
    message: 'The whole run: 1000b/s.',
    change: { from: 'no limit', to: '1000b/s' },
  });
  expect([...sent.values()]).toEqual([bytes(500), bytes(500)]);
  expect(throttle.setRate([1], bytes(100))).toMatchObject({ change: { from: 'no limit', to: '100b/s' } });
  expect([...sent.values()]).toEqual([bytes(500), bytes(100)]);
  const [first, second] = shards.map((shard) => throttle.reasonOf(shard));
  expect(first).toBe("the run's limit of 1000b/s");
  expect(second).toBe("the shard's limit of 100b/s; the run's limit of 1000b/s");
  expect(throttle.setRate([7], bytes(1))).toMatchObject({ accepted: false });
  throttle.setRate('all', null);
  throttle.setRate([1], null);
  expect([...sent.values()]).toEqual([UNLIMITED, UNLIMITED]);
  expect(shards.map((shard) => throttle.reasonOf(shard))).toEqual([null, null]);
});

test('a window stands in the place of the configured rate, a person in the place of both, the target below all', () => {
  const settings = {
    rate: bytes(1000),
    schedule: [{ from: '11:00', to: '13:00', ...bytes(2000) }],
    target: { latencyMs: 20, memoryPercent: null, cpuPercent: null },
  };
  const { throttle, sent, shards } = openThrottle(settings);
  expect(throttle.picture()).toEqual({ limit: bytes(2000), origin: 'schedule', automatic: null });
  expect(throttle.reasonOf(shards[0] as ThrottledShard)).toBe(
    'the schedule (11:00 to 13:00) of 2kb/s'.replace('2kb', '1.95kb'),
  );
  throttle.setRate('all', bytes(3_000_000));
  expect(throttle.picture().origin).toBe('person');
  throttle.look([{ node: 't:1', latencyMs: 30, memoryPercent: null, cpuPercent: null }]);
  throttle.tick();
  expect(sent.get(0)).toEqual(bytes(65_536 / 2));
  expect(throttle.picture().automatic).toMatch(/^latency of target/);
  throttle.setRate('all', null);
  expect(throttle.picture().origin).toBe('schedule');
  expect(openThrottle(settings, new Date(2026, 10, 21, 14)).throttle.picture().origin).toBe('configured');
});
