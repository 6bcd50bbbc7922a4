// Whether the target lets this user write, by ACL DRYRUN (7.0 and newer): nothing is written for it.
import { formatAddress } from '../../topology/endpoint.ts';
import { mayRun, ok, refuse } from '../answers.ts';
import type { Answer, Check, PreflightNode } from '../check.ts';
import { QUESTIONS, TARGET_PERMISSION } from '../sentences.ts';

/** One of each kind the writer sends; the key stands for any. */
const NEEDED: readonly (readonly string[])[] = [
  ['RESTORE', 'redferry', '0', ''],
  ['SET', 'redferry', ''],
  ['DEL', 'redferry'],
  ['MULTI'],
  ['EXEC'],
];

export const targetPermission: Check = {
  id: 'target-permission',
  question: QUESTIONS['target-permission'],
  async run({ target }) {
    const user = target.endpoint.credentials.username ?? 'default';
    const answers = await Promise.all(target.nodes.map((node) => ask(node, user)));
    return answers.find(({ verdict }) => verdict === 'refuse') ?? answers[0] ?? ok(TARGET_PERMISSION.unknown);
  },
};

async function ask(node: PreflightNode, user: string): Promise<Answer> {
  const rights = await Promise.all(NEEDED.map((command) => mayRun(node.connection, user, command)));
  const missing = NEEDED.filter((_, index) => rights[index] === false).map(([name = '']) => name);
  if (missing.length > 0) {
    return refuse(
      TARGET_PERMISSION.denied(formatAddress(node.address), user, missing.join(', ')),
      TARGET_PERMISSION.remedy(user),
    );
  }
  return ok(rights.includes(null) ? TARGET_PERMISSION.unknown : TARGET_PERMISSION.ok);
}
