// Faults of a cluster's slot table: slots that move while they are written to, and a node that thinks its cluster down.
import type { ClusterNode } from '../../source/topology/cluster-node.ts';
import type { NodeAddress } from '../../source/topology/endpoint.ts';
import { SLOT_COUNT } from '../../source/topology/topology.ts';
import { keySlot } from '../../source/validation/key-slot.ts';
import { ReplyError } from '../../source/validation/resp-reader.ts';
import { list } from '../../source/validation/side.ts';
import { waitFor } from '../support/wait.ts';
import { ask, askAll } from './ask.ts';
import type { Fault, FaultContext } from './fault.ts';
import type { Side, SideNode } from './side.ts';

type SideName = 'source' | 'target';

const MIGRATE_MS = 5000;
const KEYS_AT_ONCE = 5;
const MOST_SLOTS = 3;
/** The tags of the load of which one is chosen: its slot has keys. */
const TAGS = 40;

/** As redis-cli --cluster reshard does it, key by key, and half-way open for as long as the fault is held. */
export const reshard = (side: SideName): Fault => ({
  needs: 'cluster',
  side,
  holdMs: [0, 2500],
  weight: 4,
  async inject(context) {
    const moves: SlotMove[] = [];
    const count = context.random.between(1, MOST_SLOTS + 1);
    for (let index = 0; index < count; index++) {
      const slot = keySlot(Buffer.from(`chaos:{${context.random.between(0, TAGS)}}:`));
      if (moves.every((move) => move.slot !== slot)) moves.push(await openMove(context[side], slot));
    }
    context.tell({ slots: moves.map(({ slot, from, to }) => `${slot}: ${from.port} -> ${to.port}`) });
    for (const move of moves) await moveKeys(move, 2);
    return async () => {
      for (const move of moves) {
        await moveKeys(move, Number.POSITIVE_INFINITY);
        await closeMove(context[side], move);
      }
      await context[side].waitUntilWhole();
    };
  },
});

/** One master answers CLUSTERDOWN until the owner of the slot that it has forgotten speaks to it again. */
export const clusterDown = (side: SideName): Fault => ({
  needs: 'cluster',
  side,
  holdMs: [200, 1500],
  weight: 2,
  async inject(context) {
    const { server } = await context[side].master(context.shard);
    const other = await foreignSlot(context, side, server.port);
    context.tell({ node: server.port, slot: other });
    await ask(server, 'CLUSTER', 'DELSLOTS', other);
    return () => context[side].waitUntilWhole();
  },
});

async function foreignSlot(context: FaultContext, side: SideName, port: number): Promise<number> {
  const foreign = (await context[side].members()).filter((node) => node.port !== port && node.slots.length > 0);
  const slot = context.random.pick(foreign.length > 0 ? [foreign[0], ...foreign.slice(1)] : [undefined])?.slots[0]
    ?.first;
  if (slot === undefined) throw new Error('a cluster of one master has no slot of another');
  return slot % SLOT_COUNT;
}

interface SlotMove {
  readonly slot: number;
  readonly from: NodeAddress & { readonly id: string };
  readonly to: NodeAddress & { readonly id: string };
}

async function openMove(side: Side, slot: number): Promise<SlotMove> {
  const owner = await side.ownerOf(slot);
  const from = await identified(owner);
  const shard = side.groups.findIndex((group) => group.includes(owner));
  const to = await identified(await side.master(shard + 1));
  await ask(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
  await ask(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
  return { slot, from, to };
}

async function identified({ server: { host, port } }: SideNode): Promise<SlotMove['from']> {
  return { host, port, id: await ask({ host, port }, 'CLUSTER', 'MYID') };
}

/** In rounds of some keys each, until none is left or so many rounds are done. */
async function moveKeys({ slot, from, to }: SlotMove, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const [found] = await askAll(from, [['CLUSTER', 'GETKEYSINSLOT', slot, KEYS_AT_ONCE]]);
    const keys = list(found ?? null).filter((key) => Buffer.isBuffer(key));
    if (keys.length === 0) return;
    const [moved] = await askAll(
      from,
      [['MIGRATE', to.host, to.port, '', 0, MIGRATE_MS, 'KEYS', ...keys]],
      0,
      MIGRATE_MS * 2,
    );
    if (moved instanceof ReplyError) throw moved;
  }
}

/** The new owner first, so that no node is left that sends to nobody. */
async function closeMove(side: Side, { slot, from, to }: SlotMove): Promise<void> {
  await ask(to, 'CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
  await ask(from, 'CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
  for (const member of await mastersBut(side, [from.id, to.id])) {
    await ask(member, 'CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
  }
}

async function mastersBut(side: Side, ids: readonly string[]): Promise<readonly ClusterNode[]> {
  const members = await waitFor(() => side.members(), { what: `the members of the ${side.name}` });
  return members.filter(({ role, id, failed }) => role === 'master' && !failed && !ids.includes(id));
}
