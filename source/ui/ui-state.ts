// What the person is looking at, as one value, and the pure function that changes it. The engine's picture is not in here:
// a shard is remembered by its id, so that a new picture never moves the selection to another shard.
import type { Tone } from './theme.ts';

export type ScreenName = 'overview' | 'detail' | 'log' | 'audit';

/** A question that must be answered before any other key acts; `no` is always the answer of enter. */
export type DialogName = 'stop' | 'finish' | 'leave' | 'pause-all' | 'resume-all';

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
  readonly flash: Flash | null;
  /** Until when a second ctrl+c stops the run. */
  readonly ctrlCUntilMs: number;
}

export const INITIAL_UI: UiState = {
  screen: 'overview',
  help: false,
  helpTop: 0,
  dialog: null,
  typed: '',
  readOnly: false,
  selected: null,
  layout: 'panels',
  sort: 'shard',
  logEnd: null,
  flash: null,
  ctrlCUntilMs: 0,
};

export type UiAction =
  | { readonly type: 'show'; readonly screen: ScreenName }
  | { readonly type: 'toggle-help' }
  | { readonly type: 'scroll-help'; readonly top: number }
  | { readonly type: 'ask'; readonly dialog: DialogName }
  | { readonly type: 'type'; readonly text: string }
  | { readonly type: 'close' }
  | { readonly type: 'select'; readonly shard: number }
  | { readonly type: 'toggle-layout' }
  | { readonly type: 'toggle-sort' }
  | { readonly type: 'scroll-log'; readonly end: number | null }
  | { readonly type: 'flash'; readonly flash: Flash | null }
  | { readonly type: 'arm-ctrl-c'; readonly untilMs: number };

/** What `esc` does: closes the topmost thing, and nothing when only the overview is left. */
const closed = (state: UiState): UiState => {
  if (state.dialog !== null) return { ...state, dialog: null };
  if (state.help) return { ...state, help: false };
  return { ...state, screen: 'overview', logEnd: null };
};

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
      return { ...state, dialog: action.dialog, typed: '', flash: null };
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
    case 'scroll-log':
      return { ...state, logEnd: action.end };
    case 'flash':
      return { ...state, flash: action.flash };
    case 'arm-ctrl-c':
      return { ...state, ctrlCUntilMs: action.untilMs };
  }
};
