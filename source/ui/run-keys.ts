// The keys that end the run, or leave it.
import { type Acting, type Binding, isRunning } from './binding.ts';

const stop = ({ state, change, say, isAttached }: Acting): void => {
  if (state.snapshot.phase !== 'draining') change({ type: 'ask', dialog: 'stop' });
  else if (isAttached) say((messages) => messages.stopAsked);
  else change({ type: 'ask', dialog: 'leave' });
};

const quit = (acting: Acting): void => (acting.isAttached ? acting.leave() : stop(acting));

export const RUN_KEYS: readonly Binding[] = [
  {
    id: 'finish',
    keys: ['F'],
    shown: 'F',
    when: ({ snapshot }) => snapshot.phase === 'running' && snapshot.shards.length > 0,
    dangerous: true,
    steers: true,
    run: ({ change }) => change({ type: 'ask', dialog: 'finish' }),
  },
  { id: 'stop', keys: ['S'], shown: 'S', when: isRunning, dangerous: true, steers: true, run: stop },
  {
    id: 'quit',
    keys: ['q', 'ctrl+c'],
    shown: 'q',
    when: isRunning,
    dangerous: true,
    run: quit,
  },
  {
    id: 'leave',
    keys: ['q', 'enter', 'ctrl+c'],
    shown: 'q, enter',
    when: (state) => !isRunning(state),
    dangerous: false,
    run: ({ leave }) => leave(),
  },
];
