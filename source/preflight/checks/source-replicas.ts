// redferry looks like a replica to the source. Where writes depend on the number of replicas that weakens a protection,
// and Sentinel remembers it.
import { formatAddress } from '../../topology/endpoint.ts';
import { configValue, ok, warn } from '../answers.ts';
import type { Check, PreflightNode } from '../check.ts';
import { QUESTIONS, SOURCE_REPLICAS } from '../sentences.ts';

export const sourceReplicas: Check = {
  id: 'source-replicas',
  question: QUESTIONS['source-replicas'],
  async run({ source }) {
    for (const node of source.nodes) {
      if (!(await dependsOnReplicas(node))) continue;
      const replicas = node.info.number('connected_slaves') ?? 0;
      return warn(SOURCE_REPLICAS.counts(formatAddress(node.address), replicas), SOURCE_REPLICAS.remedy);
    }
    if (source.topology.kind === 'sentinel') return warn(SOURCE_REPLICAS.sentinel, SOURCE_REPLICAS.sentinelRemedy);
    return ok(SOURCE_REPLICAS.ok);
  },
};

/** INFO has this field only while the protection is on, so CONFIG is not needed; a replica's own INFO has it too. */
async function dependsOnReplicas({ info, connection }: PreflightNode): Promise<boolean> {
  if (info.number('min_slaves_good_slaves') !== null) return true;
  const wanted = await configValue(connection, 'min-replicas-to-write');
  return Number(wanted ?? 0) > 0;
}
