// Every database of the source needs one of the same number on the target. Tried with SELECT, since clusters with
// several databases exist (Valkey 9) and a standalone may have fewer than the source uses.
import { messageOf } from '../../engine/errors.ts';
import { formatAddress } from '../../topology/endpoint.ts';
import { DatabaseMap } from '../../transforms/database-map.ts';
import { keysByDatabase, ok, refuse, warn } from '../answers.ts';
import type { Check, PreflightNode } from '../check.ts';
import { DATABASES, keysText, QUESTIONS } from '../sentences.ts';

export const databases: Check = {
  id: 'databases',
  question: QUESTIONS.databases,
  async run({ source, target, databases: numbers }) {
    const map = new DatabaseMap(numbers);
    const counts = keysByDatabase(source);
    const shown = [...counts].map(([database, keys]) => `${keysText(keys)} in database ${database}`).join(', ');
    const targets = [...counts.keys()].map((database) => map.of(database));
    const highest = Math.max(0, ...targets);
    for (const node of highest > 0 ? target.nodes : []) {
      const refusal = await refusalOfSelect(node, highest);
      if (refusal === null) continue;
      const place = formatAddress(node.address);
      if (/NOPERM/.test(refusal)) return refuse(DATABASES.notAllowed(shown, place), DATABASES.notAllowedRemedy);
      return refuse(
        DATABASES.noPlace(shown, highest, place),
        target.topology.kind === 'cluster' ? DATABASES.cluster : DATABASES.standalone(highest),
      );
    }
    const merged = targets.find((to, index) => targets.indexOf(to) !== index);
    if (merged !== undefined) return warn(DATABASES.merged(shown, merged), DATABASES.mergedRemedy);
    return ok(DATABASES.ok(shown === '' ? 'no keys' : shown));
  },
};

async function refusalOfSelect({ connection }: PreflightNode, database: number): Promise<string | null> {
  try {
    await connection.call('SELECT', database);
  } catch (thrown) {
    return messageOf(thrown);
  }
  await connection.call('SELECT', 0);
  return null;
}
