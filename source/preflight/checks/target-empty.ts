// Keys that the target already holds: what the conflict policy will do to them is said before it happens.
import { keysByDatabase, ok, warn } from '../answers.ts';
import type { Check } from '../check.ts';
import { keysText, QUESTIONS, TARGET_EMPTY } from '../sentences.ts';

export const targetEmpty: Check = {
  id: 'target-empty',
  question: QUESTIONS['target-empty'],
  async run({ target, conflictPolicy }) {
    const counts = keysByDatabase(target);
    const total = [...counts.values()].reduce((sum, keys) => sum + keys, 0);
    if (total === 0) return ok(TARGET_EMPTY.ok);
    const detail = [...counts].map(([database, keys]) => `${keysText(keys)} in database ${database}`).join(', ');
    return warn(TARGET_EMPTY.keys(total, detail), TARGET_EMPTY[conflictPolicy]);
  },
};
