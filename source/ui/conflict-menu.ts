// The dialogs about conflicts with more answers than yes and no: a key of which both sides are shown, the conflicts that
// were put aside, and the choice of a policy. What rewrites asks once more.
import {
  CONFLICT_DIFFERENCES,
  type CollectedQuestion,
  type ConflictPolicy,
  type ConflictQuestion,
  type ConflictSide,
  type KeyQuestion,
} from '../engine/contract/conflict.ts';
import type { ShardSnapshot } from '../engine/contract/shard-snapshot.ts';
import type { Acting } from './binding.ts';
import type { BoxLines } from './box-lines.ts';
import { padRight, printable, truncate, wrap } from './cell-width.ts';
import { cutLine, type Line, segment } from './cells.ts';
import { formatBytes, formatDateTime, formatExact, UNKNOWN } from './format.ts';
import type { KeyName } from './key-parser.ts';
import type { Look } from './look.ts';
import type { ScreenState } from './screen-model.ts';
import type { ConflictSubject, DialogName, MenuName } from './ui-state.ts';

const MENUS: readonly string[] = [
  'conflict',
  'policy-shard',
  'policy-all',
  'search-conflicts',
] satisfies readonly MenuName[];

export const isMenu = (dialog: DialogName): dialog is MenuName => MENUS.includes(dialog);

/** A shard and what it asks. */
interface Asking {
  readonly shard: ShardSnapshot;
  readonly question: ConflictQuestion;
}

/** The question that is shown: that of the selected shard, else the first one that was not put off. */
export const askedNow = ({ snapshot, ui }: ScreenState): Asking | null => {
  const asking = snapshot.shards.flatMap((shard): Asking[] => {
    const { question } = shard.conflictStanding;
    const isOff = ui.putOff.some((off) => off.shard === shard.id && off.question === question?.number);
    return question === null || isOff ? [] : [{ shard, question }];
  });
  return asking.find(({ shard }) => shard.id === ui.selected) ?? asking[0] ?? null;
};

const LABEL_WIDTH = 10;

/** A row `label | of the snapshot | of the target`. */
const row = (label: string, ours: string, theirs: string, width: number, differs: boolean): Line => {
  const column = Math.max(8, Math.floor((width - LABEL_WIDTH - 2) / 2));
  const tone = differs ? 'warn' : 'plain';
  return [
    segment(padRight(truncate(label, LABEL_WIDTH), LABEL_WIDTH), 'dim'),
    segment(padRight(truncate(printable(ours), column), column), tone),
    segment('  '),
    segment(truncate(printable(theirs), column), tone),
  ];
};

const sideRows = (ours: ConflictSide, theirs: ConflictSide, width: number, { messages }: Look): Line[] => {
  const { field, never, nothing } = messages.conflict;
  const compare = (label: string, of: (side: ConflictSide) => string): Line =>
    row(label, of(ours), of(theirs), width, of(ours) !== of(theirs));
  return [
    row('', messages.conflict.snapshotSide, messages.conflict.targetSide, width, false),
    compare(field.type, ({ type }) => type),
    compare(field.size, ({ size }) => formatExact(size)),
    // Of the one as it is serialized, of the other in memory: that they differ means nothing.
    row(field.bytes, formatBytes(ours.bytes), formatBytes(theirs.bytes), width, false),
    compare(field.expires, ({ expiresAtMs }) => (expiresAtMs === null ? never : formatDateTime(expiresAtMs))),
    row(field.encoding, ours.encoding ?? UNKNOWN, theirs.encoding ?? UNKNOWN, width, false),
    compare(field.preview, ({ preview }) => (preview.length === 0 ? nothing : preview.join(' '))),
  ];
};

const optionLines = (options: readonly (readonly [KeyName, string])[], width: number): Line[] =>
  options.map(([key, text]) => cutLine([segment(padRight(key, 5), 'key'), segment(text)], width));

const titled = (text: string, width: number): Line[] => wrap(text, width).map((part): Line => [segment(part, 'title')]);

const keyLines = (name: string, question: KeyQuestion, width: number, look: Look): BoxLines => {
  const { conflict } = look.messages;
  return {
    about: [
      ...titled(conflict.keyTitle(name, conflict.difference[question.difference]), width),
      cutLine([segment(printable(`${question.key}  (db ${question.database})`))], width),
      ...sideRows(question.source, question.target, width, look),
    ],
    answers: optionLines(conflict.keyOptions, width),
  };
};

const collectedLines = (name: string, question: CollectedQuestion, width: number, look: Look): BoxLines => {
  const { conflict } = look.messages;
  const counts = CONFLICT_DIFFERENCES.filter((difference) => question.differences[difference] > 0).map(
    (difference) => `${conflict.difference[difference]}: ${formatExact(question.differences[difference])}`,
  );
  return {
    about: [
      ...titled(conflict.collectedTitle(name, formatExact(question.total)), width),
      ...wrap(counts.join(', '), width).map((text): Line => [segment(text)]),
    ],
    answers: optionLines(conflict.collectedOptions, width),
  };
};

const policyLines = (name: string, policies: readonly ConflictPolicy[], width: number, look: Look): BoxLines => {
  const { conflict } = look.messages;
  return {
    about: [
      ...titled(conflict.policyTitle(name, [...new Set(policies)].join(', ')), width),
      ...wrap(conflict.policyNote, width).map((text): Line => [segment(text, 'dim')]),
    ],
    answers: optionLines(conflict.policyOptions, width),
  };
};

/** The lines inside the box. */
export const menuLines = (menu: MenuName, state: ScreenState, width: number, look: Look): BoxLines => {
  const { shards } = state.snapshot;
  if (menu === 'search-conflicts') {
    const { searchTitle } = look.messages.conflict;
    return { about: titled(searchTitle, width), answers: [[segment(`> ${printable(state.ui.typed)}_`, 'title')]] };
  }
  if (menu === 'policy-all') {
    const policies = shards.map(({ conflictPolicy }) => conflictPolicy);
    return policyLines(look.messages.conflict.allShards, policies, width, look);
  }
  if (menu === 'policy-shard') {
    const shard = shards.find(({ id }) => id === state.ui.about?.shard);
    return policyLines(shard?.name ?? '', shard === undefined ? [] : [shard.conflictPolicy], width, look);
  }
  const asking = askedNow(state);
  if (asking === null) return { about: [], answers: [] };
  const { shard, question } = asking;
  return question.kind === 'key'
    ? keyLines(shard.name, question, width, look)
    : collectedLines(shard.name, question, width, look);
};

type Answers = Readonly<Record<KeyName, (acting: Acting, about: ConflictSubject) => void>>;

const stop = ({ change }: Acting): void => change({ type: 'ask', dialog: 'stop' });
const putOff = ({ change }: Acting, about: ConflictSubject): void => change({ type: 'put-off', about });

const KEY_ANSWERS: Answers = {
  r: ({ change }, about) => change({ type: 'ask', dialog: 'rewrite-key', about }),
  i: ({ ask }, about) => ask({ type: 'decideConflict', decision: 'ignore', ...about }),
  R: ({ change }) => change({ type: 'ask', dialog: 'rewrite-all' }),
  I: ({ ask }) => ask({ type: 'setConflictPolicy', policy: 'ignore', shards: 'all' }),
  c: ({ ask }, about) => ask({ type: 'decideConflict', decision: 'compare', ...about }),
  S: stop,
  esc: putOff,
};

const COLLECTED_ANSWERS: Answers = {
  r: ({ change }, about) => change({ type: 'ask', dialog: 'rewrite-collected', about }),
  i: ({ ask }, about) => ask({ type: 'decideConflict', decision: 'ignore', ...about }),
  o: ({ ask }, about) => ask({ type: 'decideConflict', decision: 'one-by-one', ...about }),
  S: stop,
  esc: putOff,
};

const POLICY_KEYS: Readonly<Record<KeyName, ConflictPolicy>> = { p: 'panic', i: 'ignore', r: 'rewrite' };

const choosePolicy = (menu: 'policy-shard' | 'policy-all', key: KeyName, acting: Acting): void => {
  const { about } = acting.state.ui;
  const policy = POLICY_KEYS[key];
  if (['esc', 'q', 'n', 'enter', 'ctrl+c'].includes(key)) acting.change({ type: 'close' });
  if (policy === undefined) return;
  if (policy === 'rewrite') {
    const dialog = menu === 'policy-all' ? 'rewrite-all' : 'rewrite-shard';
    acting.change({ type: 'ask', dialog, ...(about === null ? {} : { about }) });
    return;
  }
  acting.change({ type: 'close' });
  acting.ask({ type: 'setConflictPolicy', policy, shards: menu === 'policy-all' ? 'all' : [about?.shard ?? -1] });
};

const typeSearch = (key: KeyName, { state, change }: Acting): void => {
  const { typed } = state.ui;
  if (key === 'esc' || key === 'ctrl+c') change({ type: 'close' });
  else if (key === 'enter') change({ type: 'search', text: typed });
  else if (key === 'backspace') change({ type: 'type', text: [...typed].slice(0, -1).join('') });
  else if (key === 'ctrl+u') change({ type: 'type', text: '' });
  else if ([...key].length === 1) change({ type: 'type', text: typed + key });
};

/** A key while such a dialog is open. */
export const pressMenu = (menu: MenuName, key: KeyName, acting: Acting): void => {
  if (menu === 'search-conflicts') {
    typeSearch(key, acting);
    return;
  }
  if (menu !== 'conflict') {
    choosePolicy(menu, key, acting);
    return;
  }
  const asking = askedNow(acting.state);
  if (asking === null) return;
  const answers = asking.question.kind === 'key' ? KEY_ANSWERS : COLLECTED_ANSWERS;
  // ctrl+c means the run, not the question.
  const answer = key === 'ctrl+c' ? stop : answers[key];
  answer?.(acting, { shard: asking.shard.id, question: asking.question.number });
};
