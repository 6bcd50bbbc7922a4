// No expiry kills a live key: the target expires nothing by itself while a run lasts, whatever it is behind by, and every key
// has its exact expiry at the end. Times here are those of the keys: REDFERRY_LONG takes the minute that issue 4 names.
import { Cluster } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { settleExpiries } from '../../source/engine/expiry/settle-expiries.ts';
import { HOLD_MS, isHeld } from '../../source/protocol/held-expiry.ts';
import { client } from '../support/client.ts';
import { every, expiryOn } from '../support/expiry.ts';
import { shortOrLong } from '../support/long.ts';
import { compare, endpointOf, migrate, type Place } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const SYNC_MS = shortOrLong(5000, 60_000);
const PAUSE_MS = shortOrLong(5000, 60_000);

function clusterClient(nodes: readonly Place[]): Cluster {
  const cluster = new Cluster(nodes.map(({ host, port }) => ({ host, port })));
  onTestFinished(() => cluster.disconnect());
  return cluster;
}

const STANDALONE = { sourceCluster: false, targetCluster: false };

describe('a full sync that lasts longer than a key lives', () => {
  it('keeps what is renewed on the source, with its exact expiry, and not what is not', {
    timeout: SYNC_MS + 60_000,
  }, async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    const fill = from.pipeline();
    for (let i = 0; i < 2000; i++) fill.set(`key:${i}`, 'x'.repeat(1000));
    fill.set('renewed', 1, 'PX', 3000);
    fill.set('left', 1, 'PX', 3000);
    fill.call('RPUSH', 'list:left', 'a');
    fill.call('PEXPIRE', 'list:left', 3000);
    await fill.exec();
    const stopRenewing = every(1000, () => from.pipeline().incr('renewed').pexpire('renewed', 3000).exec());
    const run = migrate(endpointOf(source), endpointOf(target));
    // Nothing is taken from the queue: to the target the full sync lasts as long as this.
    await waitFor(() => run.engine.snapshot().phase === 'running', { what: 'the run to begin' });
    await run.engine.dispatch({ type: 'pause', shards: 'all' });
    const resumeAtMs = Date.now() + SYNC_MS;
    await waitFor(() => Date.now() >= resumeAtMs, { what: 'the pause to be over', deadlineMs: SYNC_MS + 5000 });
    await run.engine.dispatch({ type: 'resume', shards: 'all' });
    await run.streaming();
    await stopRenewing();
    await from.pexpire('renewed', 3_600_000);
    await run.caughtUp();
    // Not before the end: until then the target expires nothing by itself.
    expect(isHeld(await expiryOn(to, 'renewed'))).toBe(true);
    expect(run.engine.snapshot().shards[0]?.held).toBeGreaterThan(2);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });

    expect(await expiryOn(to, 'renewed')).toBe(await expiryOn(from, 'renewed'));
    expect(await to.get('renewed')).toBe(await from.get('renewed'));
    expect(await to.exists('left', 'list:left')).toBe(0);
    const report = await compare([source], [target], STANDALONE);
    expect(report.differences).toEqual([]);
  });
});

describe('a pause that lasts longer than keys live', () => {
  it('leaves rate limiters and sessions as they are on the source', { timeout: PAUSE_MS + 60_000 }, async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    await from.set('limiter', 41, 'PX', 2000);
    await from.set('counted', 1, 'PX', PAUSE_MS + 60_000);
    await from.hset('session', 'user', 'a', 'seen', 0);
    await from.pexpire('session', 2000);
    await from.set('forgotten', 1, 'PX', 2000);
    await waitFor(() => to.exists('forgotten'), { what: 'the keys to be on the target' });
    await run.engine.dispatch({ type: 'pause', shards: 'all' });
    const endAtMs = Date.now() + PAUSE_MS;
    let window = 0;
    const stopLoad = every(500, () =>
      from
        .pipeline()
        .incr('limiter')
        .pexpire('limiter', 2000)
        .incr('counted')
        .hincrby('session', 'seen', 1)
        .pexpire('session', 2000, 'GT')
        .set(`window:${++window}`, 1, 'PX', 1000)
        .incr(`window:${window}`)
        .exec(),
    );
    await waitFor(() => Date.now() >= endAtMs, { what: 'the pause to be over', deadlineMs: PAUSE_MS + 5000 });
    await stopLoad();
    await from.pexpire('limiter', 3_600_000);
    await from.pexpire('session', 3_600_000, 'GT');
    await run.engine.dispatch({ type: 'resume', shards: 'all' });
    await run.caughtUp();
    expect(await to.get('limiter')).toBe(await from.get('limiter'));
    expect(await to.hgetall('session')).toEqual(await from.hgetall('session'));
    expect(run.refusals).toEqual([]);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
    for (const key of ['limiter', 'counted', 'session']) {
      expect(await expiryOn(to, key)).toBe(await expiryOn(from, key));
      expect(await expiryOn(to, key)).toBeGreaterThan(Date.now());
    }
    expect(await to.exists('forgotten')).toBe(0);
    await waitFor(async () => (await from.keys('*')).length === 3 && (await to.keys('*')).length === 3, {
      what: 'the windows to be over on both sides',
    });
    const report = await compare([source], [target], STANDALONE);
    expect(report.differences).toEqual([]);
  });
});

describe('settling', () => {
  it('leaves alone what was persisted, set or renewed on the target meanwhile', async () => {
    const target = await testServer();
    const to = client(target);
    const exact = Date.now() + 3_600_000;
    const fill = to.pipeline();
    for (let i = 0; i < 3000; i++) fill.set(`held:${i}`, 1, 'PXAT', exact + i + HOLD_MS);
    fill.set('past', 1, 'PXAT', 1_700_000_000_000 + HOLD_MS);
    fill.set('persisted', 1);
    fill.set('set', 1, 'PXAT', exact);
    await fill.exec();
    const settled = await settleExpiries({
      target: endpointOf(target),
      slots: [],
      keys: true,
      leases: [],
      stopped: () => false,
      once: () => {},
    });
    expect(settled).toEqual({ keys: 3001, fields: 0, missed: 0 });
    for (const i of [0, 1, 1500, 2999]) expect(await expiryOn(to, `held:${i}`)).toBe(exact + i);
    expect(await expiryOn(to, 'persisted')).toBe(-1);
    expect(await expiryOn(to, 'set')).toBe(exact);
    expect(await to.exists('past')).toBe(0);
    const again = await settleExpiries({
      target: endpointOf(target),
      slots: [],
      keys: true,
      leases: [],
      stopped: () => false,
      once: () => {},
    });
    expect(again).toEqual({ keys: 0, fields: 0, missed: 0 });
  });

  it('races with an application that writes the same keys, and never undoes what that wrote', async () => {
    const target = await testServer();
    const to = client(target);
    const exact = Date.now() + 3_600_000;
    const keys = Array.from({ length: 3000 }, (_, i) => `k:${i}`);
    const fill = to.pipeline();
    for (const key of keys) fill.set(key, 1, 'PXAT', exact + HOLD_MS);
    await fill.exec();
    const app = client(target);
    // From the last key on, so that the two meet.
    const written = (async () => {
      for (const key of keys.toReversed())
        await (Number(key.slice(2)) % 2 === 0 ? app.persist(key) : app.pexpireat(key, exact + 7));
    })();
    await settleExpiries({
      target: endpointOf(target),
      slots: [],
      keys: true,
      leases: [],
      stopped: () => false,
      once: () => {},
    });
    await written;
    const expiries = await Promise.all(keys.map((key) => expiryOn(to, key)));
    expect(expiries.filter((_, i) => i % 2 === 0).every((at) => at === -1)).toBe(true);
    expect(expiries.filter((_, i) => i % 2 === 1).every((at) => at === exact + 7)).toBe(true);
  });

  it('does it by WATCH where the user may not run scripts, and says so', async () => {
    const target = await testServer();
    const to = client(target);
    const exact = Date.now() + 3_600_000;
    const fill = to.pipeline();
    for (let i = 0; i < 300; i++) fill.set(`held:${i}`, 1, 'PXAT', exact + i + HOLD_MS);
    await fill.exec();
    await to.call('ACL', 'SETUSER', 'plain', 'on', '>secret', '~*', '+@all', '-@scripting');
    const said: string[] = [];
    const endpoint = endpointOf(target, { credentials: { username: 'plain', password: 'secret' } });
    const order = {
      target: endpoint,
      slots: [],
      keys: true,
      leases: [],
      stopped: () => false,
      once: (message: string) => said.push(message),
    };
    expect(await settleExpiries(order)).toEqual({ keys: 300, fields: 0, missed: 0 });
    expect(said.join()).toMatch(/allows no scripts/);
    for (let i = 0; i < 300; i++) expect(await expiryOn(to, `held:${i}`)).toBe(exact + i);
  });

  it('touches only keys of the slots that were copied', async () => {
    const target = await testServer();
    const to = client(target);
    const exact = Date.now() + 3_600_000;
    // foo has slot 12182, bar 5061.
    for (const key of ['foo', 'bar']) await to.set(key, 1, 'PXAT', exact + HOLD_MS);
    const slots = [{ first: 0, last: 8191 }];
    const settled = await settleExpiries({
      target: endpointOf(target),
      slots,
      keys: true,
      leases: [],
      stopped: () => false,
      once: () => {},
    });
    expect(settled).toEqual({ keys: 1, fields: 0, missed: 0 });
    expect(await expiryOn(to, 'bar')).toBe(exact);
    expect(isHeld(await expiryOn(to, 'foo'))).toBe(true);
  });
});

describe('from a cluster to a cluster', () => {
  it('settles the keys of every node', async () => {
    const [source, target] = await Promise.all([testCluster({ masters: 2 }), testCluster({ masters: 3 })]);
    const from = clusterClient(source.nodes);
    const exact = Date.now() + 3_600_000;
    for (let i = 0; i < 200; i++) await from.set(`k:${i}`, i, 'PXAT', exact + i);
    const run = migrate(endpointOf(source.nodes[0] as Place), endpointOf(target.nodes[0] as Place));
    await run.streaming();
    for (let i = 0; i < 200; i += 2) await from.pexpireat(`k:${i}`, exact + 10_000 + i);
    await run.caughtUp();
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
    const to = clusterClient(target.nodes);
    for (let i = 0; i < 200; i++)
      expect(Number(await to.call('PEXPIRETIME', `k:${i}`))).toBe(exact + i + (i % 2 === 0 ? 10_000 : 0));
  });
});

describe('without a stream', () => {
  it('settles at the end of --snapshot-only too', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    const exact = Date.now() + 3_600_000;
    await from.set('k', 1, 'PXAT', exact);
    await from.call('RPUSH', 'list', 'a');
    await from.pexpireat('list', exact + 1);
    const run = migrate(endpointOf(source), endpointOf(target), { snapshotOnly: true });
    expect(await run.engine.ended).toMatchObject({ outcome: 'completed', exitCode: 0 });
    expect([await expiryOn(to, 'k'), await expiryOn(to, 'list')]).toEqual([exact, exact + 1]);
    expect(run.notices.map(({ message }) => message).join('\n')).toMatch(
      /2 keys and 0 hash fields of the target have their exact expiry again/,
    );
  });
});
