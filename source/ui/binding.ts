// What a key of the keymap is: data, from which footer, help and what happens on a press are all made.
// Rules: single letters never destroy; whatever cannot be undone by the same key is `dangerous` and asks first.
import type { EngineCommand } from '../engine/contract/command.ts';
import type { Confirmation } from '../engine/contract/order.ts';
import type { KeyName } from './key-parser.ts';
import type { Plan } from './layout.ts';
import type { BindingId, Messages } from './messages.ts';
import type { ScreenModel, ScreenState } from './screen-model.ts';
import type { ScreenName } from './ui-state.ts';

/** What a binding may look at and do. */
export interface Acting {
  /** What is drawn; movement goes by it. */
  readonly shown: ScreenState;
  /** The same with what was asked for and is not drawn yet; everything else goes by it. */
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
  /** Rows of the help, which is made from all bindings: none of them can count it. */
  readonly helpRows: number;
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

/** Always bound. */
export const always = (): boolean => true;

/** While the run goes on. */
export const isRunning = ({ snapshot }: ScreenState): boolean => snapshot.phase !== 'ended';

/** Once the run has shards. */
export const hasShards = ({ snapshot }: ScreenState): boolean => snapshot.shards.length > 0;

/** While one of these screens is open, and no help over it. */
export const isOn = (...screens: readonly ScreenName[]) => {
  return ({ ui }: ScreenState): boolean => screens.includes(ui.screen) && !ui.help;
};
