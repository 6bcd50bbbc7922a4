// From each version to each other: one key of every type and encoding must arrive the same, but for what the older one
// has no place for (docs/versions.md).
import { describe, expect, it } from 'vitest';
import { client } from '../support/client.ts';
import { compare, endpointOf, migrate, TEST_LIMITS } from '../support/migration.ts';
import { SERVER_KINDS, type ServerKind } from '../support/other-servers.ts';
import { testServer } from '../support/servers.ts';
import { writeTypedData } from '../support/typed-data.ts';

/** Redis 7.4 and Valkey 9. */
function fieldsExpire({ binary }: ServerKind, { major, minor }: { major: number; minor: number }): boolean {
  return /valkey-server$/.test(binary) ? major >= 9 : major > 7 || (major === 7 && minor >= 4);
}

/** What the comparer says of a stream whose counters the target can not hold. */
const LOST_COUNTERS = /(?:entries-added|max-deleted-entry-id|recorded-first-entry-id) is/;

async function move(from: ServerKind, to: ServerKind, valueInMemory: number): Promise<void> {
  const [source, target] = await Promise.all([testServer({ binary: from.binary }), testServer({ binary: to.binary })]);
  const keeps = fieldsExpire(to, target.version);
  await writeTypedData(source, { fieldExpiry: fieldsExpire(from, source.version), elements: 600 });
  const run = migrate(endpointOf(source), endpointOf(target), {
    snapshotOnly: true,
    limits: { ...TEST_LIMITS, valueInMemory },
  });
  const result = await run.engine.ended;
  expect(result.refusals).toEqual([]);
  expect(result).toMatchObject({ outcome: 'completed', exitCode: 0, keys: await client(source).dbsize() });
  const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
  expect(report.differences.filter(({ detail }) => !LOST_COUNTERS.test(detail))).toEqual([]);
  const told = run.notices.filter(({ message }) => message.startsWith('Hash fields of'));
  expect(told.length).toBe(fieldsExpire(from, source.version) && !keeps ? 1 : 0);
}

/** A run of these tests against a server by name is beside one that has taken all pairs already. */
const kinds = process.env['REDIS_SERVER'] === undefined ? SERVER_KINDS : SERVER_KINDS.slice(0, 1);

describe.each(kinds)('from $label', (from) => {
  for (const to of kinds) {
    it(`to ${to.label}`, () => move(from, to, TEST_LIMITS.valueInMemory));
    it(`to ${to.label}, by commands`, () => move(from, to, 64));
  }
});
