// Existing keys of every kind under each policy, and with a switch in the middle: every key ends as the policy in force at
// its time says, and the counts add up: 100,000 keys in the long form (REDFERRY_LONG=1).
import type { Redis } from 'ioredis';
import { describe, expect, it, vi } from 'vitest';
import type { ConflictPolicy, ConflictRecord } from '../../source/engine/contract/conflict.ts';
import { NO_THROTTLE, type ThrottleSettings } from '../../source/engine/rate/throttle.ts';
import { client } from '../support/client.ts';
import { shortOrLong } from '../support/long.ts';
import { endpointOf, type Migration, migrate, type Place } from '../support/migration.ts';
import { DEBUG_ALLOWED } from '../support/server-version.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const KEYS = shortOrLong(4000, 100_000);
const AT_ONCE = 5000;
const DEADLINE_MS = shortOrLong(30_000, 240_000);
vi.setConfig({ testTimeout: shortOrLong(60_000, 400_000) });
const HOUR_MS = 3_600_000;

/** What the target has of a key before the run; `fresh` is nothing. */
const CASES = ['equal', 'recoded', 'different', 'other type', 'other expiry', 'expired', 'fresh'] as const;
type Case = (typeof CASES)[number];

const caseOf = (i: number): Case => CASES[i % CASES.length] ?? 'fresh';
const isConflict = (kind: Case): boolean => ['different', 'other type', 'other expiry'].includes(kind);
const nameOf = (i: number): string => `key:${i}`;

type Add = (...args: (string | number)[]) => void;

/** The source's value: strings with and without an expiry, hashes, sets, sorted sets, lists, by turns. */
function writeSource(i: number, add: Add, expiresAtMs: number): void {
  const key = nameOf(i);
  switch (Math.floor(i / CASES.length) % 6) {
    case 0:
      add('SET', key, `source ${i}`);
      break;
    case 1:
      add('SET', key, `source ${i}`);
      add('PEXPIREAT', key, expiresAtMs);
      break;
    case 2:
      add('HSET', key, 'a', `source ${i}`, 'b', '2');
      break;
    case 3:
      add('SADD', key, 'one', 'two', `source ${i}`);
      break;
    case 4:
      add('ZADD', key, 1, 'one', 2.5, `source ${i}`);
      break;
    default:
      add('RPUSH', key, 'one', `source ${i}`);
  }
}

/** The target's value before the run. */
function writeTarget(i: number, add: Add, expiresAtMs: number): void {
  const key = nameOf(i);
  switch (caseOf(i)) {
    case 'equal':
    case 'recoded':
      writeSource(i, add, expiresAtMs);
      break;
    case 'different':
      add('SET', key, `target ${i}`);
      break;
    case 'other type':
      if (Math.floor(i / CASES.length) % 6 === 2) add('SADD', key, `target ${i}`);
      else add('HSET', key, 'target', String(i));
      break;
    case 'other expiry':
      writeSource(i, add, expiresAtMs);
      add('PEXPIREAT', key, expiresAtMs + HOUR_MS);
      break;
    case 'expired':
      add('SET', key, `target ${i}`, 'PX', 1);
      break;
    case 'fresh':
      break;
  }
}

async function fill(redis: Redis, write: (i: number, add: Add) => void): Promise<void> {
  for (let from = 0; from < KEYS; from += AT_ONCE) {
    const pipeline = redis.pipeline();
    for (let i = from; i < Math.min(KEYS, from + AT_ONCE); i++)
      write(i, (...args) => pipeline.call(String(args[0]), ...args.slice(1).map(String)));
    for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
  }
}

interface Stage {
  readonly source: Place;
  readonly target: Place;
  readonly from: Redis;
  readonly to: Redis;
}

async function stage(): Promise<Stage> {
  const source = await testServer();
  // Other limits for small encodings: equal values in other bytes. No active expiry: the expired keys are still there.
  const limits = ['hash', 'zset'].flatMap((type) => [`--${type}-max-ziplist-entries`, '1']);
  const target = await testServer({ args: [...limits, ...DEBUG_ALLOWED] });
  const [from, to] = [client(source), client(target)];
  const expiresAtMs = Date.now() + 10 * HOUR_MS;
  await fill(from, (i, add) => writeSource(i, add, expiresAtMs));
  await to.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
  await fill(to, (i, add) => writeTarget(i, add, expiresAtMs));
  return { source, target, from, to };
}

/** A value in words that do not depend on its encoding, with its expiry. */
async function contents(redis: Redis): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let from = 0; from < KEYS; from += AT_ONCE) {
    const keys = Array.from({ length: Math.min(AT_ONCE, KEYS - from) }, (_, at) => nameOf(from + at));
    const types = redis.pipeline();
    for (const key of keys) types.type(key);
    const kinds = ((await types.exec()) ?? []).map(([, kind]) => String(kind));
    const values = redis.pipeline();
    keys.forEach((key, at) => {
      switch (kinds[at]) {
        case 'string':
          values.get(key);
          break;
        case 'hash':
          values.call('HGETALL', key);
          break;
        case 'set':
          values.call('SORT', key, 'ALPHA');
          break;
        case 'zset':
          values.call('ZRANGE', key, '0', '-1', 'WITHSCORES');
          break;
        default:
          values.lrange(key, 0, -1);
      }
      values.call('PEXPIRETIME', key);
    });
    const replies = ((await values.exec()) ?? []).map(([error, reply]) => (error === null ? reply : String(error)));
    keys.forEach((key, at) => {
      const value = replies[at * 2];
      const shown = kinds[at] === 'hash' && Array.isArray(value) ? pairsOf(value) : value;
      found.set(key, JSON.stringify([kinds[at], shown, replies[at * 2 + 1]]));
    });
  }
  return found;
}

function pairsOf(flat: readonly unknown[]): readonly string[] {
  return flat.flatMap((item, at) => (at % 2 === 0 ? [`${String(item)}=${String(flat[at + 1])}`] : [])).sort();
}

const countOf = (wanted: (kind: Case) => boolean): number =>
  Array.from({ length: KEYS }, (_, i) => caseOf(i)).filter(wanted).length;

const CONFLICTS = countOf(isConflict);
const EQUAL = countOf((kind) => kind === 'equal' || kind === 'recoded');

function begin(
  { source, target }: Stage,
  policy: ConflictPolicy,
  { asks = false, throttle = NO_THROTTLE }: { readonly asks?: boolean; readonly throttle?: ThrottleSettings } = {},
): Migration {
  const setup = { conflictPolicy: policy, asksOnConflict: asks, snapshotOnly: true };
  return migrate(endpointOf(source), endpointOf(target), setup, undefined, throttle);
}

/** So that there is a middle of the run, however fast both sides are. */
const TWO_SECONDS: ThrottleSettings = {
  ...NO_THROTTLE,
  rate: { bytesPerSecond: null, operationsPerSecond: KEYS / 2 },
};

/** Keys whose target is neither as told. */
function wrong(
  expected: (i: number) => 'source' | 'target',
  source: ReadonlyMap<string, string>,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly string[] {
  return Array.from({ length: KEYS }, (_, i) => i).flatMap((i) => {
    const key = nameOf(i);
    const wanted = (expected(i) === 'source' ? source : before).get(key);
    return after.get(key) === wanted ? [] : [`${key} (${caseOf(i)}): ${after.get(key)} instead of ${wanted}`];
  });
}

describe(`${KEYS} keys that the target has in part`, () => {
  it('rewrite: everything ends as the source has it', async () => {
    const staged = await stage();
    const result = await begin(staged, 'rewrite').engine.ended;
    expect(result.message).toBeNull();
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0, keys: KEYS });
    expect(result.conflicts).toEqual({ rewritten: CONFLICTS, ignored: 0, alreadyThere: EQUAL, dropped: 0 });
    const source = await contents(staged.from);
    expect(wrong(() => 'source', source, source, await contents(staged.to))).toEqual([]);
  });

  it('ignore: what was there with another value stays', async () => {
    const staged = await stage();
    const before = await contents(staged.to);
    const run = begin(staged, 'ignore');
    const result = await run.engine.ended;
    expect(result.message).toBeNull();
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    expect(result.conflicts).toEqual({ rewritten: 0, ignored: CONFLICTS, alreadyThere: EQUAL, dropped: 0 });
    const kept = (i: number) => (isConflict(caseOf(i)) ? 'target' : 'source');
    expect(wrong(kept, await contents(staged.from), before, await contents(staged.to))).toEqual([]);
    // Every conflict was told, once, with what differs.
    const told = run.conflicts.map(({ key }) => key);
    expect(new Set(told).size).toBe(CONFLICTS);
    expect(told).toHaveLength(CONFLICTS);
    expect(run.conflicts.filter(({ key, difference }) => difference !== differenceOf(key))).toEqual([]);
  });

  it('a switch from rewrite to ignore in the middle: each key as the policy at its time', async () => {
    const staged = await stage();
    const before = await contents(staged.to);
    const run = begin(staged, 'rewrite', { throttle: TWO_SECONDS });
    await waitFor(() => run.conflicts.length > CONFLICTS / 20, {
      deadlineMs: DEADLINE_MS,
      what: 'the first conflicts',
    });
    const asked = await run.engine.dispatch({
      type: 'setConflictPolicy',
      shards: 'all',
      policy: 'ignore',
    });
    expect(asked.accepted).toBe(true);
    const result = await run.engine.ended;
    const { rewritten, ignored, alreadyThere } = result.conflicts;
    expect(result.message).toBeNull();
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    expect(rewritten + ignored).toBe(CONFLICTS);
    expect(Math.min(rewritten, ignored)).toBeGreaterThan(0);
    expect(alreadyThere).toBe(EQUAL);
    const outcomes = new Map(
      run.conflicts.map(({ key, outcome }): [string, ConflictRecord['outcome']] => [key, outcome]),
    );
    expect([...outcomes.values()].filter((outcome) => outcome === 'rewritten')).toHaveLength(rewritten);
    const expected = (i: number) => (outcomes.get(nameOf(i)) === 'ignored' ? 'target' : 'source');
    expect(wrong(expected, await contents(staged.from), before, await contents(staged.to))).toEqual([]);
  });

  it('panic without a screen: ends with the first conflict, and touches none', async () => {
    const staged = await stage();
    const before = await contents(staged.to);
    const result = await begin(staged, 'panic').engine.ended;
    expect(result).toMatchObject({ outcome: 'conflict', exitCode: 3 });
    const key = /The key "(key:\d+)" \(database 0\)/.exec(result.message ?? '')?.[1] ?? '';
    expect(isConflict(caseOf(Number(key.slice(4))))).toBe(true);
    const after = await contents(staged.to);
    const conflicting = Array.from({ length: KEYS }, (_, i) => i).filter((i) => isConflict(caseOf(i)));
    expect(conflicting.filter((i) => after.get(nameOf(i)) !== before.get(nameOf(i)))).toEqual([]);
  });

  it('panic with a screen: asks key by key, then puts the rest aside and decides it together', async () => {
    const staged = await stage();
    const before = await contents(staged.to);
    const run = begin(staged, 'panic', { asks: true });
    const shard = () => run.engine.snapshot().shards[0];
    const question = async (kind: 'key' | 'collected', after: number) => {
      await waitFor(
        () =>
          shard()?.conflictStanding.question?.kind === kind &&
          (shard()?.conflictStanding.question?.number ?? 0) > after,
        {
          deadlineMs: DEADLINE_MS,
          what: `question ${after + 1}`,
        },
      );
      const open = shard()?.conflictStanding.question;
      if (open === null || open === undefined) throw new Error('no question');
      return open;
    };
    const answer = (number: number, decision: 'rewrite' | 'ignore' | 'compare') =>
      run.engine.dispatch({ type: 'decideConflict', shard: 0, question: number, decision });

    const first = await question('key', 0);
    if (first.kind !== 'key') throw new Error('not about a key');
    expect(first.difference).toBe(differenceOf(first.key));
    expect(first.source.type).toBe(await staged.from.type(first.key));
    expect(first.target.type).toBe(await staged.to.type(first.key));
    expect(first.target.encoding).toBe(await staged.to.object('ENCODING', first.key));
    expect((await answer(first.number, 'rewrite')).accepted).toBe(true);
    const second = await question('key', first.number);
    // A late answer meets no other key.
    expect((await answer(first.number, 'rewrite')).accepted).toBe(false);
    expect((await answer(second.number, 'ignore')).accepted).toBe(true);
    const third = await question('key', second.number);
    expect((await answer(third.number, 'compare')).accepted).toBe(true);
    const collected = await question('collected', third.number);
    if (collected.kind !== 'collected') throw new Error('not about all');
    expect(collected.total).toBe(CONFLICTS - 2);
    const { type, value, expiry } = collected.differences;
    expect(type + value + expiry).toBe(CONFLICTS - 2);
    expect(run.conflicts).toHaveLength(2);
    expect((await answer(collected.number, 'ignore')).accepted).toBe(true);

    const result = await run.engine.ended;
    expect(result.message).toBeNull();
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    expect(result.conflicts).toEqual({ rewritten: 1, ignored: CONFLICTS - 1, alreadyThere: EQUAL, dropped: 0 });
    const rewritten = run.conflicts.find(({ outcome }) => outcome === 'rewritten')?.key;
    expect(rewritten).toBe(first.key);
    const expected = (i: number) => (isConflict(caseOf(i)) && nameOf(i) !== rewritten ? 'target' : 'source');
    expect(wrong(expected, await contents(staged.from), before, await contents(staged.to))).toEqual([]);
  });
});

/** What differs, as the stage has made it. */
function differenceOf(key: string): ConflictRecord['difference'] {
  const i = Number(key.slice(4));
  const kind = caseOf(i);
  if (kind === 'other expiry') return 'expiry';
  // A string is replaced by a string; every other type by another.
  const isText = Math.floor(i / CASES.length) % 6 < 2;
  return kind === 'different' && isText ? 'value' : 'type';
}

describe('towards a cluster', () => {
  it('ignore and rewrite find their nodes', async () => {
    const [source, target] = await Promise.all([testServer(), testCluster({ masters: 3 })]);
    const from = client(source);
    const fillSource = from.pipeline();
    for (let i = 0; i < 300; i++) fillSource.set(nameOf(i), `source ${i}`);
    await fillSource.exec();
    const first = target.masters[0];
    if (first === undefined) throw new Error('no master');
    for (const master of target.masters) {
      const to = client(master);
      for (let i = 0; i < 300; i += 3)
        await to.set(nameOf(i), i % 2 === 0 ? `source ${i}` : 'target').catch(() => null);
    }
    const run = migrate(endpointOf(source), endpointOf(first), {
      conflictPolicy: 'rewrite',
      snapshotOnly: true,
    });
    const result = await run.engine.ended;
    expect(result).toMatchObject({ outcome: 'completed', refused: 0 });
    expect(result.conflicts).toEqual({ rewritten: 50, ignored: 0, alreadyThere: 50, dropped: 0 });
  });
});

describe("a person who takes longer than the target's timeout", () => {
  it('finds the shard still waiting', async () => {
    const [source, target] = await Promise.all([testServer(), testServer({ args: ['--timeout', '1'] })]);
    const from = client(source);
    const to = client(target);
    for (const key of ['a', 'b']) {
      await from.set(key, 'source');
      await to.set(key, 'target');
    }
    to.disconnect();
    const watch = client(target);
    const run = migrate(endpointOf(source), endpointOf(target), { asksOnConflict: true, snapshotOnly: true });
    const question = () => run.engine.snapshot().shards[0]?.conflictStanding.question ?? null;
    await waitFor(() => question() !== null, { deadlineMs: 30_000, what: 'the question' });
    const lifetimes = async (): Promise<number[]> => {
      const list = String(await watch.client('LIST'));
      return [...list.matchAll(/name=redferry\S* age=(\d+)/g)].map(([, age]) => Number(age));
    };
    // The server looks at idle links once a second: at three they would be gone.
    await waitFor(async () => Math.min(...(await lifetimes())) >= 3, { deadlineMs: 30_000, what: 'links of 3 s' });
    for (const number of [1, 2]) {
      await waitFor(() => question()?.number === number, { deadlineMs: 30_000, what: `question ${number}` });
      await run.engine.dispatch({ type: 'decideConflict', shard: 0, question: number, decision: 'rewrite' });
    }
    const result = await run.engine.ended;
    expect(result).toMatchObject({ outcome: 'completed', conflicts: { rewritten: 2 } });
  });
});
