// The questions before anything is written to the target because of a comparison: what it is, and the target's name typed.
import type { EngineCommand, RepairKind } from '../engine/contract/command.ts';
import type { Question } from './confirm.ts';
import { formatExact } from './format.ts';
import type { ScreenState } from './screen-model.ts';
import { chosenDifference, repairable } from './validation-keys.ts';
import { keyText } from './validation-text.ts';

const chosenName = (state: ScreenState): string => {
  const chosen = chosenDifference(state);
  return chosen === null ? '' : keyText(chosen.key);
};

/** Of the difference that is chosen, or of all. */
const repair =
  (kind: RepairKind, isAll: boolean) =>
  (state: ScreenState): EngineCommand => {
    const chosen = chosenDifference(state);
    const keys = isAll || chosen === null ? null : [{ database: chosen.database, key: chosen.key }];
    return { type: 'repair-differences', kind, keys };
  };

export const REPAIR_QUESTIONS: Readonly<Record<'repair-one' | 'repair-all' | 'remove-extra', Question>> = {
  'repair-one': {
    title: (state, { messages }) => messages.validation.repairOneTitle(chosenName(state)),
    effect: ({ validation }) => validation.repairEffect,
    afterEnd: true,
    command: repair('differing', false),
  },
  'repair-all': {
    title: (state, { messages }) => messages.validation.repairAllTitle(formatExact(repairable(state).length)),
    effect: ({ validation }) => validation.repairEffect,
    afterEnd: true,
    command: repair('differing', true),
  },
  'remove-extra': {
    title: (state, { messages }) => messages.validation.removeTitle(chosenName(state)),
    effect: ({ validation }) => validation.removeEffect,
    afterEnd: true,
    command: repair('extra', false),
  },
};
