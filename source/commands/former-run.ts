// Takes what a run has left on the target that nobody goes on with (--fresh): connections that may still be open, and its
// markers. Only behind the leases of its shards.
import { connectionPrefix, killFormerConnections } from '../checkpoint/fence.ts';
import { connectionMarkerName, slotMarkerName } from '../checkpoint/marker.ts';
import type { AskedNode } from '../checkpoint/node-request.ts';
import { STANDALONE_MARKER_SLOT } from '../checkpoint/read-markers.ts';
import type { StoredShard } from '../checkpoint/shard-state.ts';
import type { ServerSide } from '../preflight/context.ts';
import { openControl } from '../topology/control-connection.ts';
import { rangesContain } from './stable-shards.ts';

/** @param nodes all masters of the target. @throws FerryError when one can not be asked. */
export async function dropFormerRun(
  target: ServerSide,
  nodes: readonly AskedNode[],
  left: readonly StoredShard[],
): Promise<void> {
  for (const { run, shard } of left) {
    await Promise.all(nodes.map((node) => killFormerConnections(node, connectionPrefix(run, shard))));
  }
  if (left.length > 0) await dropMarkers(target, left);
}

async function dropMarkers({ endpoint, topology }: ServerSide, left: readonly StoredShard[]): Promise<void> {
  for (const { address, slots } of topology.shards) {
    const connection = await openControl(endpoint, address, 'redferry:resume');
    try {
      for (const { run, shard, progress, markedSlots } of left) {
        if (topology.kind !== 'cluster') {
          for (const [, database] of (await connection.info('keyspace')).matchAll(/^db(\d+):/gm)) {
            await connection.select(Number(database));
            await connection.del(slotMarkerName(run, shard, STANDALONE_MARKER_SLOT));
          }
          continue;
        }
        const names = [...markedSlots.slots()]
          .filter((slot) => rangesContain(slots, slot))
          .map((slot) => slotMarkerName(run, shard, slot));
        for (const { nodeId, markerSlot } of progress.nodes) {
          if (markerSlot === null || !rangesContain(slots, markerSlot)) continue;
          names.push(connectionMarkerName(run, shard, markerSlot, nodeId));
        }
        await Promise.all(names.map((name) => connection.del(name)));
      }
    } finally {
      connection.disconnect();
    }
  }
}
