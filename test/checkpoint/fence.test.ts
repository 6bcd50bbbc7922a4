// The experiment of pitfall 10 in small: an old link that stalls must not apply its writes beside the new one's replay.
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { connectionPrefix, killFormerConnections, ownConnectionId } from '../../source/checkpoint/fence.ts';
import { SlotMarkers } from '../../source/checkpoint/marker.ts';
import { readSlotMarkers } from '../../source/checkpoint/read-markers.ts';
import { encodeCommand } from '../../source/protocol/resp-encode.ts';
import { slotTag } from '../../source/protocol/slot.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { askServer } from './asked-server.ts';

const REPLID = 'a'.repeat(40);
const SLOT = 1234;
const COUNTER = `{${slotTag(SLOT)}}counter`;
const COMMANDS = 6000;

/** Blocks of INCR and marker for the offsets behind `from`, up to COMMANDS. */
function blocks(from: number): Buffer {
  const markers = new SlotMarkers('run', 'shard-0', REPLID);
  const marker = Buffer.alloc(markers.maxBytes);
  const parts: Buffer[] = [];
  for (let offset = from + 1; offset <= COMMANDS; offset++) {
    parts.push(encodeCommand(['MULTI']), encodeCommand(['INCR', COUNTER]));
    parts.push(Buffer.from(marker.subarray(0, markers.put(marker, 0, SLOT, offset, 0))), encodeCommand(['EXEC']));
  }
  return Buffer.concat(parts);
}

/** A frozen server has taken all of a link's commands into its socket, the writer gives it up, and a new one comes. */
async function replayBesideOldLink(fenced: boolean): Promise<number> {
  const server = await testServer();
  const node = await askServer(server);
  const old = connect(server.port, server.host);
  onTestFinished(() => {
    old.destroy();
  });
  old.on('error', () => {});
  old.resume();
  old.write(encodeCommand(['CLIENT', 'SETNAME', `${connectionPrefix('run', 'shard-0')}n1`]));
  await waitFor(async () => String(await node.request(['CLIENT', 'LIST'])).includes('redferry:run:shard-0:n1'), {
    what: 'the old link to have its name',
  });
  const all = blocks(0);
  const middle = Math.floor(all.length / 2);
  old.write(all.subarray(0, middle));
  await waitFor(async () => Number(await node.request(['GET', COUNTER])) > 100, { what: 'writes', intervalMs: 1 });
  server.kill('SIGSTOP');
  old.write(all.subarray(middle));
  server.kill('SIGCONT');

  if (fenced) await killFormerConnections(node, connectionPrefix('run', 'shard-0'));
  const marker = (await readSlotMarkers(node, 'run', 'shard-0', [SLOT])).get(SLOT);
  const fresh = connect(server.port, server.host);
  onTestFinished(() => {
    fresh.destroy();
  });
  fresh.resume();
  fresh.write(blocks(marker?.offset ?? 0));
  fresh.write(encodeCommand(['SET', 'replayed', '1']));
  await waitFor(() => node.request(['GET', 'replayed']), { what: 'the replay' });
  await waitFor(async () => !(await busy(node)), { what: 'the old link to be worked off' });
  return Number(await node.request(['GET', COUNTER]));
}

/** Whether the old link still has something to be read or executed. */
async function busy(node: Awaited<ReturnType<typeof askServer>>): Promise<boolean> {
  const before = await node.request(['GET', COUNTER]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return before !== (await node.request(['GET', COUNTER]));
}

test('behind the fence every command takes effect once, whatever the old link still holds', async () => {
  for (let i = 0; i < 3; i++) expect(await replayBesideOldLink(true)).toBe(COMMANDS);
});

test('without it they do not: the experiment can fail', async () => {
  let doubled = 0;
  for (let i = 0; i < 5 && doubled === 0; i++) doubled = (await replayBesideOldLink(false)) - COMMANDS;
  expect(doubled).toBeGreaterThan(0);
});

test('kills the connections of its own shard and run, and no others', async () => {
  const server = await testServer();
  const own = await askServer(server, 'redferry:r:shard-1:n1');
  await askServer(server, 'redferry:r:shard-1:n2');
  await askServer(server, 'redferry:r:shard-1:');
  for (const other of ['redferry:r:shard-10:n1', 'redferry:r2:shard-1:n1', 'xredferry:r:shard-1:n1', 'app']) {
    await askServer(server, other);
  }
  const prefix = connectionPrefix('r', 'shard-1');
  expect(await killFormerConnections(own, prefix, new Set([await ownConnectionId(own)]))).toBe(2);
  const left = String(await own.request(['CLIENT', 'LIST']));
  const names = [...left.matchAll(/ name=(\S+)/g)].map((match) => match[1]).sort();
  expect(names).toEqual([
    'app',
    'redferry:r2:shard-1:n1',
    'redferry:r:shard-10:n1',
    'redferry:r:shard-1:n1',
    'xredferry:r:shard-1:n1',
  ]);
});

test('says which right is missing', async () => {
  const server = await testServer();
  const admin = await askServer(server);
  await admin.request(['ACL', 'SETUSER', 'few', 'on', 'nopass', '~*', '+@all', '-client']);
  await askServer(server, 'redferry:r:shard-1:n2');
  await admin.request(['AUTH', 'few', '']);
  await expect(killFormerConnections(admin, 'redferry:r:shard-1:')).rejects.toThrow(
    /does not let this user run CLIENT LIST.*\+client\|kill/,
  );
});
