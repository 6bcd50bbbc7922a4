// The keys of the validation view. Steering is undone by the same key or harmless; whatever writes to the target asks for
// the target's name first.
import type { ValidationSize } from '../engine/contract/command.ts';
import type { DifferencePicture, ValidationPicture } from '../engine/contract/validation-picture.ts';
import { type Acting, type Binding, hasShards, isOn } from './binding.ts';
import type { ScreenState } from './screen-model.ts';

/** What left and right choose from; null is the configured sample. */
export const SIZES: readonly (ValidationSize | null)[] = [
  null,
  '1000',
  '10000',
  '1%',
  '10%',
  '1%@95',
  '0.1%@95',
  '0.01%@95',
  '0.01%@99',
  'full',
];

/** Keys a second that the rate goes through. */
const RATES: readonly number[] = [100, 500, 1000, 5000, 10_000, 25_000, 50_000, 100_000, 250_000];

const isOpen = isOn('validation');

export const isUnderWay = (picture: ValidationPicture | null): boolean =>
  picture?.state === 'running' || picture?.state === 'paused';

const whileComparing = (state: ScreenState): boolean => isOpen(state) && isUnderWay(state.snapshot.validation);
const whenCompared = (state: ScreenState): boolean => isOpen(state) && state.snapshot.validation?.state === 'done';

/** Something was found: with nothing to repair there is no key for it. */
const whenDifferent = (state: ScreenState): boolean =>
  whenCompared(state) && (state.snapshot.validation?.differences.length ?? 0) > 0;

/** The difference that the keys act on; null where there is none. */
export const chosenDifference = ({ snapshot, ui }: ScreenState): DifferencePicture | null =>
  snapshot.validation?.differences[ui.difference] ?? null;

/** Those that a repair copies again. */
export const repairable = ({ snapshot }: ScreenState): readonly DifferencePicture[] =>
  (snapshot.validation?.differences ?? []).filter((difference) => isRepairable(difference));

const isExtra = ({ aspects }: DifferencePicture): boolean => aspects.includes('extra');
const isRepairable = (difference: DifferencePicture): boolean =>
  !isExtra(difference) && (difference.repair === null || difference.repair === 'failed');

/** The first press shows the view and begins the first comparison; in the view it begins another. */
const validate = ({ state, change, ask }: Acting): void => {
  const { validation } = state.snapshot;
  change({ type: 'show', screen: 'validation' });
  const isAnother = state.ui.screen === 'validation' || validation === null;
  if (isAnother && !isUnderWay(validation) && !state.ui.readOnly) {
    change({ type: 'choose-difference', index: 0 });
    ask({ type: 'validate', size: SIZES[state.ui.size] ?? null });
  }
};

/** Left and right choose how much, up and down a differing key. */
export const moveInValidation = ({ state, change }: Acting, horizontal: number, vertical: number): void => {
  const { ui, snapshot } = state;
  const within = (index: number, count: number): number => Math.max(0, Math.min(count - 1, index));
  if (horizontal !== 0) change({ type: 'choose-size', index: within(ui.size + horizontal, SIZES.length) });
  const count = snapshot.validation?.differences.length ?? 0;
  if (vertical !== 0 && count > 0)
    change({ type: 'choose-difference', index: within(ui.difference + vertical, count) });
};

const pause = ({ state, ask }: Acting): void =>
  ask({ type: 'steer-validation', act: state.snapshot.validation?.state === 'paused' ? 'resume' : 'pause' });

/** `[` slower, `]` faster; beyond the fastest nothing holds it. */
const changeRate = ({ state, ask }: Acting, key: string): void => {
  const now = state.snapshot.validation?.mostKeysPerSecond ?? Number.POSITIVE_INFINITY;
  const slower = RATES.filter((rate) => rate < now).at(-1) ?? RATES[0] ?? 1;
  const faster = RATES.find((rate) => rate > now) ?? null;
  ask({ type: 'set-validation-rate', keysPerSecond: key === '[' ? slower : faster });
};

const repairOne = ({ state, change, say }: Acting): void => {
  const chosen = chosenDifference(state);
  if (chosen === null || !isRepairable(chosen)) say(({ validation }) => validation.nothingToRepair);
  else change({ type: 'ask', dialog: 'repair-one' });
};

const repairAll = ({ state, change, say }: Acting): void => {
  if (repairable(state).length === 0) say(({ validation }) => validation.nothingToRepair);
  else change({ type: 'ask', dialog: 'repair-all' });
};

const removeExtra = ({ state, change, say }: Acting): void => {
  const chosen = chosenDifference(state);
  const isLeft = chosen !== null && isExtra(chosen) && chosen.repair !== 'repaired';
  if (isLeft) change({ type: 'ask', dialog: 'remove-extra' });
  else say(({ validation }) => validation.nothingExtra);
};

export const VALIDATION_KEYS: readonly Binding[] = [
  {
    id: 'validate',
    keys: ['v'],
    shown: 'v',
    when: (state) => !state.ui.help && hasShards(state) && !whileComparing(state),
    dangerous: false,
    run: validate,
  },
  {
    id: 'sampleSize',
    keys: [],
    shown: 'left, right',
    when: (state) => isOpen(state) && !isUnderWay(state.snapshot.validation),
    dangerous: false,
    run: () => {},
  },
  {
    id: 'comparePause',
    steers: true,
    keys: ['p'],
    shown: 'p',
    when: whileComparing,
    dangerous: false,
    run: pause,
  },
  {
    id: 'compareRate',
    steers: true,
    keys: ['[', ']'],
    shown: '[ ]',
    when: whileComparing,
    dangerous: false,
    run: changeRate,
  },
  {
    id: 'compareCancel',
    steers: true,
    keys: ['x'],
    shown: 'x',
    when: whileComparing,
    dangerous: false,
    run: ({ ask }) => ask({ type: 'steer-validation', act: 'cancel' }),
  },
  {
    id: 'compareExport',
    steers: true,
    keys: ['e'],
    shown: 'e',
    when: whenCompared,
    dangerous: false,
    run: ({ ask }) => ask({ type: 'export-validation' }),
  },
  { id: 'repairOne', steers: true, keys: ['r'], shown: 'r', when: whenDifferent, dangerous: true, run: repairOne },
  { id: 'repairAll', steers: true, keys: ['R'], shown: 'R', when: whenDifferent, dangerous: true, run: repairAll },
  {
    id: 'removeExtra',
    steers: true,
    keys: ['X'],
    shown: 'X',
    when: whenDifferent,
    dangerous: true,
    run: removeExtra,
  },
];
