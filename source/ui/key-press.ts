// What one key does: an open question first, then ctrl+c, then the keymap. Kept apart from React, so that it is tested as
// a plain function.

import type { Acting } from './binding.ts';
import { answer, openDialog } from './confirm.ts';
import type { KeyName } from './key-parser.ts';
import { bindingFor, isHeldBack } from './keymap.ts';
import type { Messages } from './messages.ts';

/** Within this time a second ctrl+c means it. */
const CTRL_C_AGAIN_MS = 2000;

/** How long a sentence at the foot stays. */
export const FLASH_MS = 6000;

/**
 * ctrl+c is pressed in alarm, and by habit: the first only says what the second will do, the second drains and stops, and
 * while that lasts another one asks whether to leave without it.
 */
const ctrlC = ({ state, change, ask }: Acting, messages: Messages, nowMs: number): void => {
  if (state.snapshot.phase === 'draining') {
    change({ type: 'ask', dialog: 'leave' });
    return;
  }
  if (nowMs < state.ui.ctrlCUntilMs) {
    change({ type: 'arm-ctrl-c', untilMs: 0 });
    ask({ type: 'stop' }, 'yes');
    return;
  }
  const untilMs = nowMs + CTRL_C_AGAIN_MS;
  change({ type: 'arm-ctrl-c', untilMs });
  change({ type: 'flash', flash: { text: messages.ctrlCAgain, tone: 'warn', untilMs } });
};

/** Acts on one key. */
export const pressKey = (key: KeyName, acting: Acting, messages: Messages, nowMs: number): void => {
  const dialog = openDialog(acting.state);
  if (dialog !== null) {
    answer(dialog, key, acting, messages);
    return;
  }
  if (key === 'ctrl+c' && acting.state.snapshot.phase !== 'ended' && !acting.isAttached) {
    ctrlC(acting, messages, nowMs);
    return;
  }
  const binding = bindingFor(key, acting.state);
  if (binding !== undefined) binding.run(acting, key);
  else if (isHeldBack(key, acting.state)) acting.say(() => messages.readOnlyKey);
};
