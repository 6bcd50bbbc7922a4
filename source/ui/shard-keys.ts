// The keys that steer shards: the selected one by small letters, all of them by capitals where both are.
import { type Acting, type Binding, hasShards, isOn, isRunning } from './binding.ts';
import { askEvents, isScanned } from './keyspace-questions.ts';
import { faster, slower } from './rate-questions.ts';
import { type ScreenState, selectedShard } from './screen-model.ts';
import { hasLeftovers, retry } from './shard-questions.ts';

const whenRunWorks = (state: ScreenState): boolean => !state.ui.help && hasShards(state) && isRunning(state);
const whenShardWorks = (state: ScreenState): boolean => isOn('overview', 'detail')(state) && whenRunWorks(state);
const whenScanned = (state: ScreenState): boolean => whenShardWorks(state) && isScanned(state);

/** The selected shard has failed, or tries in vain. */
const whenInTrouble = (state: ScreenState): boolean => {
  const shard = selectedShard(state);
  return whenShardWorks(state) && (shard?.state === 'failed' || shard?.state === 'retrying');
};

const togglePause = ({ state, ask }: Acting): void => {
  const shard = selectedShard(state);
  if (shard === undefined) return;
  if (shard.paused) ask({ type: 'resume', shards: [shard.id] });
  else ask({ type: 'pause', shards: [shard.id] }, 'no', 'p');
};

const togglePauseAll = ({ state, change }: Acting): void => {
  const areAllPaused = state.snapshot.shards.every((shard) => shard.paused);
  change({ type: 'ask', dialog: areAllPaused ? 'resume-all' : 'pause-all' });
};

/** The question that the shard waits with, when it was put off; else its policy. */
const askPolicy = ({ state, change }: Acting): void => {
  const shard = selectedShard(state);
  if (shard === undefined) return;
  if (shard.conflictStanding.question === null)
    change({ type: 'ask', dialog: 'policy-shard', about: { shard: shard.id, question: 0 } });
  else change({ type: 'put-off', about: null });
};

export const SHARD_KEYS: readonly Binding[] = [
  {
    id: 'pause',
    keys: ['p'],
    shown: 'p',
    when: whenShardWorks,
    dangerous: false,
    steers: true,
    run: togglePause,
  },
  {
    id: 'pauseAll',
    keys: ['P'],
    shown: 'P',
    when: whenRunWorks,
    dangerous: true,
    steers: true,
    run: togglePauseAll,
  },
  {
    id: 'events',
    keys: ['K'],
    shown: 'K',
    when: whenScanned,
    dangerous: true,
    steers: true,
    run: (acting) => askEvents(acting, false),
  },
  {
    id: 'eventsAll',
    keys: ['E'],
    shown: 'E',
    when: whenScanned,
    dangerous: true,
    steers: true,
    run: (acting) => askEvents(acting, true),
  },
  {
    id: 'rescan',
    keys: ['R'],
    shown: 'R',
    when: whenScanned,
    dangerous: true,
    steers: true,
    run: ({ change }) => change({ type: 'ask', dialog: 'rescan' }),
  },
  {
    id: 'policy',
    keys: ['c'],
    shown: 'c',
    when: whenShardWorks,
    dangerous: true,
    steers: true,
    run: askPolicy,
  },
  {
    id: 'policyAll',
    keys: ['C'],
    shown: 'C',
    when: whenRunWorks,
    dangerous: true,
    steers: true,
    run: ({ change }) => change({ type: 'ask', dialog: 'policy-all' }),
  },
  {
    id: 'retry',
    keys: ['r'],
    shown: 'r',
    when: whenInTrouble,
    dangerous: false,
    steers: true,
    run: retry,
  },
  {
    id: 'restart',
    keys: ['R'],
    shown: 'R',
    when: whenShardWorks,
    dangerous: true,
    steers: true,
    run: ({ change }) => change({ type: 'ask', dialog: 'restart-shard' }),
  },
  {
    id: 'skip',
    keys: ['X'],
    shown: 'X',
    when: whenInTrouble,
    dangerous: true,
    steers: true,
    run: ({ change }) => change({ type: 'ask', dialog: 'skip-shard' }),
  },
  {
    id: 'leftovers',
    keys: ['D'],
    shown: 'D',
    when: (state) => whenShardWorks(state) && hasLeftovers(state),
    dangerous: true,
    steers: true,
    run: ({ change }) => change({ type: 'ask', dialog: 'remove-leftovers' }),
  },
  {
    id: 'slower',
    keys: ['-'],
    shown: '-',
    when: whenShardWorks,
    dangerous: false,
    steers: true,
    run: slower,
  },
  {
    id: 'faster',
    keys: ['+', '='],
    shown: '+',
    when: whenShardWorks,
    dangerous: true,
    steers: true,
    run: faster,
  },
  {
    id: 'rate',
    keys: ['t'],
    shown: 't',
    when: whenShardWorks,
    dangerous: false,
    steers: true,
    run: ({ change }) => change({ type: 'ask', dialog: 'rate-shard' }),
  },
  {
    id: 'rateAll',
    keys: ['T'],
    shown: 'T',
    when: whenRunWorks,
    dangerous: false,
    steers: true,
    run: ({ change }) => change({ type: 'ask', dialog: 'rate-all' }),
  },
];
