// Turns what Ink hands over into single named keys. On a slow link several keystrokes arrive in one read, and Ink passes
// printable ones on as one string (`jj`, or `y` and enter together): without this layer they would be lost.
import type { Key } from 'ink';

/** A key by name: `up`, `enter`, `ctrl+c`, or the character itself. */
export type KeyName = string;

const NAMED: readonly (readonly [keyof Key, KeyName])[] = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'pgup'],
  ['pageDown', 'pgdn'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'esc'],
  ['tab', 'tab'],
  ['backspace', 'backspace'],
  ['delete', 'delete'],
];

const CONTROL_NAMES: Readonly<Record<string, KeyName>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x1b': 'esc',
  '\x7f': 'backspace',
  '\b': 'backspace',
};

const SEGMENTER = new Intl.Segmenter();

const characterName = (character: string): KeyName => {
  const named = CONTROL_NAMES[character];
  if (named !== undefined) return named;
  const code = character.charCodeAt(0);
  // ctrl+a is 1 and so on; Ink names a lone one, but not one inside a longer read.
  return code > 0 && code < 27 ? `ctrl+${String.fromCharCode(code + 96)}` : character;
};

/** The keys in one call of useInput, in the order in which they were typed. */
export const keyNames = (input: string, key: Key): readonly KeyName[] => {
  for (const [flag, name] of NAMED) {
    if (key[flag] === true) return [name];
  }
  if (key.ctrl) return input === '' ? [] : [`ctrl+${input}`];
  const names = [...SEGMENTER.segment(input)].map(({ segment }) => characterName(segment));
  // We bind no alt keys: alt+x is how escape and a quick x after it arrive.
  return key.meta ? ['esc', ...names] : names;
};
