// The questions before conflicts are rewritten: of one key, of a shard, of all. What they mean was fixed when they opened,
// so that an answer never meets another key.
import type { EngineCommand } from '../engine/contract/command.ts';
import { printable } from './cell-width.ts';
import type { Question } from './confirm.ts';
import type { ScreenState } from './screen-model.ts';

type RewriteName = 'rewrite-shard' | 'rewrite-all' | 'rewrite-key' | 'rewrite-collected';

const NOBODY = { shard: -1, question: -1 };

const shardName = ({ snapshot, ui }: ScreenState): string =>
  snapshot.shards.find(({ id }) => id === ui.about?.shard)?.name ?? '';

/** The key in question; empty when the question has been answered meanwhile. */
const keyName = ({ snapshot, ui }: ScreenState): string => {
  const question = snapshot.shards.find(({ id }) => id === ui.about?.shard)?.conflictStanding.question;
  return question?.kind === 'key' && question.number === ui.about?.question ? printable(question.key) : '';
};

const decide = ({ ui }: ScreenState): EngineCommand => ({
  type: 'decideConflict',
  decision: 'rewrite',
  ...(ui.about ?? NOBODY),
});

export const CONFLICT_QUESTIONS: Readonly<Record<RewriteName, Question>> = {
  'rewrite-shard': {
    title: (state, { messages }) => messages.conflict.rewriteShardTitle(shardName(state)),
    effect: ({ conflict }) => conflict.rewriteEffect,
    command: ({ ui }) => ({ type: 'setConflictPolicy', policy: 'rewrite', shards: [ui.about?.shard ?? NOBODY.shard] }),
  },
  'rewrite-all': {
    title: (_, { messages }) => messages.conflict.rewriteAllTitle,
    effect: ({ conflict }) => conflict.rewriteEffect,
    command: () => ({ type: 'setConflictPolicy', policy: 'rewrite', shards: 'all' }),
  },
  'rewrite-key': {
    title: (state, { messages }) => messages.conflict.rewriteKeyTitle(keyName(state)),
    effect: ({ conflict }, { snapshot }) => conflict.rewriteKeyEffect(printable(snapshot.target.address)),
    command: decide,
  },
  'rewrite-collected': {
    title: (state, { messages }) => messages.conflict.rewriteCollectedTitle(shardName(state)),
    effect: ({ conflict }) => conflict.rewriteEffect,
    command: decide,
  },
};
