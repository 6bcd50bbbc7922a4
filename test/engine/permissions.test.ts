// The table of docs/permissions.md is enough: a migration by users who have those rights and no others, with data of every
// type, values that go by commands, and a stream. A command that a feature needs and the table lacks fails here.
import { readFileSync } from 'node:fs';
import { list } from '@ioredis/commands';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import { compare, endpointOf, migrate, TEST_LIMITS } from '../support/migration.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

const TABLE = readFileSync(new URL('../../docs/permissions.md', import.meta.url), 'utf8');
const USER = 'ferry';
const PASSWORD = 'of-the-ferry';

/** The rights of the rows for `side`, also the optional ones. */
function rightsOf(side: 'source' | 'target'): readonly string[] {
  const rows = TABLE.split('\n').filter((row) => row.startsWith(`| ${side}`));
  const listed = rows.flatMap((row) => row.replaceAll('\\|', '|').match(/\+[a-z@|-]+/g) ?? []);
  // "every write command the source's clients use".
  return side === 'target' ? [...listed, '+@write'] : listed;
}

/** A user with those of the rights whose commands this server has. */
async function addUser(redis: Redis, rights: readonly string[]): Promise<void> {
  await redis.call('ACL', 'SETUSER', USER, 'on', `>${PASSWORD}`, '~*', '-@all');
  for (const right of rights) {
    await redis.call('ACL', 'SETUSER', USER, right).catch((error: Error) => {
      if (!/Unknown command/.test(error.message)) throw error;
    });
  }
}

const credentials = { username: USER, password: PASSWORD };

describe('the rights of docs/permissions.md', () => {
  it('are rights of commands that there are', () => {
    for (const side of ['source', 'target'] as const) {
      expect(rightsOf(side).length).toBeGreaterThan(5);
      for (const right of rightsOf(side)) {
        const command = /^\+(\w+)/.exec(right)?.[1];
        if (command !== undefined) expect([...list, 'hpexpiretime'], right).toContain(command);
      }
    }
  });

  it('are enough for a migration of every type, and its end', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const clients = [source, target].map(({ port, host }) => new Redis(port, host));
    const [from, to] = clients;
    if (from === undefined || to === undefined) throw new Error('there are two servers');
    onTestFinished(() => {
      for (const redis of clients) redis.disconnect();
    });
    await addUser(from, rightsOf('source'));
    await addUser(to, rightsOf('target'));
    const sample = { keys: 1500, cluster: false, seed: 17, databases: [0, 3] };
    await fillSample([source], sample);
    // Above limits.valueInMemory: written by commands under a temporary name.
    await from.rpush('long', ...Array.from({ length: 3000 }, (_, i) => `${i}:${'x'.repeat(50)}`));
    await from.call('SET', 'short-lived', 1, 'PX', 1500);
    const limits = { ...TEST_LIMITS, valueInMemory: 64 * 1024 };
    const run = migrate(endpointOf(source, { credentials }), endpointOf(target, { credentials }), { limits });
    await run.streaming();
    const load = await startLoad([source], { ...sample, ratePerSecond: 500 });
    await waitFor(() => load.stats().commands > 1500, { what: 'writes', deadlineMs: 20_000 });
    // The way back needs rights of its own: the fence, the markers.
    for (const redis of clients) await redis.call('CLIENT', 'KILL', 'USER', USER);
    const before = load.stats().commands;
    await waitFor(() => load.stats().commands > before + 500, { what: 'writes behind the cut', deadlineMs: 20_000 });
    await run.streaming();
    await load.stop();
    await run.caughtUp();
    const told = [...run.notices.map(({ message }) => message), ...run.refusals.map(({ reason }) => reason)];
    expect(told.filter((text) => /NOPERM|permission/i.test(text))).toEqual([]);
    expect(await run.stop()).toMatchObject({ outcome: 'completed', exitCode: 0, refused: 0 });
    const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
    expect(report.differences.slice(0, 5)).toEqual([]);
    const denied = await Promise.all(clients.map((redis) => redis.call('ACL', 'LOG')));
    expect(JSON.stringify(denied.flat())).not.toContain(`"${USER}"`);
  });
});
