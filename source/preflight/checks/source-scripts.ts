// Sources that replicate scripts as they were called: what those expire begins to count only when the target runs them.
import { configValue, ok, warn } from '../answers.ts';
import type { Check } from '../check.ts';
import { QUESTIONS, SOURCE_SCRIPTS } from '../sentences.ts';

/** From 5.0 on the effects of scripts are replicated by default (lua-replicate-commands); from 7.0 on always. */
const FIRST_BY_DEFAULT = 5;
const FIRST_ALWAYS = 7;

export const sourceScripts: Check = {
  id: 'source-scripts',
  question: QUESTIONS['source-scripts'],
  async run({ source }) {
    const { product, major } = source.topology.version;
    if (product === 'Valkey' || major >= FIRST_ALWAYS) return ok(SOURCE_SCRIPTS.ok);
    const settings = await Promise.all(
      source.nodes.map(({ connection }) => configValue(connection, 'lua-replicate-commands')),
    );
    if (major >= FIRST_BY_DEFAULT && !settings.includes('no')) return ok(SOURCE_SCRIPTS.ok);
    return warn(SOURCE_SCRIPTS.verbatim, SOURCE_SCRIPTS.remedy);
  },
};
