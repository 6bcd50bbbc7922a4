// The keys that choose what is looked at, and how it is drawn. None of them reaches the run.
import { type Acting, always, type Binding, hasShards, isOn, isRunning } from './binding.ts';
import { orderShards } from './layout.ts';

const toggleLayout = ({ state, change, say }: Acting): void => {
  change({ type: 'toggle-layout' });
  say((messages) => (state.ui.layout === 'panels' ? messages.shownAsLines : messages.shownAsPanels));
};

const toggleSort = ({ state, change, say }: Acting): void => {
  change({ type: 'toggle-sort' });
  // Whoever asks for the worst wants to see it: the list keeps the selected shard in sight.
  const first = state.ui.sort === 'shard' ? orderShards(state.snapshot.shards, 'severity')[0] : undefined;
  if (first !== undefined) change({ type: 'select', shard: first.id });
  say((messages) => (state.ui.sort === 'shard' ? messages.sortedBySeverity : messages.sortedByShard));
};

/** The screens, and the way into one and back. */
export const SCREEN_KEYS: readonly Binding[] = [
  {
    id: 'open',
    keys: ['enter'],
    shown: 'enter',
    when: (state) => isOn('overview')(state) && hasShards(state) && isRunning(state),
    dangerous: false,
    run: ({ change }) => change({ type: 'show', screen: 'detail' }),
  },
  {
    id: 'back',
    keys: ['esc', 'backspace'],
    shown: 'esc',
    when: ({ ui }) => ui.help || ui.screen !== 'overview',
    dangerous: false,
    run: ({ change }) => change({ type: 'close' }),
  },
  {
    id: 'overview',
    keys: ['1'],
    shown: '1',
    when: always,
    dangerous: false,
    run: ({ change }) => change({ type: 'show', screen: 'overview' }),
  },
  {
    id: 'detail',
    keys: ['2'],
    shown: '2',
    when: hasShards,
    dangerous: false,
    run: ({ change }) => change({ type: 'show', screen: 'detail' }),
  },
  {
    id: 'log',
    keys: ['3'],
    shown: '3',
    // Where one is already, the footer need not say how to get there.
    when: ({ ui }) => ui.help || ui.screen !== 'log',
    dangerous: false,
    run: ({ change }) => change({ type: 'show', screen: 'log' }),
  },
  {
    id: 'audit',
    keys: ['4'],
    shown: '4',
    when: always,
    dangerous: false,
    run: ({ change }) => change({ type: 'show', screen: 'audit' }),
  },
  {
    id: 'conflicts',
    keys: ['5'],
    shown: '5',
    when: always,
    dangerous: false,
    run: ({ change }) => change({ type: 'show', screen: 'conflicts' }),
  },
  {
    id: 'search',
    keys: ['/'],
    shown: '/',
    when: isOn('conflicts'),
    dangerous: false,
    run: ({ change }) => change({ type: 'ask', dialog: 'search-conflicts' }),
  },
];

/** How the screen that is open looks. */
export const LOOK_KEYS: readonly Binding[] = [
  {
    id: 'layout',
    keys: ['m'],
    shown: 'm',
    when: isOn('overview'),
    dangerous: false,
    run: toggleLayout,
  },
  {
    id: 'sort',
    keys: ['s'],
    shown: 's',
    when: isOn('overview'),
    dangerous: false,
    run: toggleSort,
  },
  {
    id: 'help',
    keys: ['?'],
    shown: '?',
    when: always,
    dangerous: false,
    run: ({ change }) => change({ type: 'toggle-help' }),
  },
  { id: 'repaint', keys: ['ctrl+l'], shown: 'ctrl+l', when: always, dangerous: false, run: ({ repaint }) => repaint() },
];
