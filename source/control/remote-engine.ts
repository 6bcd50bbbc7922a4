// A run in another process as an Engine, so that every screen works on it unchanged. It connects again when the connection
// breaks while the run lives (a client that was stopped for a while is cut by the run); when the run's process is gone
// without having told its end, that is the end it tells.

import { setTimeout as delay } from 'node:timers/promises';
import type { CommandOutcome, EngineCommand } from '../engine/contract/command.ts';
import { addConflicts, NO_CONFLICTS } from '../engine/contract/conflict.ts';
import type { Engine } from '../engine/contract/engine.ts';
import type { EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import type { Order } from '../engine/contract/order.ts';
import type { EngineResult } from '../engine/contract/result.ts';
import { EXIT, FerryError, messageOf } from '../engine/errors.ts';
import { ControlLink } from './control-link.ts';
import type { RunRecord } from './run-registry.ts';
import { RELEASE } from './wire.ts';

export interface RemoteEngineOptions {
  /** How this program calls itself in the run's audit log. */
  readonly client: string;
  /** Nothing is asked of the run but its pictures. */
  readonly readOnly?: boolean;
  readonly timeoutMs?: number;
}

/** Waits before the attempts to connect again; a run that ends needs less to take its socket away. */
const RECONNECT_AFTER_MS = [50, 500, 2000] as const;

export class RemoteEngine implements Engine {
  readonly ended: Promise<EngineResult>;
  readonly #record: Pick<RunRecord, 'socket' | 'pid' | 'logFile'>;
  readonly #options: RemoteEngineOptions;
  readonly #listeners = new Set<() => void>();
  #resolveEnded: (result: EngineResult) => void = () => {};
  #link: ControlLink | null = null;
  #snapshot: EngineSnapshot;
  #isClosed = false;

  /**
   * Connects to a run and waits for its first picture.
   * @throws FerryError `control` when it can not be reached, or is of another release: its pictures may lack what this
   * release's screen shows.
   */
  static async open(
    record: Pick<RunRecord, 'run' | 'socket' | 'pid' | 'logFile'>,
    options: RemoteEngineOptions,
  ): Promise<RemoteEngine> {
    let engine: RemoteEngine | null = null;
    // Between the answer and the next line nothing is lost: a picture that comes too early is older than the next.
    const { link, hello } = await ControlLink.open(record.socket, {
      ...options,
      onSnapshot: (snapshot) => {
        if (engine !== null) engine.#take(snapshot);
      },
      onClosed: () => {
        if (engine !== null) void engine.#reconnect();
      },
    });
    try {
      if (hello.release !== RELEASE) {
        throw new FerryError(
          `Run ${record.run} is of redferry ${hello.release}, this is redferry ${RELEASE}: attach with the redferry that started it. redferry status and redferry ctl work with both.`,
          { code: 'control' },
        );
      }
      engine = new RemoteEngine(record, options, await link.subscribe());
    } catch (error) {
      link.close();
      throw error;
    }
    engine.#link = link;
    return engine;
  }

  private constructor(
    record: Pick<RunRecord, 'socket' | 'pid' | 'logFile'>,
    options: RemoteEngineOptions,
    first: EngineSnapshot,
  ) {
    this.#record = record;
    this.#options = options;
    this.#snapshot = first;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#take(first);
  }

  snapshot(): EngineSnapshot {
    return this.#snapshot;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async dispatch(command: EngineCommand, order?: Order): Promise<CommandOutcome> {
    if (this.#snapshot.result !== null) return { accepted: false, message: 'The run has ended.' };
    if (this.#options.readOnly) return { accepted: false, message: 'This connection only watches (--read-only).' };
    if (this.#link === null) return { accepted: false, message: 'There is no connection to the run at the moment.' };
    try {
      const confirmed = order?.confirmed ?? 'no';
      // By itself only the run's own process does something.
      return await this.#link.dispatch(command, confirmed === 'self' ? 'no' : confirmed);
    } catch (error) {
      return { accepted: false, message: `${messageOf(error)} Whether the command was obeyed is not known.` };
    }
  }

  /** Lets go of the run, which goes on. `ended` does not settle after that. */
  close(): void {
    this.#isClosed = true;
    this.#link?.close();
    this.#listeners.clear();
  }

  #take(snapshot: EngineSnapshot): void {
    this.#snapshot = snapshot;
    for (const listener of this.#listeners) listener();
    if (snapshot.result !== null) this.#resolveEnded(snapshot.result);
  }

  async #reconnect(): Promise<void> {
    this.#link = null;
    for (const waitMs of RECONNECT_AFTER_MS) {
      if (this.#isClosed || this.#snapshot.result !== null) return;
      await delay(waitMs);
      if (await this.#connectAgain()) return;
    }
    if (!this.#isClosed && this.#snapshot.result === null) this.#take(this.#lost());
  }

  async #connectAgain(): Promise<boolean> {
    let isSubscribed = false;
    try {
      const { link } = await ControlLink.open(this.#record.socket, {
        ...this.#options,
        onSnapshot: (snapshot) => this.#take(snapshot),
        onClosed: () => {
          if (isSubscribed) void this.#reconnect();
        },
      });
      const snapshot = await link.subscribe().finally(() => {
        if (this.#isClosed) link.close();
      });
      isSubscribed = true;
      this.#link = link;
      this.#take(snapshot);
      return true;
    } catch {
      return false;
    }
  }

  /** The last picture as that of a run which is no more. */
  #lost(): EngineSnapshot {
    const { pid, logFile } = this.#record;
    const log = logFile === null ? '' : ` Its log file is ${logFile}.`;
    const message = `The run's process (${pid}) went away without telling its end: it was killed, or it failed.${log}`;
    const last = this.#snapshot;
    const sum = (pick: (shard: EngineSnapshot['shards'][number]) => number): number =>
      last.shards.reduce((total, shard) => total + pick(shard), 0);
    const result: EngineResult = {
      outcome: 'failed',
      exitCode: EXIT.failed,
      seconds: (last.takenAtMs - last.startedAtMs) / 1000,
      keys: sum(({ keys }) => keys.done),
      commands: sum(({ commands }) => commands),
      bytes: sum(({ bytes }) => bytes.done),
      conflicts: last.shards.map(({ conflicts }) => conflicts).reduce(addConflicts, NO_CONFLICTS),
      refused: sum(({ errors }) => errors),
      refusals: [],
      shards: last.shards.map(({ name, address, state, keys, commands, errors, offset }) => ({
        ...{ name, address, state, commands, offset },
        ...{ keys: keys.done, refused: errors, error: null },
      })),
      message,
    };
    return { ...last, phase: 'ended', result };
  }
}
