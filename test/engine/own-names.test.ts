// A source that is, or was, the target of another run: that run's markers, leases and states are not copied on, neither from
// the snapshot nor from the stream, and everything that stands beside them is.
import { describe, expect, it } from 'vitest';
import { slotMarkerName } from '../../source/checkpoint/marker.ts';
import { isOwnCommand, isOwnName } from '../../source/protocol/own-names.ts';
import { encodeCommand } from '../../source/protocol/resp-encode.ts';
import { ByteWindow } from '../../source/readers/byte-window.ts';
import { StreamParser } from '../../source/readers/stream-parser.ts';
import { client } from '../support/client.ts';
import { endpointOf, migrate } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';

const MARKER = slotMarkerName('other-run', 'shard-0', 0);
const TEMPORARY = 'redferry:other-run:{06S}:shard-0:value-1-0';

describe('own names', () => {
  it.each([
    [MARKER, true],
    ['redferry:state:{m:shard-0}', true],
    ['redferry:import-mode', true],
    [TEMPORARY, false],
    ['redferry', false],
    ['redferrY:x', false],
    ['r', false],
    ['', false],
  ])('%s: %s', (name, own) => {
    const bytes = Buffer.from(`#${name}#`);
    expect(isOwnName(bytes, 1, bytes.length - 2)).toBe(own);
  });

  it.each([
    [['SET', MARKER, 'v'], true],
    [['del', MARKER], true],
    [['DEL', MARKER, 'a'], false],
    [['DEL', 'a', MARKER], false],
    [['UNLINK', MARKER, MARKER], true],
    [['MSET', MARKER, 'a'], true],
    [['MSET', MARKER, 'a', 'b', 'c'], false],
    [['RPUSH', TEMPORARY, 'a'], false],
    [['RENAME', TEMPORARY, 'a'], false],
    [['PING'], false],
  ])('%j: %s', (args, own) => {
    const bytes = encodeCommand(args);
    const parser = new StreamParser(new ByteWindow(bytes), { commandBytes: bytes.length });
    parser.next();
    expect(isOwnCommand(parser)).toBe(own);
  });
});

describe.each(['a standalone', 'a cluster'] as const)('towards %s', (kind) => {
  it('they are left out, and nothing else is', async () => {
    const source = await testServer();
    const masters = kind === 'a cluster' ? (await testCluster({ masters: 2 })).masters : [await testServer()];
    const [first] = masters;
    if (first === undefined) throw new Error('there is no target');
    const writer = client(source);
    await writer.set(MARKER, 'x:1:0');
    await writer.set('before', '1');
    await writer.rpush(TEMPORARY, 'a', 'b');
    const run = migrate(endpointOf(source), endpointOf(first));
    await run.streaming();
    await writer.multi().incr('counter').set(MARKER, 'x:2:0').exec();
    await writer.rpush(TEMPORARY, 'c');
    // Within its slot, as redferry writes them.
    await writer.rename(TEMPORARY, '{06S}list');
    await writer.del(MARKER, 'before');
    await writer.set('redferry:state:{m:shard-0}', '{}');
    await run.caughtUp();
    const found = new Map<string, unknown>();
    for (const master of masters) {
      const redis = client(master);
      for (const name of await redis.keys('*')) found.set(name, await redis.type(name));
    }
    const others = [...found].filter(([name]) => !name.startsWith(`redferry:${run.engine.snapshot().run}:`));
    expect(new Map(others)).toEqual(
      new Map([
        ['counter', 'string'],
        ['{06S}list', 'list'],
      ]),
    );
    expect(run.notices.filter(({ message }) => message.includes('Keys of redferry itself'))).toHaveLength(1);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
  });
});
