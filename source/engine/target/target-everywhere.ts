// What has no key goes to every node of a target at once: behind the barrier, when all before it is applied.
import { broadcast } from '../../writers/target-broadcast.ts';
import type { ServerDestination } from '../run/shard-job.ts';
import type { Barrier } from '../shard/barrier.ts';
import type { TargetHost } from '../shard/shard-target.ts';

export class TargetEverywhere {
  readonly #destination: ServerDestination;
  readonly #barrier: Barrier;
  readonly #host: TargetHost;

  constructor(destination: ServerDestination, barrier: Barrier, host: TargetHost) {
    this.#destination = destination;
    this.#barrier = barrier;
    this.#host = host;
  }

  /** A command, to all nodes. */
  command(args: readonly Buffer[]): void {
    this.#barrier.add(async () => {
      for (const { address, reply } of await broadcast(this.#destination.endpoint, this.#nodes, args)) {
        // Each source shard sends the same FUNCTION LOAD: that another was first is no refusal.
        if (!/already exists/.test(reply)) this.#host.refused(0, args, `${address}: ${reply}`);
      }
    });
  }

  /** A library of functions, from the snapshot. */
  library(code: Buffer): void {
    this.#barrier.add(async () => {
      // Few sources have libraries, and asking for them brings the client library into this thread.
      const { loadLibrary } = await import('../../writers/function-libraries.ts');
      for (const { address, reply } of await loadLibrary(this.#destination.endpoint, this.#nodes, code)) {
        this.#host.refused(0, [Buffer.from('FUNCTION LOAD')], `${address}: ${reply}`);
      }
    });
  }

  get #nodes() {
    return this.#destination.topology.shards.map(({ address }) => address);
  }
}
