// The rights that docs/validation.md names: with them a user compares everything there is, standalone and in a cluster.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sideOfEndpoint } from '../../source/commands/compare-sides.ts';
import { type CompareSide, openSide } from '../../source/validation/side.ts';
import { Validation } from '../../source/validation/validation.ts';
import { endpointOf } from '../support/migration.ts';
import { useServers as serversOfThisFile } from '../support/servers.ts';
import { PLANTED } from './planted.ts';
import { openCluster, openStandalone } from './stores.ts';

const PASSWORD = 'pw';
const QUICKLY = { pausesMs: [20, 60, 120], quietMs: 50 };

const servers = serversOfThisFile();

function documentedRights(): string[] {
  const page = readFileSync(new URL('../../docs/validation.md', import.meta.url), 'utf8');
  const [, rights] = /A user needs `([^`]+)`/.exec(page) ?? [];
  if (rights === undefined) throw new Error('docs/validation.md names no rights');
  return rights.split(' ');
}

/** The planted keys of one side, and the user. */
async function prepare(description: CompareSide, which: 'source' | 'target'): Promise<CompareSide> {
  const side = await openSide(description);
  for (const fault of PLANTED) await side.nodeOf(Buffer.from(fault.key)).batch(fault[which]);
  for (const node of side.nodes) {
    await node.call(['ACL', 'SETUSER', 'reader', 'reset', 'on', `>${PASSWORD}`, '~*', ...documentedRights()]);
  }
  side.close();
  const [place] = description.addresses;
  if (place === undefined) throw new Error('a side without a node');
  return sideOfEndpoint(endpointOf(place, { credentials: { username: 'reader', password: PASSWORD } }));
}

test.each([false, true])('what the page names is enough (cluster: %s)', async (cluster) => {
  const open = cluster ? openCluster : openStandalone;
  const source = await prepare(await open(servers), 'source');
  const target = await prepare(await open(servers), 'target');
  for (const sample of [null, { kind: 'share', share: 1 } as const]) {
    const { result, differences } = await new Validation({
      source,
      target,
      sample,
      settle: QUICKLY,
      showSides: 100,
    }).run();
    expect(result).toMatchObject({ skipped: 0, unstable: 0 });
    expect(differences.map(({ key }) => String(key)).sort()).toEqual(PLANTED.map(({ key }) => key).sort());
  }
});
