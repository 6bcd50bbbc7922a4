// The engine as every screen sees it, in this process or in another: a picture, an ear for new ones, and commands. All of
// the contract is plain readonly data, so that it crosses worker and process borders as it is; nothing here touches a socket.
import type { CommandOutcome, EngineCommand } from './command.ts';
import type { EngineSnapshot } from './engine-snapshot.ts';
import type { Order } from './order.ts';
import type { EngineResult } from './result.ts';

/** The three methods on which every screen lives, and the end of the run. */
export interface Engine {
  snapshot(): EngineSnapshot;
  /** Calls `listener` at each new picture (at most 10 a second); the returned function ends that. */
  subscribe(listener: () => void): () => void;
  /** @param order left out: the process asks by itself, and needs no confirmation. */
  dispatch(command: EngineCommand, order?: Order): Promise<CommandOutcome>;
  /** Settles when the run has ended; never rejects: a failure is an outcome. */
  readonly ended: Promise<EngineResult>;
}
