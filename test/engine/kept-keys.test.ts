// What `ignore` has kept does not get the stream's commands, whatever their form; everything else does.
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../source/engine/errors.ts';
import { client } from '../support/client.ts';
import { endpointOf, type Migration, migrate, type Place } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';

const KEPT = ['{t}kept', '{t}kept-hash', '{t}kept-set'] as const;

async function stage(target: Place): Promise<{ run: Migration; from: Redis; source: Place }> {
  const source = await testServer();
  const from = client(source);
  const to = client(target);
  await from.set('{t}kept', 'source');
  await from.hset('{t}kept-hash', 'field', 'source');
  await from.sadd('{t}kept-set', 'source');
  await from.sadd('{t}other-set', 'a', 'b');
  await from.set('{t}other', '1');
  await from.set('{t}equal', '5');
  await to.set('{t}kept', 'target');
  await to.hset('{t}kept-hash', 'field', 'target');
  await to.sadd('{t}kept-set', 'target');
  await to.set('{t}equal', '5');
  const run = migrate(endpointOf(source), endpointOf(target), { conflictPolicy: 'ignore' });
  await run.streaming();
  return { run, from, source };
}

const kept = (run: Migration) => run.engine.snapshot().shards[0]?.conflictStanding.kept;

async function expectKept(to: Redis): Promise<void> {
  expect(await to.get('{t}kept')).toBe('target');
  expect(await to.hgetall('{t}kept-hash')).toEqual({ field: 'target' });
  expect(await to.smembers('{t}kept-set')).toEqual(['target']);
}

describe.each(['standalone', 'cluster'])('towards a %s', (kind) => {
  it('drops what goes to kept keys, and counts it', async () => {
    const target = kind === 'cluster' ? (await testCluster({ masters: 3 })).masters : [await testServer()];
    const owners = await Promise.all(
      target.map((node) =>
        client(node)
          .get('{t}kept')
          .then(
            () => node,
            () => null,
          ),
      ),
    );
    const owner = owners.find((node) => node !== null);
    if (owner === null || owner === undefined) throw new Error('nobody owns the slot');
    const to = client(owner);
    const { run, from } = await stage(owner);
    expect(kept(run)).toBe(KEPT.length);

    // One key, in each form.
    await from.append('{t}kept', '!');
    await from.hset('{t}kept-hash', 'more', '1');
    await from.sadd('{t}kept-set', 'more');
    await from.pexpire('{t}kept', 100_000);
    // Several keys that stand for themselves: the others get theirs.
    await from.mset('{t}kept', 'x', '{t}fresh', 'y', '{t}kept-hash', 'z');
    await from.del('{t}kept-set', '{t}gone');
    // A transaction: its other commands go.
    await from.multi().incr('{t}other').set('{t}kept', 'block').incr('{t}other').exec();
    await from.multi().set('{t}kept', 'block').set('{t}kept-hash', 'block').exec();
    // An equal value is nobody's conflict.
    await from.incr('{t}equal');
    await run.caughtUp();

    await expectKept(to);
    expect(await to.mget('{t}other', '{t}fresh', '{t}equal')).toEqual(['3', 'y', '6']);
    const result = await run.stop();
    expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    expect(result.conflicts).toEqual({ rewritten: 0, ignored: 3, alreadyThere: 1, dropped: 9 });
  });
});

it('what takes from a kept key and writes to another is recorded as refused', async () => {
  const target = await testServer();
  const to = client(target);
  const { run, from } = await stage(target);
  await from.sunionstore('{t}other-set', '{t}kept-set', '{t}other-set');
  await from.rename('{t}other', '{t}kept');
  await from.set('{t}last', 'word');
  await run.caughtUp();
  await expectKept(to);
  expect(await to.get('{t}last')).toBe('word');
  const result = await run.stop();
  expect(result).toMatchObject({ outcome: 'completed', exitCode: EXIT.refusals, refused: 2 });
  expect(run.refusals.map(({ command, reason }) => [command, /"ignore" has kept/.test(reason)])).toEqual([
    ['SUNIONSTORE', true],
    ['RENAME', true],
  ]);
});

it('FLUSHALL and SWAPDB do not reach kept keys, even where the settings send them on', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const [from, to] = [client(source), client(target)];
  await from.set('kept', 'source');
  await to.set('kept', 'target');
  const keyless = {
    flush: 'forward',
    swapdb: 'forward',
    publish: 'ignore',
    script: 'forward',
    function: 'forward',
  } as const;
  const run = migrate(endpointOf(source), endpointOf(target), { conflictPolicy: 'ignore', keyless });
  await run.streaming();
  await from.call('SWAPDB', '0', '1');
  await from.flushall();
  await from.set('after', '1');
  await run.caughtUp();
  expect(await to.get('kept')).toBe('target');
  expect(await to.get('after')).toBe('1');
  expect((await run.stop()).refused).toBe(2);
});

it("a key that is repaired is the source's from then on", async () => {
  const target = await testServer();
  const to = client(target);
  const { run, from } = await stage(target);
  await from.append('{t}kept', '!');
  const key = Buffer.from('{t}kept').toString('base64');
  const outcome = await run.engine.dispatch({ type: 'repair', keys: [{ database: 0, key }] });
  expect(outcome.accepted).toBe(true);
  await from.append('{t}kept', '?');
  await run.caughtUp();
  expect(await to.get('{t}kept')).toBe('source!?');
  expect(await to.hgetall('{t}kept-hash')).toEqual({ field: 'target' });
  expect(kept(run)).toBe(2);
  expect((await run.stop()).conflicts.dropped).toBe(1);
});
