// databases.map: in the snapshot and the stream of replication, in the scan and its changes, and towards a cluster.
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { client } from '../support/client.ts';
import { endpointOf, migrate, type Place } from '../support/migration.ts';
import { following } from '../support/scan.ts';
import { testCluster, testServer } from '../support/servers.ts';

const databases = { '0': 2, '1': 0, '2': 5 };

async function fill(source: Place): Promise<void> {
  for (const database of [0, 1, 2, 3]) {
    const redis = client(source, { db: database });
    await redis.set(`snapshot:${database}`, String(database), 'PX', 3_600_000);
    await redis.hset(`hash:${database}`, 'field', String(database));
  }
}

const namesIn = async (place: Place, database: number): Promise<string[]> =>
  (await client(place, { db: database }).keys('*')).filter((key) => !key.startsWith('redferry:')).sort();

describe('databases.map', () => {
  it('holds for snapshot and stream of replication, also inside MULTI and for MOVE', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    await fill(source);
    const run = migrate(endpointOf(source), endpointOf(target), { databases });
    await run.streaming();
    const [zero, one, three] = [client(source), client(source, { db: 1 }), client(source, { db: 3 })];
    await zero.multi().set('stream:0', '0').incr('count').exec();
    await one.set('stream:1', '1');
    await three.set('stream:3', '3');
    await zero.set('moved', '1');
    await zero.move('moved', 2);
    await run.caughtUp();
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    expect(await namesIn(target, 2)).toEqual(['count', 'hash:0', 'snapshot:0', 'stream:0']);
    expect(await namesIn(target, 0)).toEqual(['hash:1', 'snapshot:1', 'stream:1']);
    expect(await namesIn(target, 5)).toEqual(['hash:2', 'moved', 'snapshot:2']);
    expect(await namesIn(target, 3)).toEqual(['hash:3', 'snapshot:3', 'stream:3']);
    expect(await namesIn(target, 1)).toEqual([]);
  });

  it('holds for a scan, its changes and the sweep after a flush', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    await fill(source);
    const run = migrate(endpointOf(source), endpointOf(target), { databases, ...following() });
    await run.streaming();
    const [one, two] = [client(source, { db: 1 }), client(source, { db: 2 })];
    await one.set('later', '1');
    await two.flushdb();
    await expect.poll(() => namesIn(target, 5), { timeout: 10_000 }).toEqual([]);
    await expect.poll(() => namesIn(target, 0), { timeout: 10_000 }).toEqual(['hash:1', 'later', 'snapshot:1']);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0 });
    expect(await namesIn(target, 2)).toEqual(['hash:0', 'snapshot:0']);
    expect(await namesIn(target, 3)).toEqual(['hash:3', 'snapshot:3']);
  });

  it('makes several databases fit into a cluster, which is refused without it', async () => {
    const [source, target] = await Promise.all([testServer(), testCluster({ masters: 2 })]);
    const three = client(source, { db: 3 });
    await three.set('key', '1');
    const [to] = target.masters;
    if (to === undefined) throw new Error('no node');
    const refused = await migrate(endpointOf(source), endpointOf(to), following()).engine.ended;
    expect(refused).toMatchObject({ outcome: 'refused', exitCode: 5 });
    expect(refused.message).toMatch(/1 key in database 3.*databases\.map/s);
    const run = migrate(endpointOf(source), endpointOf(to), { databases: { '3': 0 }, ...following() });
    await run.streaming();
    await three.set('later', '1');
    const cluster = new Redis.Cluster([to]);
    onTestFinished(() => cluster.disconnect());
    await expect.poll(() => cluster.get('later'), { timeout: 10_000 }).toBe('1');
    expect(await cluster.get('key')).toBe('1');
    expect(await run.stop()).toMatchObject({ outcome: 'completed', refused: 0 });
  });
});
