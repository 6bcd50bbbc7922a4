// All keys in one table, in the order of the help. Footer, help and what happens on a press come from it, so that they
// can't disagree.
import type { Binding } from './binding.ts';
import type { KeyName } from './key-parser.ts';
import type { BindingId } from './messages.ts';
import { MOVE_KEYS } from './move-keys.ts';
import { RUN_KEYS } from './run-keys.ts';
import type { ScreenState } from './screen-model.ts';
import { SHARD_KEYS } from './shard-keys.ts';
import { VALIDATION_KEYS } from './validation-keys.ts';
import { LOOK_KEYS, SCREEN_KEYS } from './view-keys.ts';

/** Of two bindings of a key that both act, the first one does. */
export const KEYMAP: readonly Binding[] = [
  ...MOVE_KEYS,
  ...SCREEN_KEYS,
  ...VALIDATION_KEYS,
  ...SHARD_KEYS,
  ...LOOK_KEYS,
  ...RUN_KEYS,
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
  'search',
  'help',
  'validate',
  'compareCancel',
  'compareExport',
  'repairAll',
  'compareRate',
  'sampleSize',
  'log',
  'sort',
  'quit',
];

/** The bindings of the footer that act in this state. */
export const footerBindings = (state: ScreenState): readonly Binding[] =>
  FOOTER.flatMap((id) =>
    KEYMAP.filter((binding) => binding.id === id && binding.when(state) && isAllowed(binding, state)),
  );
