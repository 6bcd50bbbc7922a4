// Reads the markers of one run and shard by their names. Only after the fence (fence.ts): what an older connection still
// had in its buffer would move them behind our back.
import { FerryError, messageOf } from '../engine/errors.ts';
import { connectionMarkerName, type Marker, parseMarker, slotMarkerName } from './marker.ts';
import type { AskedNode } from './node-request.ts';

/** In a cluster each name is a slot of its own, which no MGET may span: single GETs, this many on their way at once. */
const REQUESTS_AT_ONCE = 1024;
/** A standalone's markers all stand in this slot's name; it has one for each database. */
export const STANDALONE_MARKER_SLOT = 0;

/** A connection's marker, and which node holds it now. */
export interface ConnectionMarker {
  /** Node id in its name. */
  readonly namedNodeId: string;
  readonly holderNodeId: string;
  readonly marker: Marker;
}

/**
 * The slot markers that a cluster node holds, by slot. Slots of which it has none are not in the map.
 * @param slots that the node owns and that may have one: where a marker was ever set, or all of its slots.
 * @throws FerryError `markers` when it can not be asked, or redirects: then the topology has changed and is to be read anew.
 */
export async function readSlotMarkers(
  node: AskedNode,
  run: string,
  shard: string,
  slots: readonly number[],
): Promise<Map<number, Marker>> {
  const found = new Map<number, Marker>();
  for (let from = 0; from < slots.length; from += REQUESTS_AT_ONCE) {
    const part = slots.slice(from, from + REQUESTS_AT_ONCE);
    const values = await Promise.all(part.map((slot) => get(node, slotMarkerName(run, shard, slot))));
    for (const [i, value] of values.entries()) {
      const marker = value === null ? null : parseMarker(value);
      if (marker !== null) found.set(part[i] as number, marker);
    }
  }
  return found;
}

/** Where a connection's marker may stand. */
export interface ConnectionMarkerPlace {
  /** Node id that it names. */
  readonly nodeId: string;
  readonly slot: number;
}

/** The connection markers that stand at these places, all in slots that the node owns. @throws FerryError `markers` */
export async function readConnectionMarkers(
  node: AskedNode,
  holderNodeId: string,
  run: string,
  shard: string,
  places: readonly ConnectionMarkerPlace[],
): Promise<ConnectionMarker[]> {
  const values = await Promise.all(
    places.map(({ nodeId, slot }) => get(node, connectionMarkerName(run, shard, slot, nodeId))),
  );
  return values.flatMap((value, i) => {
    const marker = value === null ? null : parseMarker(value);
    const place = places[i];
    return marker === null || place === undefined ? [] : [{ namedNodeId: place.nodeId, holderNodeId, marker }];
  });
}

/**
 * The markers of a standalone target: one for each database in which a block of commands ended. Which of them counts is
 * the one with the largest offset. The connection is left in database 0.
 * @param databases that hold keys (INFO keyspace); an empty one has no marker.
 * @throws FerryError `markers`
 */
export async function readStandaloneMarkers(
  node: AskedNode,
  run: string,
  shard: string,
  databases: readonly number[],
): Promise<Marker[]> {
  const name = slotMarkerName(run, shard, STANDALONE_MARKER_SLOT);
  const found: Marker[] = [];
  for (const database of databases) {
    await request(node, ['SELECT', String(database)]);
    const value = await get(node, name);
    const marker = value === null ? null : parseMarker(value);
    if (marker !== null) found.push(marker);
  }
  await request(node, ['SELECT', '0']);
  return found;
}

async function get(node: AskedNode, name: string): Promise<string | null> {
  const reply = await request(node, ['GET', name]);
  return reply === null ? null : String(reply);
}

async function request(node: AskedNode, args: readonly string[]): Promise<unknown> {
  try {
    return await node.request(args);
  } catch (thrown) {
    // Not a missing marker: taking it for one would copy the slot anew, or worse, begin at the wrong place.
    throw new FerryError(`${node.address} did not give the markers of this run (${messageOf(thrown)}).`, {
      code: 'markers',
      retriable: true,
      cause: thrown,
    });
  }
}
