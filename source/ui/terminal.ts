// The two streams of the screen, made safe: a terminal that stops reading must not stop the process, and one that goes
// away must not end it.
import type { Readable, Writable } from 'node:stream';

/** As much of a terminal as the screen needs; `process` is one. */
export interface Terminal {
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly bytesWritten: number };
}

export interface GuardedTerminal {
  /** Whether the terminal has still to take earlier frames. */
  readonly isBackedUp: () => boolean;
  /** All bytes written so far. */
  readonly bytesWritten: () => number;
  /** Ends the guard and gives the stream back as it was. */
  readonly release: () => void;
}

/**
 * Makes writes to the terminal non-blocking. Node writes to a terminal synchronously: one that stops reading (a stalled SSH
 * link, ctrl+s in tmux) was measured to stop the event loop for as long. The handle is private to Node (seen in 24 and 26),
 * so every step to it is guarded; without it the screen works, only less safely.
 */
const setBlocking = (stdout: Writable, isBlocking: boolean): void => {
  const handle: unknown = Reflect.get(stdout, '_handle');
  if (typeof handle !== 'object' || handle === null) return;
  const method: unknown = Reflect.get(handle, 'setBlocking');
  if (typeof method === 'function') method.call(handle, isBlocking);
};

/** Guards `stdout` until released; `onLost` is called once when the terminal has gone (EIO after SIGHUP, EPIPE). */
export const guardTerminal = (stdout: Terminal['stdout'], onLost: () => void): GuardedTerminal => {
  let isLost = false;
  const onError = (): void => {
    if (isLost) return;
    isLost = true;
    onLost();
  };
  stdout.on('error', onError);
  setBlocking(stdout, false);
  return {
    isBackedUp: () => stdout.writableLength > 0,
    bytesWritten: () => stdout.bytesWritten,
    release: () => {
      // A lost terminal keeps its listener: late writes would otherwise end the process with an uncaught error.
      if (isLost) return;
      setBlocking(stdout, true);
      stdout.off('error', onError);
    },
  };
};
