// The questions before something is done about one shard: once more after a failure, anew from its beginning, without it.
import type { EngineCommand } from '../engine/contract/command.ts';
import type { Acting } from './binding.ts';
import type { Question } from './confirm.ts';
import { formatExact } from './format.ts';
import { type ScreenState, selectedShard } from './screen-model.ts';

type ShardAct = 'retryShard' | 'restartShard' | 'skipShard';

const NOBODY = -1;

const shardName = (state: ScreenState): string => selectedShard(state)?.name ?? '';

const act =
  (type: ShardAct) =>
  ({ ui }: ScreenState): EngineCommand => ({ type, shard: ui.selected ?? NOBODY });

/** At once where it only waits; after a failure it is asked, since it is a whole full sync. */
export const retry = ({ state, change, ask }: Acting): void => {
  if (selectedShard(state)?.state === 'failed') change({ type: 'ask', dialog: 'retry-shard' });
  else ask(act('retryShard')(state));
};

/** The selected shard has keys on the target that wait for a person. */
export const hasLeftovers = (state: ScreenState): boolean => leftoversOf(state) > 0;

const leftoversOf = (state: ScreenState): number => selectedShard(state)?.leftovers ?? 0;

type ShardQuestion = 'retry-shard' | 'restart-shard' | 'skip-shard' | 'remove-leftovers';

export const SHARD_QUESTIONS: Readonly<Record<ShardQuestion, Question>> = {
  'retry-shard': {
    title: (state, { messages }) => messages.shardActs.retryTitle(shardName(state)),
    effect: ({ shardActs }) => shardActs.anewEffect,
    command: act('retryShard'),
  },
  'restart-shard': {
    title: (state, { messages }) => messages.shardActs.restartTitle(shardName(state)),
    effect: ({ shardActs }) => shardActs.anewEffect,
    command: act('restartShard'),
  },
  'skip-shard': {
    title: (state, { messages }) => messages.shardActs.skipTitle(shardName(state)),
    effect: ({ shardActs }) => shardActs.skipEffect,
    command: act('skipShard'),
  },
  'remove-leftovers': {
    title: (state, { messages }) =>
      messages.shardActs.leftoversTitle(shardName(state), formatExact(leftoversOf(state))),
    effect: ({ shardActs }) => shardActs.leftoversEffect,
    command: ({ ui }) => ({ type: 'removeLeftovers', shards: [ui.selected ?? NOBODY] }),
  },
};
