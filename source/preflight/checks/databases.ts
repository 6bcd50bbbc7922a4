// Every database of the source needs one of the same number on the target. Tried with SELECT, since clusters with
// several databases exist (Valkey 9) and a standalone may have fewer than the source uses.
import { formatAddress } from '../../topology/endpoint.ts';
import { keysByDatabase, ok, refuse } from '../answers.ts';
import type { Check, PreflightNode } from '../check.ts';
import { DATABASES, keysText, QUESTIONS } from '../sentences.ts';

export const databases: Check = {
  id: 'databases',
  question: QUESTIONS.databases,
  async run({ source, target }) {
    const counts = keysByDatabase(source);
    const shown = [...counts].map(([database, keys]) => `${keysText(keys)} in database ${database}`).join(', ');
    const highest = Math.max(0, ...counts.keys());
    for (const node of highest > 0 ? target.nodes : []) {
      if (await hasDatabase(node, highest)) continue;
      return refuse(
        DATABASES.noPlace(shown, highest, formatAddress(node.address)),
        target.topology.kind === 'cluster' ? DATABASES.cluster : DATABASES.standalone(highest),
      );
    }
    return ok(DATABASES.ok(shown === '' ? 'no keys' : shown));
  },
};

async function hasDatabase({ connection }: PreflightNode, database: number): Promise<boolean> {
  try {
    await connection.call('SELECT', database);
  } catch {
    return false;
  }
  await connection.call('SELECT', 0);
  return true;
}
