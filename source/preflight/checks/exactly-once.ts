// Whether every command of the stream can be made to take effect exactly once: older connections must be found and killed
// before anything is played again (without that 15 to 90 % of increments were doubled, seen on 7.0 and Valkey 8.1), and
// the markers must stay where they were put.
import { formatAddress } from '../../topology/endpoint.ts';
import { configValue, ok, refuse, rightTo, warn } from '../answers.ts';
import type { Answer, Check, PreflightNode, Verdict } from '../check.ts';
import { EXACTLY_ONCE, QUESTIONS } from '../sentences.ts';

const NEEDED: readonly (readonly string[])[] = [
  ['CLIENT', 'ID'],
  ['CLIENT', 'LIST'],
  ['CLIENT', 'KILL', 'ID', '1'],
  ['CLIENT', 'SETNAME', 'redferry'],
  ['GET', 'redferry'],
];

export const exactlyOnce: Check = {
  id: 'exactly-once',
  question: QUESTIONS['exactly-once'],
  async run({ target, exactlyOnce: wanted }) {
    if (!wanted) return ok(EXACTLY_ONCE.off);
    const user = target.endpoint.credentials.username ?? 'default';
    const answers = await Promise.all(target.nodes.map((node) => ask(node, user)));
    const first = (verdict: Verdict): Answer | undefined => answers.find((answer) => answer.verdict === verdict);
    return first('refuse') ?? first('warn') ?? ok(EXACTLY_ONCE.ok);
  },
};

async function ask(node: PreflightNode, user: string): Promise<Answer> {
  const address = formatAddress(node.address);
  const rights = await Promise.all(NEEDED.map((command) => rightTo(node.connection, user, command)));
  const missing = NEEDED.filter((_, index) => rights[index] === 'denied').map((command) =>
    command[0] === 'CLIENT' ? command.slice(0, 2).join(' ') : command[0],
  );
  if (missing.length > 0)
    return refuse(EXACTLY_ONCE.denied(address, user, missing.join(', ')), EXACTLY_ONCE.remedy(user));
  const policy = await configValue(node.connection, 'maxmemory-policy');
  return policy?.startsWith('allkeys-')
    ? warn(EXACTLY_ONCE.evicts(address, policy), EXACTLY_ONCE.evictsRemedy)
    : ok('');
}
