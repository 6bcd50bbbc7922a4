// Nothing that redferry started for a demo or a test outlives it: what is registered here is undone when the process ends
// by itself, by process.exit, by an uncaught error, or by a signal that nobody else handles. After kill -9 no code of
// ours runs; on Linux the servers are started so that the kernel ends them then (see server-process.ts).

type Cleanup = () => void;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const cleanups = new Set<Cleanup>();

/** Calls `cleanup` (synchronous, must not throw) at the end of the process, unless the returned function is called before. */
export function atProcessEnd(cleanup: Cleanup): () => void {
  if (cleanups.size === 0) {
    process.on('exit', runAll);
    for (const signal of SIGNALS) process.on(signal, onSignal);
  }
  cleanups.add(cleanup);
  return () => {
    if (!cleanups.delete(cleanup) || cleanups.size > 0) return;
    process.off('exit', runAll);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}

/**
 * Listeners of signal-exit, with which Ink restores the terminal. They too give way to any other listener, so each side
 * would wait for the other, and a closed terminal would leave us running. It counts them in an emitter it hangs on
 * `process`, for its own other versions. Without us they restore the terminal and repeat the signal.
 */
function yieldingListeners(): number {
  const emitter: unknown = Reflect.get(process, '__signal_exit_emitter__');
  if (typeof emitter !== 'object' || emitter === null) return 0;
  const count: unknown = Reflect.get(emitter, 'count');
  return typeof count === 'number' ? count : 0;
}

function runAll(): void {
  for (const cleanup of cleanups) cleanup();
  cleanups.clear();
}

/** Listening switched the signal's default off; who else listens decides, and if nobody does, it is given its effect back. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1 + yieldingListeners()) return;
  runAll();
  for (const each of SIGNALS) process.off(each, onSignal);
  process.kill(process.pid, signal);
}
