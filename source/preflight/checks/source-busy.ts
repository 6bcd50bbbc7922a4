// A source that is forking already makes our snapshot later. For information: the run waits and shows it.
import { formatAddress } from '../../topology/endpoint.ts';
import { ok } from '../answers.ts';
import type { Check, PreflightNode } from '../check.ts';
import { QUESTIONS, SOURCE_BUSY } from '../sentences.ts';

export const sourceBusy: Check = {
  id: 'source-busy',
  question: QUESTIONS['source-busy'],
  async run({ source }) {
    const busy = source.nodes.map(occupation).filter((sentence) => sentence !== null);
    return busy.length === 0 ? ok(SOURCE_BUSY.ok) : ok(`${busy.join(', ')}.`, SOURCE_BUSY.remedy);
  },
};

function occupation({ address, info }: PreflightNode): string | null {
  const place = formatAddress(address);
  if (info.flag('loading')) return SOURCE_BUSY.loading(place);
  if (info.flag('rdb_bgsave_in_progress')) return SOURCE_BUSY.saving(place);
  return info.flag('aof_rewrite_in_progress') ? SOURCE_BUSY.rewriting(place) : null;
}
