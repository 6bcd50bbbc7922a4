// The preflight against real servers: everything it must refuse or warn of, and nothing where all is well.
import { describe, expect, test } from 'vitest';
import { askServer } from '../../source/demo/ask-server.ts';
import type { ConflictPolicy } from '../../source/engine/contract/conflict.ts';
import type { Finding } from '../../source/preflight/check.ts';
import { findingLines, type PreflightReport, runPreflight } from '../../source/preflight/preflight.ts';
import { discoverTopology } from '../../source/topology/discover.ts';
import type { Endpoint, NodeAddress } from '../../source/topology/endpoint.ts';
import { endpointOf } from '../support/migration.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';

interface More {
  readonly source?: Partial<Endpoint>;
  readonly target?: Partial<Endpoint>;
  readonly conflictPolicy?: ConflictPolicy;
  readonly shards?: readonly number[];
}

async function preflight(from: NodeAddress, to: NodeAddress, more: More = {}): Promise<PreflightReport> {
  const [source, target] = [endpointOf(from, more.source), endpointOf(to, more.target)];
  const [sourceTopology, targetTopology] = await Promise.all([discoverTopology(source), discoverTopology(target)]);
  const { conflictPolicy = 'panic', shards = null } = more;
  return runPreflight({
    source: { endpoint: source, topology: sourceTopology },
    target: { endpoint: target, topology: targetTopology },
    conflictPolicy,
    exactlyOnce: true,
    shards,
  });
}

function finding(report: PreflightReport, id: string): Finding {
  const found = report.findings.find((it) => it.id === id);
  if (found === undefined) throw new Error(`no finding ${id}`);
  return found;
}

const placeOf = ({ host, port }: NodeAddress): string => `${host}:${port}`;
const nodeOf = <T>(nodes: readonly T[], index = 0): T => {
  const node = nodes[index];
  if (node === undefined) throw new Error(`no node ${index}`);
  return node;
};

test('two servers of their own pass, and the report is readable', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  await askServer(source, ['SET', 'a', '1']);
  const report = await preflight(source, target);
  expect(report.findings.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
  expect(report.worst).toBe('ok');
  const lines = findingLines(report);
  expect(lines.at(-1)).toBe('Nothing stands against a migration.');
  expect(lines.every((line) => !line.includes('\n') && !line.includes('undefined'))).toBe(true);
  expect(finding(report, 'databases').evidence).toBe('The source holds 1 key in database 0.');
  expect(finding(report, 'source-buffer').evidence).toContain('256.0 MiB at once, 64.0 MiB for 60 s');
});

describe('refuses', () => {
  test('a target that is the source', async () => {
    const server = await testServer();
    const report = await preflight(server, { host: 'localhost', port: server.port });
    expect(report.worst).toBe('refuse');
    expect(finding(report, 'same-server')).toMatchObject({ verdict: 'refuse' });
    expect(finding(report, 'same-server').evidence).toContain('itself');
  });

  test('a target in the cluster of the source', async () => {
    const cluster = await testCluster({ masters: 3 });
    const report = await preflight(nodeOf(cluster.masters), nodeOf(cluster.masters, 2), { shards: [0] });
    expect(finding(report, 'same-server').verdict).toBe('refuse');
  });

  test('a target that replicates from the source, and one that the source replicates from', async () => {
    const master = await testServer();
    const replica = await testServer({ args: ['--replicaof', master.host, String(master.port)] });
    await waitFor(async () => String(await askServer(replica, ['INFO'])).includes('master_link_status:up'), {
      what: 'the replica',
    });
    for (const report of [await preflight(master, replica), await preflight(replica, master)]) {
      expect(finding(report, 'same-server')).toMatchObject({ verdict: 'refuse' });
      expect(finding(report, 'same-server').evidence).toContain('replicate from one another');
    }
  });

  test('a source that is about to replicate from the target', async () => {
    const target = await testServer({ args: ['--requirepass', 'x'] });
    // Without the password its link never comes up.
    const source = await testServer({ args: ['--replicaof', target.host, String(target.port)] });
    const report = await preflight(source, target, { target: { credentials: { username: null, password: 'x' } } });
    expect(finding(report, 'same-server').evidence).toContain('set up as a replica of the target');
  });

  test('a target that is a replica, naming its master', async () => {
    const [source, master] = await Promise.all([testServer(), testServer()]);
    const replica = await testServer({ args: ['--replicaof', master.host, String(master.port)] });
    const report = await preflight(source, replica);
    expect(finding(report, 'target-role').verdict).toBe('refuse');
    expect(finding(report, 'target-role').evidence).toBe(
      `The target ${placeOf(replica)} is a replica of ${placeOf(master)} and takes no writes.`,
    );
    expect(finding(report, 'target-role').remedy).toContain(`Give its master ${placeOf(master)}`);
  });

  test('databases that the target has no place for', async () => {
    const [source, small, cluster] = await Promise.all([
      testServer(),
      testServer({ args: ['--databases', '4'] }),
      testCluster({ masters: 3 }),
    ]);
    await askServer(source, ['SET', 'a', '1']);
    expect(finding(await preflight(source, nodeOf(cluster.masters)), 'databases').verdict).toBe('ok');
    await askServer(source, ['EVAL', "redis.call('SELECT', 5) redis.call('MSET', 'b', 1, 'c', 2) return 1", '0']);
    const towardsCluster = finding(await preflight(source, nodeOf(cluster.masters)), 'databases');
    expect(towardsCluster.verdict).toBe('refuse');
    expect(towardsCluster.evidence).toContain('The source holds 1 key in database 0, 2 keys in database 5');
    expect(towardsCluster.remedy).toContain('A cluster has database 0 only');
    const towardsSmall = finding(await preflight(source, small), 'databases');
    expect(towardsSmall).toMatchObject({ verdict: 'refuse', remedy: expect.stringContaining('databases to 6') });
  });

  test('a target user who may not choose a database', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    await askServer(source, ['EVAL', "redis.call('SELECT', 5) redis.call('SET', 'b', 1) return 1", '0']);
    await askServer(target, ['ACL', 'SETUSER', 'zero', 'on', '>x', '~*', '+@all', '-select']);
    const more = { target: { credentials: { username: 'zero', password: 'x' } } };
    const found = finding(await preflight(source, target, more), 'databases');
    expect(found).toMatchObject({ verdict: 'refuse', remedy: expect.stringContaining('+select') });
    expect(found.evidence).toContain(`may not run SELECT on the target ${placeOf(target)}`);
  });

  test('slots on the move, on either side', async () => {
    const [source, cluster] = await Promise.all([testServer(), testCluster({ masters: 3 })]);
    const [first, second] = [nodeOf(cluster.masters), nodeOf(cluster.masters, 1)];
    expect(finding(await preflight(source, first), 'open-slots').verdict).toBe('ok');
    const id = String(await askServer(second, ['CLUSTER', 'MYID']));
    await askServer(first, ['CLUSTER', 'SETSLOT', '7', 'MIGRATING', id]);
    const open = finding(await preflight(source, second), 'open-slots');
    expect(open).toMatchObject({ verdict: 'refuse' });
    expect(open.evidence).toBe('The target has 1 slot on the move (slot 7 is migrating).');
    expect(finding(await preflight(second, source), 'open-slots').evidence).toContain('The source has 1 slot');
  });

  test('a user who may not replicate', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const as = (user: string): More => ({ source: { credentials: { username: user, password: 'x' } } });
    await askServer(source, ['ACL', 'SETUSER', 'reader', 'on', '>x', '~*', '+@all', '-replconf']);
    const denied = finding(await preflight(source, target, as('reader')), 'source-permission');
    expect(denied).toMatchObject({ verdict: 'refuse' });
    expect(denied.evidence).toBe(`The user reader may not run REPLCONF on the source ${placeOf(source)}.`);
    await askServer(source, ['ACL', 'SETUSER', 'other', 'on', '>x', '~*', '+@all', '-psync']);
    const other = finding(await preflight(source, target, as('other')), 'source-permission');
    // Before 7.0 there is no ACL DRYRUN: the handshake is the first to know.
    if (source.version.major >= 7) expect(other.evidence).toContain('may not run PSYNC');
    else expect(other.evidence).toContain('could not be asked');
  });

  test('a source that has no PSYNC', async () => {
    const source = await testServer({ args: ['--rename-command', 'PSYNC', ''] });
    const target = await testServer();
    const report = await preflight(source, target);
    expect(finding(report, 'source-permission')).toMatchObject({ verdict: 'refuse' });
    expect(finding(report, 'source-permission').evidence).toContain('does not offer PSYNC');
  });

  test('a user who may not write', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    await askServer(target, ['ACL', 'SETUSER', 'looker', 'on', '>x', '~*', '+@all', '-@write']);
    const more = { target: { credentials: { username: 'looker', password: 'x' } } };
    const found = finding(await preflight(source, target, more), 'target-permission');
    if (target.version.major >= 7) expect(found.evidence).toContain('may not run RESTORE, SET, DEL');
    else expect(found.verdict).toBe('ok');
  });

  test('a user who may not shut out older connections', async ({ skip }) => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    skip(target.version.major < 7, 'before 7.0 there is no ACL DRYRUN');
    await askServer(target, ['ACL', 'SETUSER', 'meek', 'on', '>x', '~*', '+@all', '-client|kill']);
    const more = { target: { credentials: { username: 'meek', password: 'x' } } };
    const found = finding(await preflight(source, target, more), 'exactly-once');
    expect(found).toMatchObject({ verdict: 'refuse' });
    expect(found.evidence).toContain('may not run CLIENT KILL');
    expect(found.remedy).toContain('target.exactlyOnce');
  });
});

describe('warns', () => {
  test('of a target that evicts any key', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    await askServer(target, ['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru']);
    const found = finding(await preflight(source, target), 'exactly-once');
    expect(found).toMatchObject({ verdict: 'warn' });
    expect(found.evidence).toContain('allkeys-lru');
  });

  test('of keys on the target, by what the policy does to them', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    await askServer(target, ['MSET', 'a', '1', 'b', '2']);
    for (const [conflictPolicy, word] of [
      ['panic', 'halts at the first key'],
      ['rewrite', 'replaced'],
      ['ignore', 'stay'],
    ] as const) {
      const found = finding(await preflight(source, target, { conflictPolicy }), 'target-empty');
      expect(found.verdict).toBe('warn');
      expect(found.evidence).toBe('The target already holds 2 keys (2 keys in database 0).');
      expect(found.remedy).toContain(word);
    }
  });

  test('of too little memory, and of a target that drops keys', async () => {
    const [source, small, evicting] = await Promise.all([
      testServer(),
      testServer({ args: ['--maxmemory', '4mb', '--maxmemory-policy', 'noeviction'] }),
      testServer({ args: ['--maxmemory', '1gb', '--maxmemory-policy', 'allkeys-lru'] }),
    ]);
    await askServer(source, ['SETRANGE', 'a', '8000000', 'x']);
    const little = finding(await preflight(source, small), 'target-memory');
    expect(little.verdict).toBe('warn');
    expect(little.remedy).toContain('refuse writes');
    const dropping = finding(await preflight(source, evicting), 'target-memory');
    expect(dropping.verdict).toBe('warn');
    expect(dropping.evidence).toContain('allkeys-lru');
  });

  test('of a target user who may write only some keys', async ({ skip }) => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    skip(target.version.major < 7, 'before 7.0 there is no ACL DRYRUN');
    await askServer(target, ['ACL', 'SETUSER', 'app', 'on', '>x', '~app:*', '&*', '+@all']);
    const more = { target: { credentials: { username: 'app', password: 'x' } } };
    const found = finding(await preflight(source, target, more), 'target-permission');
    expect(found).toMatchObject({ verdict: 'warn', evidence: expect.stringContaining('only some keys') });
  });

  test('of a target that is older than the source', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [endpointOf(source), endpointOf(target)];
    const [sourceTopology, targetTopology] = await Promise.all([discoverTopology(from), discoverTopology(to)]);
    // The servers are of one release: what discovery said of them is changed instead.
    const redis = (major: number) =>
      ({ product: 'Redis', major, minor: 0, patch: 0, text: `Redis ${major}.0.0` }) as const;
    const report = await runPreflight({
      source: { endpoint: from, topology: { ...sourceTopology, version: redis(7) } },
      target: { endpoint: to, topology: { ...targetTopology, version: redis(5) } },
      conflictPolicy: 'panic',
      exactlyOnce: true,
    });
    expect(finding(report, 'versions')).toMatchObject({
      verdict: 'warn',
      evidence: 'The source (Redis 7.0.0) writes RDB version 10, the target (Redis 5.0.0) takes up to 9.',
    });
  });

  test('that redferry counts as a replica', async () => {
    const target = await testServer();
    const source = await testServer({ args: ['--min-replicas-to-write', '1'] });
    const found = finding(await preflight(source, target), 'source-replicas');
    expect(found.verdict).toBe('warn');
    expect(found.evidence).toContain('it has 0 now');
  });
});

test('a setting that must not be read is told as such', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  await askServer(source, ['ACL', 'SETUSER', 'plain', 'on', '>x', '~*', '+@all', '-config']);
  const more = { source: { credentials: { username: 'plain', password: 'x' } } };
  const found = finding(await preflight(source, target, more), 'source-buffer');
  expect(found).toMatchObject({ verdict: 'ok', evidence: expect.stringContaining('CONFIG GET is not allowed') });
});

test('a source that replicates scripts as they were called is said', async ({ skip }) => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  skip(source.version.major >= 7, 'from 7.0 on a source always replicates effects');
  expect(finding(await preflight(source, target), 'source-scripts').verdict).toBe('ok');
  await askServer(source, ['CONFIG', 'SET', 'lua-replicate-commands', 'no']);
  expect(finding(await preflight(source, target), 'source-scripts')).toMatchObject({
    verdict: 'warn',
    evidence: expect.stringContaining('live longer on the target'),
  });
});

test('a source at work on a snapshot is said', async () => {
  const [source, target] = await Promise.all([testServer({ args: ['--rdb-key-save-delay', '100000'] }), testServer()]);
  await askServer(source, ['EVAL', "for i = 1, 2000 do redis.call('SET', i, i) end return 1", '0']);
  await askServer(source, ['BGSAVE']);
  expect(finding(await preflight(source, target), 'source-busy')).toMatchObject({
    verdict: 'ok',
    evidence: `${placeOf(source)} is writing a snapshot.`,
  });
});

test('a node that went away is an error and not a finding', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const [from, to] = [endpointOf(source), endpointOf(target)];
  const [sourceTopology, targetTopology] = [await discoverTopology(from), await discoverTopology(to)];
  target.kill('SIGKILL');
  await target.waitForExit();
  const order = {
    source: { endpoint: from, topology: sourceTopology },
    target: { endpoint: to, topology: targetTopology },
    conflictPolicy: 'panic',
    exactlyOnce: true,
  } as const;
  await expect(runPreflight(order)).rejects.toThrow(`${placeOf(target)} refused the connection`);
});
