// Source and target must not be one server, nor replicate with each other: by run id and replication history, since one
// server has many addresses.
import { formatAddress } from '../../topology/endpoint.ts';
import { ok, refuse } from '../answers.ts';
import type { Answer, Check, PreflightNode } from '../check.ts';
import { QUESTIONS, SAME_SERVER } from '../sentences.ts';

export const sameServer: Check = {
  id: 'same-server',
  question: QUESTIONS['same-server'],
  async run({ source, target }) {
    for (const from of source.nodes) {
      for (const to of target.nodes) {
        const tie = tieBetween(from, to);
        if (tie !== null) return tie;
      }
    }
    return ok(SAME_SERVER.ok);
  },
};

function tieBetween(source: PreflightNode, target: PreflightNode): Answer | null {
  const [from, to] = [formatAddress(source.address), formatAddress(target.address)];
  if (shared(source, target, 'run_id')) return refuse(SAME_SERVER.itself(to, from), SAME_SERVER.remedy);
  if (shared(source, target, 'master_replid')) return refuse(SAME_SERVER.chain(to, from), SAME_SERVER.remedy);
  // A source that has not yet synced from its master has no history in common with it.
  const { info } = source;
  const master = { host: info.text('master_host') ?? '', port: info.number('master_port') ?? 0 };
  return formatAddress(master) === to ? refuse(SAME_SERVER.follows(from, to), SAME_SERVER.remedy) : null;
}

function shared(source: PreflightNode, target: PreflightNode, field: 'run_id' | 'master_replid'): boolean {
  const value = source.info.text(field);
  return value !== null && value !== '' && value === target.info.text(field);
}
