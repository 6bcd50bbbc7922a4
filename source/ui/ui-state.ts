// What the person is looking at, as one value, and the pure function that changes it. The engine's picture is not in here:
// a shard is remembered by its id, so that a new picture never moves the selection to another shard.
import type { Tone } from './theme.ts';

export type ScreenName = 'overview' | 'detail' | 'log' | 'audit' | 'validation' | 'conflicts';

/** A question that must be answered before any other key acts; `no` is always the answer of enter. */
export type DialogName =
  | 'stop'
  | 'finish'
  | 'leave'
  | 'pause-all'
  | 'resume-all'
  | 'events-on'
  | 'events-on-all'
  | 'events-off'
  | 'events-off-all'
  | 'rescan'
  | 'repair-one'
  | 'repair-all'
  | 'remove-extra'
  | 'rewrite-shard'
  | 'rewrite-all'
  | 'rewrite-key'
  | 'rewrite-collected'
  | 'rate-shard'
  | 'rate-all'
  | 'faster'
  | 'retry-shard'
  | 'restart-shard'
  | 'skip-shard'
  | 'remove-leftovers'
  | MenuName;

/** A dialog with more answers than yes and no; see conflict-menu.ts. */
export type MenuName = 'conflict' | 'policy-shard' | 'policy-all' | 'search-conflicts';

/** What a dialog about conflicts means: a shard, and the question that it had asked when the dialog was opened. */
export interface ConflictSubject {
  readonly shard: number;
  readonly question: number;
}

/** One sentence at the foot of the screen, which goes by itself. */
export interface Flash {
  readonly text: string;
  readonly tone: Tone;
  readonly untilMs: number;
}

export interface UiState {
  readonly screen: ScreenName;
  readonly help: boolean;
  /** The first key that the help shows. */
  readonly helpTop: number;
  readonly dialog: DialogName | null;
  /** Of a dialog about conflicts. */
  readonly about: ConflictSubject | null;
  /** Questions about conflicts that were put off: the last one of each shard. */
  readonly putOff: readonly ConflictSubject[];
  /** What conflicts are searched for; empty for all. */
  readonly search: string;
  /** What was typed as its answer, where a name is asked for. */
  readonly typed: string;
  /** The person only watches: no key steers the run. */
  readonly readOnly: boolean;
  /** Id of the selected shard; null until there is one. */
  readonly selected: number | null;
  readonly layout: 'panels' | 'lines';
  readonly sort: 'shard' | 'severity';
  /** Id of the last notice that the log shows, or entry of the audit; null follows the newest. */
  readonly logEnd: number | null;
  /** In the validation view: the size that is chosen, and the differing key. */
  readonly size: number;
  readonly difference: number;
  readonly flash: Flash | null;
  /** Until when a second ctrl+c stops the run. */
  readonly ctrlCUntilMs: number;
}

export const INITIAL_UI: UiState = {
  screen: 'overview',
  help: false,
  helpTop: 0,
  dialog: null,
  about: null,
  putOff: [],
  search: '',
  typed: '',
  readOnly: false,
  selected: null,
  layout: 'panels',
  sort: 'shard',
  logEnd: null,
  size: 0,
  difference: 0,
  flash: null,
  ctrlCUntilMs: 0,
};

export type UiAction =
  | { readonly type: 'show'; readonly screen: ScreenName }
  | { readonly type: 'toggle-help' }
  | { readonly type: 'scroll-help'; readonly top: number }
  | { readonly type: 'ask'; readonly dialog: DialogName; readonly about?: ConflictSubject }
  | { readonly type: 'search'; readonly text: string }
  /** The shard waits with its question; null takes all of them up again. */
  | { readonly type: 'put-off'; readonly about: ConflictSubject | null }
  | { readonly type: 'type'; readonly text: string }
  | { readonly type: 'close' }
  | { readonly type: 'select'; readonly shard: number }
  | { readonly type: 'toggle-layout' }
  | { readonly type: 'toggle-sort' }
  | { readonly type: 'choose-size' | 'choose-difference'; readonly index: number }
  | { readonly type: 'scroll-log'; readonly end: number | null }
  | { readonly type: 'flash'; readonly flash: Flash | null }
  | { readonly type: 'arm-ctrl-c'; readonly untilMs: number };

/** What `esc` does: closes the topmost thing, and nothing when only the overview is left. */
const closed = (state: UiState): UiState => {
  if (state.dialog !== null) return { ...state, dialog: null };
  if (state.help) return { ...state, help: false };
  return { ...state, screen: 'overview', logEnd: null };
};

const withPutOff = (old: readonly ConflictSubject[], about: ConflictSubject): readonly ConflictSubject[] => [
  ...old.filter(({ shard }) => shard !== about.shard),
  about,
];

/** The next state of the screen. */
export const changeUi = (state: UiState, action: UiAction): UiState => {
  switch (action.type) {
    case 'show':
      return {
        ...state,
        screen: action.screen,
        help: false,
        logEnd: state.screen === action.screen ? state.logEnd : null,
      };
    case 'toggle-help':
      return { ...state, help: !state.help, helpTop: 0 };
    case 'scroll-help':
      return { ...state, helpTop: action.top };
    case 'ask':
      return { ...state, dialog: action.dialog, about: action.about ?? null, typed: '', flash: null };
    case 'put-off':
      return { ...state, dialog: null, putOff: action.about === null ? [] : withPutOff(state.putOff, action.about) };
    case 'search':
      return { ...state, dialog: null, search: action.text, logEnd: null };
    case 'type':
      return { ...state, typed: action.text };
    case 'close':
      return closed(state);
    case 'select':
      return { ...state, selected: action.shard };
    case 'toggle-layout':
      return { ...state, layout: state.layout === 'panels' ? 'lines' : 'panels' };
    case 'toggle-sort':
      return { ...state, sort: state.sort === 'shard' ? 'severity' : 'shard' };
    case 'choose-size':
      return { ...state, size: action.index };
    case 'choose-difference':
      return { ...state, difference: action.index };
    case 'scroll-log':
      return { ...state, logEnd: action.end };
    case 'flash':
      return { ...state, flash: action.flash };
    case 'arm-ctrl-c':
      return { ...state, ctrlCUntilMs: action.untilMs };
  }
};
