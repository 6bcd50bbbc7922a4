// Keys that the target already holds: what the conflict policy will do to them is said before it happens.
import { configValue, keysByDatabase, ok, warn } from '../answers.ts';
import type { Check, PreflightSide } from '../check.ts';
import { keysText, QUESTIONS, TARGET_EMPTY } from '../sentences.ts';

export const targetEmpty: Check = {
  id: 'target-empty',
  question: QUESTIONS['target-empty'],
  async run({ target, conflictPolicy }) {
    const counts = keysByDatabase(target);
    const total = [...counts.values()].reduce((sum, keys) => sum + keys, 0);
    if (total === 0) return ok(TARGET_EMPTY.ok);
    const detail = [...counts].map(([database, keys]) => `${keysText(keys)} in database ${database}`).join(', ');
    const remedy = conflictPolicy === 'rewrite' && (await freesAtOnce(target)) ? 'rewriteBlocks' : conflictPolicy;
    return warn(TARGET_EMPTY.keys(total, detail), TARGET_EMPTY[remedy]);
  },
};

/** RESTORE REPLACE and RENAME free the old value in the main thread then (dbGenericDelete in db.c of Redis 4 to 8). */
async function freesAtOnce(target: PreflightSide): Promise<boolean> {
  const values = await Promise.all(
    target.nodes.map(({ connection }) => configValue(connection, 'lazyfree-lazy-server-del')),
  );
  return values.includes('no');
}
