// The keys as data. Footer, help and what happens on a press all come from this one table, so that they can't disagree.
// Rules: single letters never destroy; whatever cannot be undone by the same key is `dangerous` and asks first.
import type { EngineCommand } from '../engine/contract/command.ts';
import type { Confirmation } from '../engine/contract/order.ts';
import { foundConflicts } from './conflict-lines.ts';
import type { KeyName } from './key-parser.ts';
import { askEvents, isScanned } from './keyspace-questions.ts';
import { orderShards, type Plan } from './layout.ts';
import { scrollLog } from './log-scroll.ts';
import type { BindingId, Messages } from './messages.ts';
import type { Numbered } from './paged-lines.ts';
import { faster, slower } from './rate-questions.ts';
import type { ScreenModel, ScreenState } from './screen-model.ts';
import { hasLeftovers, retry } from './shard-questions.ts';
import { moveInValidation, VALIDATION_KEYS } from './validation-keys.ts';

/** What a binding may look at and do. */
export interface Acting {
  readonly state: ScreenState;
  readonly plan: Plan;
  readonly change: ScreenModel['change'];
  /** Sends a command to the engine; the answer appears at the foot of the screen, with the key that undoes it. */
  readonly ask: (command: EngineCommand, confirmed?: Confirmation, undoneBy?: KeyName) => void;
  /** Shows a sentence at the foot for a while. */
  readonly say: (pick: (messages: Messages) => string) => void;
  readonly leave: () => void;
  /** The run is another process's: leaving the screen leaves the run alone. */
  readonly isAttached: boolean;
  readonly repaint: () => void;
}

export interface Binding {
  readonly id: BindingId;
  readonly keys: readonly KeyName[];
  /** How help and footer write the keys. */
  readonly shown: string;
  readonly when: (state: ScreenState) => boolean;
  /** Asks before it acts. */
  readonly dangerous: boolean;
  /** It steers the run, which who only watches can not. */
  readonly steers?: true;
  readonly run: (acting: Acting, key: KeyName) => void;
}

const isRunning = ({ snapshot }: ScreenState): boolean => snapshot.phase !== 'ended';
const hasShards = ({ snapshot }: ScreenState): boolean => snapshot.shards.length > 0;
const isOn = (...screens: readonly ScreenState['ui']['screen'][]) => {
  return ({ ui }: ScreenState): boolean => screens.includes(ui.screen) && !ui.help;
};
const always = (): boolean => true;
/** The selected shard has failed, or tries in vain. */
const isInTrouble = ({ snapshot, ui }: ScreenState): boolean =>
  snapshot.shards.some(({ id, state }) => id === ui.selected && (state === 'failed' || state === 'retrying'));
const whenShardWorks = (state: ScreenState): boolean =>
  isOn('overview', 'detail')(state) && hasShards(state) && isRunning(state);

/** What the screen lists that is open; null where it is no list. */
const listed = ({ ui, notices, conflicts, snapshot }: ScreenState): readonly Numbered[] | null => {
  if (ui.screen === 'log') return notices;
  if (ui.screen === 'conflicts') return foundConflicts(conflicts, ui.search);
  return ui.screen === 'audit' ? snapshot.audit : null;
};

/** Lines that the log has: all but head, rule and foot. */
const logHeight = ({ bodyHeight, noticeHeight }: Plan): number => Math.max(1, bodyHeight + noticeHeight - 1);

/** Moves the selection by `step` shards in the order shown; stops at both ends. */
const moveSelection = ({ state, change }: Acting, step: number): void => {
  const ordered = orderShards(state.snapshot.shards, state.ui.sort);
  const at = ordered.findIndex((shard) => shard.id === state.ui.selected);
  const to = ordered[Math.max(0, Math.min(ordered.length - 1, at + step))];
  if (to !== undefined) change({ type: 'select', shard: to.id });
};

const STEPS: Readonly<Record<KeyName, readonly [horizontal: number, vertical: number]>> = {
  up: [0, -1],
  k: [0, -1],
  down: [0, 1],
  j: [0, 1],
  left: [-1, 0],
  h: [-1, 0],
  right: [1, 0],
  l: [1, 0],
};

/** The help is longer than a small terminal. */
const scrollHelp = ({ state, plan, change }: Acting, step: number): void => {
  const room = plan.bodyHeight + plan.noticeHeight - 1;
  const top = Math.max(0, Math.min(KEYMAP.length - room, state.ui.helpTop + step));
  change({ type: 'scroll-help', top });
};

const move = (acting: Acting, key: KeyName): void => {
  const [horizontal, vertical] = STEPS[key] ?? [0, 0];
  const { state, plan } = acting;
  if (state.ui.help) {
    scrollHelp(acting, vertical);
    return;
  }
  const list = listed(state);
  if (list !== null) {
    acting.change({ type: 'scroll-log', end: scrollLog(list, state.ui.logEnd, vertical, logHeight(plan)) });
    return;
  }
  if (state.ui.screen === 'validation') {
    moveInValidation(acting, horizontal, vertical);
    return;
  }
  // In the detail view every arrow goes to the next or previous shard; in a grid up and down go by rows.
  const row = state.ui.screen === 'overview' && plan.mode === 'panels' ? plan.grid.columns : 1;
  const { shards } = state.snapshot;
  const at = orderShards(shards, state.ui.sort).findIndex((shard) => shard.id === state.ui.selected);
  const to = at + vertical * row;
  // A step off the grid's edge stays where it is instead of jumping to another column.
  if (vertical !== 0 && row > 1 && (to < 0 || to >= shards.length)) return;
  moveSelection(acting, horizontal + vertical * row);
};

const page = (acting: Acting, key: KeyName): void => {
  const { state, plan } = acting;
  const sign = key === 'pgup' ? -1 : 1;
  if (state.ui.help) {
    scrollHelp(acting, sign * (plan.bodyHeight + plan.noticeHeight - 1));
    return;
  }
  const list = listed(state);
  if (list !== null) {
    const end = scrollLog(list, state.ui.logEnd, sign * logHeight(plan), logHeight(plan));
    acting.change({ type: 'scroll-log', end });
    return;
  }
  moveSelection(acting, sign * Math.max(1, plan.mode === 'panels' ? plan.grid.columns : plan.bodyHeight - 2));
};

const toEnd = (acting: Acting, key: KeyName): void => {
  const { state, plan } = acting;
  const isFirst = key === 'g' || key === 'home';
  const list = listed(state);
  if (list !== null) {
    const step = isFirst ? -list.length : list.length;
    acting.change({ type: 'scroll-log', end: scrollLog(list, state.ui.logEnd, step, logHeight(plan)) });
    return;
  }
  moveSelection(acting, isFirst ? -state.snapshot.shards.length : state.snapshot.shards.length);
};

const togglePause = ({ state, ask }: Acting): void => {
  const shard = state.snapshot.shards.find(({ id }) => id === state.ui.selected);
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
  const { selected } = state.ui;
  const shard = state.snapshot.shards.find(({ id }) => id === selected);
  if (shard === undefined) return;
  if (shard.conflictStanding.question === null)
    change({ type: 'ask', dialog: 'policy-shard', about: { shard: shard.id, question: 0 } });
  else change({ type: 'put-off', about: null });
};

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

const stop = ({ state, change, say, isAttached }: Acting): void => {
  if (state.snapshot.phase !== 'draining') change({ type: 'ask', dialog: 'stop' });
  else if (isAttached) say((messages) => messages.stopAsked);
  else change({ type: 'ask', dialog: 'leave' });
};

const quit = (acting: Acting): void => (acting.isAttached ? acting.leave() : stop(acting));

export const KEYMAP: readonly Binding[] = [
  {
    id: 'move',
    keys: Object.keys(STEPS),
    shown: 'hjkl',
    when: (state) => state.ui.help || isOn('log', 'audit', 'conflicts')(state) || hasShards(state),
    dangerous: false,
    run: move,
  },
  {
    id: 'page',
    keys: ['pgup', 'pgdn'],
    shown: 'pgup, pgdn',
    when: always,
    dangerous: false,
    run: page,
  },
  {
    id: 'ends',
    keys: ['g', 'G', 'home', 'end'],
    shown: 'g, G',
    when: isOn('overview', 'detail', 'log', 'audit', 'conflicts'),
    dangerous: false,
    run: toEnd,
  },
  {
    id: 'leave',
    keys: ['q', 'enter', 'ctrl+c'],
    shown: 'q, enter',
    when: (state) => !isRunning(state),
    dangerous: false,
    run: ({ leave }) => leave(),
  },
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
    when: always,
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
  ...VALIDATION_KEYS,
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
    when: (state) => !state.ui.help && hasShards(state) && isRunning(state),
    dangerous: true,
    steers: true,
    run: togglePauseAll,
  },
  {
    id: 'events',
    keys: ['K'],
    shown: 'K',
    when: (state) => isOn('overview', 'detail')(state) && isScanned(state) && isRunning(state),
    dangerous: true,
    steers: true,
    run: (acting) => askEvents(acting, false),
  },
  {
    id: 'eventsAll',
    keys: ['E'],
    shown: 'E',
    when: (state) => isOn('overview', 'detail')(state) && isScanned(state) && isRunning(state),
    dangerous: true,
    steers: true,
    run: (acting) => askEvents(acting, true),
  },
  {
    id: 'rescan',
    keys: ['R'],
    shown: 'R',
    when: (state) => isOn('overview', 'detail')(state) && isScanned(state) && isRunning(state),
    dangerous: true,
    steers: true,
    run: ({ change }) => change({ type: 'ask', dialog: 'rescan' }),
  },
  {
    id: 'policy',
    keys: ['c'],
    shown: 'c',
    when: (state) => isOn('overview', 'detail')(state) && hasShards(state) && isRunning(state),
    dangerous: true,
    steers: true,
    run: askPolicy,
  },
  {
    id: 'policyAll',
    keys: ['C'],
    shown: 'C',
    when: (state) => !state.ui.help && hasShards(state) && isRunning(state),
    dangerous: true,
    steers: true,
    run: ({ change }) => change({ type: 'ask', dialog: 'policy-all' }),
  },
  {
    id: 'retry',
    keys: ['r'],
    shown: 'r',
    when: (state) => whenShardWorks(state) && isInTrouble(state),
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
    when: (state) => whenShardWorks(state) && isInTrouble(state),
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
    when: (state) => !state.ui.help && hasShards(state) && isRunning(state),
    dangerous: false,
    steers: true,
    run: ({ change }) => change({ type: 'ask', dialog: 'rate-all' }),
  },
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
];

const isAllowed = (binding: Binding, { ui }: ScreenState): boolean => !(ui.readOnly && binding.steers === true);

/** The binding that `key` means in this state, or undefined. */
export const bindingFor = (key: KeyName, state: ScreenState): Binding | undefined =>
  KEYMAP.find((binding) => binding.keys.includes(key) && binding.when(state) && isAllowed(binding, state));

/** Whether `key` would act if the person did not only watch. */
export const isHeldBack = (key: KeyName, state: ScreenState): boolean =>
  KEYMAP.some((binding) => binding.keys.includes(key) && binding.when(state) && !isAllowed(binding, state));

/** What the footer shows, in this order, as far as it acts and fits. */
export const FOOTER: readonly BindingId[] = [
  'leave',
  'back',
  'open',
  'move',
  'pause',
  'comparePause',
  'repairOne',
  'removeExtra',
  'sampleSize',
  'search',
  'help',
  'validate',
  'compareCancel',
  'compareExport',
  'repairAll',
  'compareRate',
  'log',
  'sort',
  'quit',
];

/** The bindings of the footer that act in this state. */
export const footerBindings = (state: ScreenState): readonly Binding[] =>
  FOOTER.flatMap((id) =>
    KEYMAP.filter((binding) => binding.id === id && binding.when(state) && isAllowed(binding, state)),
  );
