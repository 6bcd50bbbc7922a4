// The keys that move through what is shown: from shard to shard, through lists and the help, by one, by a page, to an end.
import { type Acting, always, type Binding, hasShards, isOn } from './binding.ts';
import { foundConflicts } from './conflict-lines.ts';
import type { KeyName } from './key-parser.ts';
import { orderShards, type Plan } from './layout.ts';
import { scrollLog } from './log-scroll.ts';
import type { Numbered } from './paged-lines.ts';
import type { ScreenState } from './screen-model.ts';
import { moveInValidation } from './validation-keys.ts';

/** What the screen lists that is open; null where it is no list. */
const listed = ({ ui, notices, conflicts, snapshot }: ScreenState): readonly Numbered[] | null => {
  if (ui.screen === 'log') return notices;
  if (ui.screen === 'conflicts') return foundConflicts(conflicts, ui.search);
  return ui.screen === 'audit' ? snapshot.audit : null;
};

/** Lines that the log has: all but head, rule and foot. */
const logHeight = ({ bodyHeight, noticeHeight }: Plan): number => Math.max(1, bodyHeight + noticeHeight - 1);

/** Moves the selection by `step` shards in the order shown; stops at both ends. */
const moveSelection = ({ shown, change }: Acting, step: number): void => {
  const ordered = orderShards(shown.snapshot.shards, shown.ui.sort);
  const at = ordered.findIndex((shard) => shard.id === shown.ui.selected);
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

/** Differing keys that a page up or down passes by: about as many as a small terminal shows. */
const VALIDATION_PAGE = 10;

/** The help is longer than a small terminal. */
const scrollHelp = ({ shown, plan, change, helpRows }: Acting, step: number): void => {
  const room = plan.bodyHeight + plan.noticeHeight - 1;
  const top = Math.max(0, Math.min(helpRows - room, shown.ui.helpTop + step));
  change({ type: 'scroll-help', top });
};

const move = (acting: Acting, key: KeyName): void => {
  const [horizontal, vertical] = STEPS[key] ?? [0, 0];
  const { shown, plan } = acting;
  if (shown.ui.help) {
    scrollHelp(acting, vertical);
    return;
  }
  const list = listed(shown);
  if (list !== null) {
    acting.change({ type: 'scroll-log', end: scrollLog(list, shown.ui.logEnd, vertical, logHeight(plan)) });
    return;
  }
  if (shown.ui.screen === 'validation') {
    moveInValidation(acting, horizontal, vertical);
    return;
  }
  // In the detail view every arrow goes to the next or previous shard; in a grid up and down go by rows.
  const row = shown.ui.screen === 'overview' && plan.mode === 'panels' ? plan.grid.columns : 1;
  const { shards } = shown.snapshot;
  const at = orderShards(shards, shown.ui.sort).findIndex((shard) => shard.id === shown.ui.selected);
  const to = at + vertical * row;
  // A step off the grid's edge stays where it is instead of jumping to another column.
  if (vertical !== 0 && row > 1 && (to < 0 || to >= shards.length)) return;
  moveSelection(acting, horizontal + vertical * row);
};

const page = (acting: Acting, key: KeyName): void => {
  const { shown, plan } = acting;
  const sign = key === 'pgup' ? -1 : 1;
  if (shown.ui.help) {
    scrollHelp(acting, sign * (plan.bodyHeight + plan.noticeHeight - 1));
    return;
  }
  const list = listed(shown);
  if (list !== null) {
    const end = scrollLog(list, shown.ui.logEnd, sign * logHeight(plan), logHeight(plan));
    acting.change({ type: 'scroll-log', end });
    return;
  }
  if (shown.ui.screen === 'validation') {
    moveInValidation(acting, 0, sign * VALIDATION_PAGE);
    return;
  }
  moveSelection(acting, sign * Math.max(1, plan.mode === 'panels' ? plan.grid.columns : plan.bodyHeight - 2));
};

const toEnd = (acting: Acting, key: KeyName): void => {
  const { shown, plan } = acting;
  const isFirst = key === 'g' || key === 'home';
  if (shown.ui.help) {
    scrollHelp(acting, isFirst ? -acting.helpRows : acting.helpRows);
    return;
  }
  const list = listed(shown);
  if (list !== null) {
    const step = isFirst ? -list.length : list.length;
    acting.change({ type: 'scroll-log', end: scrollLog(list, shown.ui.logEnd, step, logHeight(plan)) });
    return;
  }
  if (shown.ui.screen === 'validation') {
    const count = shown.snapshot.validation?.differences.length ?? 0;
    moveInValidation(acting, 0, isFirst ? -count : count);
    return;
  }
  moveSelection(acting, isFirst ? -shown.snapshot.shards.length : shown.snapshot.shards.length);
};

export const MOVE_KEYS: readonly Binding[] = [
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
    when: always,
    dangerous: false,
    run: toEnd,
  },
];
