// A slot between two masters: new keys in it cannot be written in blocks on a target (TRYAGAIN), and on a source its
// keys change from one stream to another while both are being read.
import type { ClusterNode, OpenSlot } from '../../topology/cluster-node.ts';
import { parseClusterNodes } from '../../topology/cluster-nodes.ts';
import { ok, refuse } from '../answers.ts';
import type { Check, PreflightSide } from '../check.ts';
import { OPEN_SLOTS, QUESTIONS } from '../sentences.ts';

export const openSlots: Check = {
  id: 'open-slots',
  question: QUESTIONS['open-slots'],
  async run({ source, target }) {
    if (source.topology.kind !== 'cluster' && target.topology.kind !== 'cluster') return ok(OPEN_SLOTS.none);
    for (const [name, side] of [
      ['target', target],
      ['source', source],
    ] as const) {
      const open = await openSlotsOf(side);
      const [first] = open;
      if (first !== undefined) {
        const slots = new Set(open.map(({ slot }) => slot)).size;
        return refuse(OPEN_SLOTS.open(name, slots, `slot ${first.slot} is ${first.direction}`), OPEN_SLOTS.remedy);
      }
    }
    return ok(OPEN_SLOTS.ok);
  },
};

/** Each node tells of its own open slots only. */
async function openSlotsOf({ topology, nodes }: PreflightSide): Promise<readonly OpenSlot[]> {
  if (topology.kind !== 'cluster') return [];
  const answers = await Promise.all(
    nodes.map(async ({ connection }): Promise<readonly ClusterNode[]> => {
      return parseClusterNodes(String(await connection.call('CLUSTER', 'NODES')));
    }),
  );
  return answers.flat().flatMap((node) => node.openSlots);
}
