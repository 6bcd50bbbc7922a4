// Whether the target lets this user write, by ACL DRYRUN (7.0 and newer): nothing is written for it.
import { formatAddress } from '../../topology/endpoint.ts';
import { ok, refuse, rightTo, warn } from '../answers.ts';
import type { Answer, Check, PreflightNode, Verdict } from '../check.ts';
import { QUESTIONS, TARGET_PERMISSION } from '../sentences.ts';

/** One of each kind the writer sends, and what gives the keys their expiries at the end; the key stands for any. */
const NEEDED: readonly (readonly string[])[] = [
  ['RESTORE', 'redferry', '0', ''],
  ['SET', 'redferry', ''],
  ['DEL', 'redferry'],
  ['MULTI'],
  ['EXEC'],
  ['SCAN', '0'],
  ['PEXPIREAT', 'redferry', '1'],
];

export const targetPermission: Check = {
  id: 'target-permission',
  question: QUESTIONS['target-permission'],
  async run({ target }) {
    const user = target.endpoint.credentials.username ?? 'default';
    const answers = await Promise.all(target.nodes.map((node) => ask(node, user)));
    const first = (wanted: Verdict): Answer | undefined => answers.find(({ verdict }) => verdict === wanted);
    return first('refuse') ?? first('warn') ?? answers[0] ?? ok(TARGET_PERMISSION.unknown);
  },
};

async function ask(node: PreflightNode, user: string): Promise<Answer> {
  const rights = await Promise.all(NEEDED.map((command) => rightTo(node.connection, user, command)));
  const missing = NEEDED.filter((_, index) => rights[index] === 'denied').map(([name = '']) => name);
  if (missing.length > 0) {
    return refuse(
      TARGET_PERMISSION.denied(formatAddress(node.address), user, missing.join(', ')),
      TARGET_PERMISSION.remedy(user),
    );
  }
  // A user of its own for one application may well be allowed all the keys that the source has.
  if (rights.includes('limited')) {
    return warn(TARGET_PERMISSION.limited(formatAddress(node.address), user), TARGET_PERMISSION.limitedRemedy(user));
  }
  return ok(rights.includes('unknown') ? TARGET_PERMISSION.unknown : TARGET_PERMISSION.ok);
}
