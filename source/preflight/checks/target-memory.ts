// Whether what the source holds fits below the target's maxmemory, and whether the target would rather drop keys than
// refuse writes. Memory use differs between versions, so this only warns.
import { formatAddress } from '../../topology/endpoint.ts';
import { ok, warn } from '../answers.ts';
import type { Check, PreflightNode } from '../check.ts';
import { QUESTIONS, TARGET_MEMORY } from '../sentences.ts';

export const targetMemory: Check = {
  id: 'target-memory',
  question: QUESTIONS['target-memory'],
  async run({ source, target }) {
    const used = source.nodes.reduce((sum, { info }) => sum + dataBytes(info), 0);
    const limited = target.nodes.filter(({ info }) => (info.number('maxmemory') ?? 0) > 0);
    const policy = limited[0]?.info.text('maxmemory_policy') ?? 'noeviction';
    // Keys spread over all nodes, so one without a limit makes no room for the others.
    const share = used / Math.max(1, target.nodes.length);
    const free = limited.map(({ info }) =>
      Math.max(0, (info.number('maxmemory') ?? 0) - (info.number('used_memory') ?? 0)),
    );
    if (free.some((bytes) => bytes < share)) {
      const total = free.reduce((sum, bytes) => sum + bytes, 0);
      return warn(TARGET_MEMORY.small(used, total), TARGET_MEMORY.smallRemedy(policy));
    }
    const evicting = limited.find(({ info }) => (info.text('maxmemory_policy') ?? 'noeviction') !== 'noeviction');
    if (evicting !== undefined) {
      const evicts = TARGET_MEMORY.evicts(
        formatAddress(evicting.address),
        evicting.info.text('maxmemory_policy') ?? '',
      );
      return warn(evicts, TARGET_MEMORY.evictsRemedy);
    }
    if (limited.length === 0) return ok(TARGET_MEMORY.unlimited(used));
    return ok(
      TARGET_MEMORY.ok(
        used,
        free.reduce((sum, bytes) => sum + bytes, 0),
      ),
    );
  },
};

/** What the keys take, without the server's own buffers and its size when empty. */
function dataBytes(info: PreflightNode['info']): number {
  return info.number('used_memory_dataset') ?? info.number('used_memory') ?? 0;
}
