// Real servers for tests: started inside a test they are stopped when that test ends, started in a hook or at the top of
// the file they are stopped when the file ends. REDIS_SERVER names the binary to test with. Not for `test.concurrent`.
import { afterAll, onTestFinished } from 'vitest';
import {
  type ClusterOptions,
  type RunningCluster,
  type RunningServer,
  type ServerOptions,
  startCluster,
  startServer,
  stopAll,
} from '../../source/demo/local-servers.ts';

// Also what a failed or timed-out start left half-way.
afterAll(stopAll);

export interface Servers {
  readonly startServer: typeof startServer;
  readonly startCluster: typeof startCluster;
}

/** Servers that live until the end of the file wherever they are started, for tests that share them. */
export function useServers(): Servers {
  return { startServer, startCluster };
}

/** A standalone server, as `startServer` gives it. */
export function testServer(options?: ServerOptions): Promise<RunningServer> {
  return stopWithTest(startServer(prompt(options)));
}

/** A cluster that is whole and takes writes, as `startCluster` gives it. */
export function testCluster(options?: ClusterOptions): Promise<RunningCluster> {
  return stopWithTest(startCluster(prompt(options)));
}

/** By default a source waits 5 s for more replicas before it makes a diskless snapshot. */
function prompt<T extends ServerOptions | ClusterOptions>(options?: T): T & { args: readonly string[] } {
  return { ...(options ?? ({} as T)), args: ['--repl-diskless-sync-delay', '0', ...(options?.args ?? [])] };
}

function stopWithTest<T extends { stop(): Promise<void> }>(start: Promise<T>): Promise<T> {
  try {
    // A start that failed has cleaned up after itself, and its error has already failed the test.
    onTestFinished(() => start.then((it) => it.stop()).catch(() => {}));
  } catch {
    // Not inside a test: it lives until the end of the file.
  }
  return start;
}
