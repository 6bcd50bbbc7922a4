// Real redis-server processes and clusters on free loopback ports, for the demo, the tests and the bench. Whatever was
// started ends with us; `stop` and `stopAll` end it earlier and remove its folders. Several processes may do this at the
// same time: a port that somebody else took first is noticed, and another one tried.

import { attachReplica, giveSlots, introduce, waitUntilWhole } from './form-cluster.ts';
import { findFreePort } from './free-port.ts';
import { LocalServer } from './local-server.ts';
import { type BinaryVersion, binaryVersion, serverBinary } from './server-process.ts';

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_START_MS = 20_000;
const PORT_ATTEMPTS = 20;
const DEFAULT_MASTERS = 3;
const DEFAULT_NODE_TIMEOUT_MS = 5000;
/** Of which two seconds are the servers' own: a master that has just started calls itself writable no earlier. */
const DEFAULT_FORM_MS = 30_000;

export interface ServerOptions {
  /** Default: REDIS_SERVER, else redis-server of the PATH. */
  readonly binary?: string | undefined;
  /** Further arguments, the last word on every setting: `['--requirepass', 'secret']`. */
  readonly args?: readonly string[] | undefined;
  readonly host?: string | undefined;
  readonly deadlineMs?: number | undefined;
}

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  /** Changes with `restart`. */
  readonly pid: number;
  /** The temporary folder: working directory, snapshots, server.log. */
  readonly directory: string;
  readonly binary: string;
  readonly version: BinaryVersion;
  /** False once the process has ended, for whatever reason. */
  readonly running: boolean;
  /** The last lines the server wrote. */
  logTail(): string;
  /** Sends a signal to the process: SIGKILL for a crash, SIGSTOP and SIGCONT for a frozen one. */
  kill(signal: NodeJS.Signals): void;
  /** Settles when the process has ended. */
  waitForExit(): Promise<void>;
  /** Starts it again (after it was killed, or killing it now) with the same port, folder and arguments. */
  restart(): Promise<void>;
  /** Kills it and removes its folder; harmless when repeated. */
  stop(): Promise<void>;
}

export interface ClusterOptions extends ServerOptions {
  readonly masters?: number | undefined;
  readonly replicasPerMaster?: number | undefined;
  /** How long a node may be silent before it counts as down; at least 2000. */
  readonly nodeTimeoutMs?: number | undefined;
}

export interface RunningCluster {
  /** Masters first, then replicas. */
  readonly nodes: readonly RunningServer[];
  /** In the order of their slots. */
  readonly masters: readonly RunningServer[];
  /** replicas[i] are those of masters[i]. */
  readonly replicas: readonly (readonly RunningServer[])[];
  /** Kills all nodes and removes their folders; harmless when repeated. */
  stop(): Promise<void>;
}

const started = new Set<LocalServer>();

/**
 * Starts a server without persistence and waits until it answers PING.
 * @throws FerryError `no-server`, or `server-start` with the end of the server's log.
 */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const { args = [], host = DEFAULT_HOST, deadlineMs = DEFAULT_START_MS } = options;
  const binary = serverBinary(options.binary);
  const version = await binaryVersion(binary);
  for (let attempt = 1; ; attempt++) {
    const port = await findFreePort(host);
    const server = new LocalServer({ binary, version, host, port, args, deadlineMs });
    started.add(server);
    try {
      await server.start();
      return server;
    } catch (error) {
      const again = server.lostItsPort && attempt < PORT_ATTEMPTS;
      await server.stop();
      started.delete(server);
      if (!again) throw error;
    }
  }
}

/** Stops every server and cluster that this process has started; a start under way fails. */
export async function stopAll(): Promise<void> {
  const all = [...started];
  started.clear();
  await Promise.all(all.map((server) => server.stop()));
}

/**
 * Starts a cluster and waits until all its nodes agree that it is whole. A password in `args` is not supported.
 * @throws FerryError `no-server`, `server-start`, or `cluster-start` with what each node said last.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<RunningCluster> {
  const masterCount = options.masters ?? DEFAULT_MASTERS;
  const replicasPerMaster = options.replicasPerMaster ?? 0;
  const nodes = await startNodes(masterCount * (1 + replicasPerMaster), options);
  const masters = nodes.slice(0, masterCount);
  const replicas = masters.map((_, index) =>
    nodes.filter((_, other) => other >= masterCount && other % masterCount === index),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    await Promise.all(masters.map((master, index) => giveSlots(master, index, masterCount)));
    await introduce(nodes);
    const deadline = Date.now() + (options.deadlineMs ?? DEFAULT_FORM_MS);
    await Promise.all(
      replicas.flatMap((group, index) => group.map((node) => attachReplica(node, masters[index], deadline))),
    );
    await Promise.all(nodes.map((node) => waitUntilWhole(node, nodes.length, masterCount, deadline)));
    return { nodes, masters, replicas, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startNodes(count: number, options: ClusterOptions): Promise<readonly RunningServer[]> {
  const timeout = String(options.nodeTimeoutMs ?? DEFAULT_NODE_TIMEOUT_MS);
  const args = ['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--cluster-node-timeout', timeout];
  const starts = Array.from({ length: count }, () =>
    startServer({ ...options, args: [...args, ...(options.args ?? [])] }),
  );
  const outcomes = await Promise.allSettled(starts);
  const nodes = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure === undefined) return nodes;
  await Promise.all(nodes.map((node) => node.stop()));
  throw failure.reason;
}
