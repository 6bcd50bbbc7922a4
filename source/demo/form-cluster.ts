// What turns empty nodes into a cluster: slots given out evenly, everybody introduced to everybody, replicas attached,
// and the wait until a node reports that all slots are served. Nothing here starts or stops a process.
import { setTimeout as delay } from 'node:timers/promises';
import { FerryError, messageOf } from '../engine/errors.ts';
import { SLOT_COUNT, type SlotRange } from '../topology/topology.ts';
import { askServer } from './ask-server.ts';
import { BUS_PORT_DISTANCE } from './free-port.ts';
import type { LocalServer } from './local-server.ts';

const POLL_MS = 25;
/** Before 7.0 each slot is an argument of its own. */
const SLOTS_PER_COMMAND = 1000;

/** What this needs of a server. */
export type ClusterNode = Pick<LocalServer, 'host' | 'port' | 'version' | 'running' | 'logTail'>;

/** The even share of the slots that the master of this index gets. */
export function slotShare(index: number, masters: number): SlotRange {
  const first = Math.floor((index * SLOT_COUNT) / masters);
  return { first, last: Math.floor(((index + 1) * SLOT_COUNT) / masters) - 1 };
}

/** Gives the master of this index its share. */
export async function giveSlots(node: ClusterNode, index: number, masters: number): Promise<void> {
  // Distinct epochs from the start: otherwise the nodes settle that among themselves first, by collisions.
  await askServer(node, ['CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1)]);
  const { first, last } = slotShare(index, masters);
  if (node.version.major >= 7) {
    await askServer(node, ['CLUSTER', 'ADDSLOTSRANGE', String(first), String(last)]);
    return;
  }
  for (let slot = first; slot <= last; slot += SLOTS_PER_COMMAND) {
    const length = Math.min(SLOTS_PER_COMMAND, last - slot + 1);
    await askServer(node, ['CLUSTER', 'ADDSLOTS', ...Array.from({ length }, (_, step) => String(slot + step))]);
  }
}

/** Each pair meets directly: gossip alone would need seconds to spread the word. */
export async function introduce(nodes: readonly ClusterNode[]): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    for (const other of nodes.slice(index + 1)) {
      const busPort = node.version.major >= 7 ? [String(other.port + BUS_PORT_DISTANCE)] : [];
      await askServer(node, ['CLUSTER', 'MEET', other.host, String(other.port), ...busPort]);
    }
  }
}

/** Makes `node` a replica of `master` and waits until its copy is in place. */
export async function attachReplica(
  node: ClusterNode,
  master: ClusterNode | undefined,
  deadline: number,
): Promise<void> {
  if (master === undefined) return;
  const masterId = await askServer(master, ['CLUSTER', 'MYID']);
  await poll(node, deadline, async () => {
    // Refused as an unknown node until the two have met.
    await askServer(node, ['CLUSTER', 'REPLICATE', masterId]);
    return null;
  });
  await poll(node, deadline, async () => {
    const replication = await askServer(node, ['INFO', 'replication']);
    return replication.includes('master_link_status:up') ? null : replication;
  });
}

/** Waits until the node sees all nodes, all slots served, and nobody half known. */
export async function waitUntilWhole(
  node: ClusterNode,
  nodes: number,
  masters: number,
  deadline: number,
): Promise<void> {
  const wanted = [
    'cluster_state:ok',
    `cluster_slots_ok:${SLOT_COUNT}`,
    `cluster_known_nodes:${nodes}`,
    `cluster_size:${masters}`,
  ];
  await poll(node, deadline, async () => {
    const lines = (await askServer(node, ['CLUSTER', 'INFO'])).split('\r\n');
    if (!wanted.every((line) => lines.includes(line))) return lines.slice(0, 8).join(', ');
    const table = await askServer(node, ['CLUSTER', 'NODES']);
    return /handshake|noaddr|fail/.test(table) ? table : null;
  });
}

/** Repeats `attempt` until it gives null; anything else, or a refusal, is the reason why not yet. */
async function poll(node: ClusterNode, deadline: number, attempt: () => Promise<string | null>): Promise<void> {
  for (;;) {
    const reason = await attempt().catch(messageOf);
    if (reason === null) return;
    if (Date.now() > deadline || !node.running) {
      throw new FerryError(
        `The local cluster did not form in time; its node on port ${node.port} says ${reason}\nIts log ends:\n${node.logTail()}`,
        { code: 'cluster-start' },
      );
    }
    await delay(POLL_MS);
  }
}
