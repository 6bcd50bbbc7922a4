import { expect, test } from 'vitest';
import { connectionMarkerName, encodeConnectionMarker, SlotMarkers } from '../../source/checkpoint/marker.ts';
import {
  readConnectionMarkers,
  readSlotMarkers,
  readStandaloneMarkers,
  STANDALONE_MARKER_SLOT,
} from '../../source/checkpoint/read-markers.ts';
import { Connection } from '../../source/protocol/connection.ts';
import { SLOTS } from '../../source/protocol/slot.ts';
import type { NodeAddress } from '../../source/topology/endpoint.ts';
import { testCluster, testServer } from '../support/servers.ts';
import { askServer } from './asked-server.ts';

const REPLID = 'a'.repeat(40);

/** Sends bytes as a writer does, and waits until all was executed. */
async function send(address: NodeAddress, bytes: Buffer): Promise<void> {
  const connection = new Connection({
    address: { host: address.host, port: address.port },
    tls: null,
    credentials: { username: null, password: null },
    connectTimeoutMs: 5000,
  });
  await connection.open();
  connection.write(bytes);
  let replies = '';
  await new Promise<void>((resolve) => {
    connection.listen(
      (view) => {
        replies += view.toString('latin1');
        if (replies.endsWith('+PONG\r\n')) resolve();
        return true;
      },
      () => resolve(),
    );
    connection.write(Buffer.from('*1\r\n$4\r\nPING\r\n'));
  });
  connection.destroy();
  expect(replies).not.toMatch(/^-/m);
}

function slotMarkers(slots: readonly number[], offset: number): Buffer {
  const markers = new SlotMarkers('run', 'shard-0', REPLID);
  const buffer = Buffer.alloc(slots.length * markers.maxBytes);
  let at = 0;
  for (const slot of slots) at = markers.put(buffer, at, slot, offset + slot, 0);
  return buffer.subarray(0, at);
}

test('every marker of a cluster is found on the node that owns its slot', async () => {
  const cluster = await testCluster({ masters: 3 });
  const slots = Array.from({ length: SLOTS }, (_, slot) => slot);
  const borders = [0, 5461, 10_923, SLOTS];
  const started = performance.now();
  for (const [i, master] of cluster.masters.entries()) {
    const node = await askServer(master);
    const own = await ownSlots(node.request);
    const [first, last] = [own[0] as number, own.at(-1) as number];
    expect(Math.abs(first - (borders[i] as number))).toBeLessThan(3);
    // Every other slot has one.
    const marked = own.filter((slot) => slot % 2 === 0);
    await send(master, slotMarkers(marked, 5_000_000_000));
    const found = await readSlotMarkers(node, 'run', 'shard-0', own);
    expect([...found.keys()]).toEqual(marked);
    for (const [slot, marker] of found) expect(marker).toEqual({ replid: REPLID, offset: 5_000_000_000 + slot, db: 0 });
    expect(await readSlotMarkers(node, 'run', 'shard-1', own)).toEqual(new Map());
    // A slot of another node is no missing marker.
    const foreign = slots.find((slot) => slot < first || slot > last) as number;
    await expect(readSlotMarkers(node, 'run', 'shard-0', [foreign])).rejects.toThrow(/did not give the markers.*MOVED/);

    const marker = { replid: REPLID, offset: 42, db: 0 };
    await send(master, encodeConnectionMarker(connectionMarkerName('run', 'shard-0', first, 'node-x'), marker));
    const places = [
      { nodeId: 'node-x', slot: first },
      { nodeId: 'node-y', slot: first },
    ];
    expect(await readConnectionMarkers(node, 'me', 'run', 'shard-0', places)).toEqual([
      { namedNodeId: 'node-x', holderNodeId: 'me', marker },
    ]);
  }
  console.log(`markers of ${SLOTS} slots written and read in ${Math.round(performance.now() - started)} ms`);
});

async function ownSlots(request: (args: readonly string[]) => Promise<unknown>): Promise<number[]> {
  const myself = String(await request(['CLUSTER', 'NODES']))
    .split('\n')
    .find((line) => line.includes('myself'));
  const ranges = (myself?.split(' ').slice(8) ?? []).map((range) => range.split('-').map(Number));
  return ranges.flatMap(([low = 0, high = low]) => Array.from({ length: high - low + 1 }, (_, i) => low + i));
}

test('a standalone has one marker in each database', async () => {
  const server = await testServer();
  const node = await askServer(server);
  const markers = new SlotMarkers('run', 'shard-0', REPLID);
  const frame = Buffer.alloc(markers.maxBytes);
  for (const [db, offset] of [
    [0, 100],
    [5, 300],
  ] as const) {
    const end = markers.put(frame, 0, STANDALONE_MARKER_SLOT, offset, db);
    await send(server, Buffer.concat([Buffer.from(`*2\r\n$6\r\nSELECT\r\n$1\r\n${db}\r\n`), frame.subarray(0, end)]));
  }
  expect(await readStandaloneMarkers(node, 'run', 'shard-0', [0, 3, 5])).toEqual([
    { replid: REPLID, offset: 100, db: 0 },
    { replid: REPLID, offset: 300, db: 5 },
  ]);
  // A value that is no marker is none.
  await node.request(['SET', 'redferry:run:{1bz}:shard-0', 'something']);
  expect(await readStandaloneMarkers(node, 'run', 'shard-0', [0])).toEqual([]);
});
