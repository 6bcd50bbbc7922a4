// Keys from the terminal, one at a time. Pasted text never acts, and neither does a key that was typed before the question
// it would answer could be seen: `q` and `y` in one read ask, and wait.
import { useInput, usePaste, useStdin } from 'ink';
import { useRef } from 'react';
import { type KeyName, keyNames } from '../key-parser.ts';

export interface KeyHandlers {
  readonly onKey: (key: KeyName) => void;
  readonly onPaste: () => void;
  /** Whether a question is open; asked before and after each key. */
  readonly isAsking: () => boolean;
}

/** Calls `onKey` for every single key. */
export const useKeys = ({ onKey, onPaste, isAsking }: KeyHandlers): void => {
  const { isRawModeSupported } = useStdin();
  // A question was opened in this turn of the event loop: what else the same read brought is older than the question.
  const isDeaf = useRef(false);
  const options = { isActive: isRawModeSupported };
  useInput((input, key) => {
    for (const name of keyNames(input, key)) {
      if (isDeaf.current) return;
      const wasAsking = isAsking();
      onKey(name);
      if (!wasAsking && isAsking()) {
        isDeaf.current = true;
        setImmediate(() => {
          isDeaf.current = false;
        });
      }
    }
  }, options);
  usePaste(onPaste, options);
};
