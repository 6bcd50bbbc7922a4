// A replica refuses writes, or loses them at its next sync.
import { formatAddress } from '../../topology/endpoint.ts';
import { ok, refuse } from '../answers.ts';
import type { Check } from '../check.ts';
import { QUESTIONS, TARGET_ROLE } from '../sentences.ts';

export const targetRole: Check = {
  id: 'target-role',
  question: QUESTIONS['target-role'],
  async run({ target }) {
    const replica = target.nodes.find(({ info }) => info.text('role') === 'slave');
    if (replica === undefined) return ok(TARGET_ROLE.ok(target.nodes.length));
    const { info } = replica;
    const master = formatAddress({ host: info.text('master_host') ?? '?', port: info.number('master_port') ?? 0 });
    return refuse(TARGET_ROLE.replica(formatAddress(replica.address), master), TARGET_ROLE.remedy(master));
  },
};
